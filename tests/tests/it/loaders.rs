//! Several loaders over the same processes, and what becomes of one that is unloaded.

use std::sync::{Arc, Weak};

use remote_object::CallbackError;
use remote_parent::{
    DetachReason, EmitError, Frame, FrameId, FrameOptions, ListenerId, Loader, Process, ProcessError, ProcessOptions,
    StartError, Transport, Trouble, this_module,
};
use tests::gate::Gate;
use tests::objects::Objects;

use crate::harness::{
    Events, MISFIT, PATIENCE, Setup, Teller, ask, every_process_transport, every_transport, heard, sync,
};

/// A further loader with some of the tests' modules.
fn loader(setup: &Setup, name: &str, modules: &[&str]) -> Loader {
    let loader = setup.parent().loader(name).expect("the parent is there");
    for module in modules {
        let id = format!("tests::modules::{module}");
        loader.remote_require(&id, this_module!()).expect("it is a module's name");
    }
    loader
}

/// What a listener holds: when it is dropped it uses whatever has a lock.
struct Held {
    loader: Loader,
    other: ListenerId,
    name: &'static str,
    tell: Arc<Teller<&'static str>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let (processes, frames) = (self.loader.processes(), self.loader.frames());
        processes.port().off(self.other);
        let _ = processes.port().emit("gone", &());
        let _ = frames.port().emit("gone", &());
        for process in processes.iter() {
            let _ = frames.open(&process, FrameOptions::new());
        }
        self.loader.unload("it has no more listeners");
        self.tell.tell(self.name);
    }
}

/// The same process, as another loader sees it.
fn seen_by(loader: &Loader, process: &Process) -> Process {
    let seen = loader.processes().get(process.id()).expect("the loader sees it");
    assert_eq!(seen, *process);
    seen
}

fn errors(loader: &Loader) -> Events<ProcessError> {
    let (tell, events) = Events::new("error");
    loader.processes().on_error(move |_process, error| tell.tell(error.clone()));
    events
}

every_transport! {
    /// A18: what one loader emits is heard by its own modules only, and what those emit by its own listeners only.
    fn loaders_do_not_hear_each_others_events(setup) {
        setup.require("ports");
        let second = loader(&setup, "second", &["ports"]);
        for process in [setup.main(), setup.spawn()] {
            let other = seen_by(&second, &process);
            process.port().emit("note", "of the first").unwrap();
            other.port().emit("note", "of the second").unwrap();
            assert_eq!(
                ask::<Vec<String>, _>(&process, "heard", &()),
                ["of the first", "once of the first", "silenced of the first"]
            );
            assert_eq!(
                ask::<Vec<String>, _>(&other, "heard", &()),
                ["of the second", "once of the second", "silenced of the second"]
            );
            let said = |port| heard::<Process, String>(&port, "said");
            let ports = [process.port(), setup.parent().processes().port()].map(said);
            let others = [other.port(), second.processes().port()].map(said);
            ask::<(), _>(&process, "say", &("said", ["by the first"]));
            ask::<(), _>(&other, "say", &("said", ["by the second"]));
            for (events, text) in [(&ports, "by the first"), (&others, "by the second")] {
                for events in events {
                    assert_eq!(events.next(), (process.clone(), text.to_owned()));
                    events.none();
                }
            }
        }
        setup.parent().processes().port().emit("note", "to all").unwrap();
        for process in setup.parent().processes().iter() {
            assert_eq!(ask::<Vec<String>, _>(&process, "heard", &()), ["to all", "silenced to all"]);
            assert_eq!(ask::<Vec<String>, _>(&seen_by(&second, &process), "heard", &()), [""; 0]);
        }
    }

    /// A18: a module is loaded once for each loader that requires it.
    fn each_loader_loads_a_module_for_itself(setup) {
        let second = setup.parent().loader("second").unwrap();
        assert_eq!((second.name(), setup.parent().first_loader().name()), ("second", "main"));
        let of_first = heard::<Process, String>(&setup.parent().processes().port(), "loaded");
        let of_second = heard::<Process, String>(&second.processes().port(), "loaded");
        let early = setup.spawn();
        setup.require("loading::first");
        setup.require("basics");
        for id in ["first", "first", "second"] {
            second.remote_require(&format!("tests::modules::loading::{id}"), this_module!()).unwrap();
        }
        second.remote_require("tests::modules::basics", this_module!()).unwrap();
        let late = second.processes().spawn_with(setup.options()).unwrap();
        for process in [setup.main(), early, late] {
            sync(&seen_by(setup.parent().first_loader(), &process));
            sync(&seen_by(&second, &process));
        }
        let (of_first, of_second) = (of_first.so_far(), of_second.so_far());
        for process in setup.parent().processes().iter() {
            let loaded = |told: &[(Process, String)]| {
                let of_process = told.iter().filter(|(other, _)| *other == process);
                of_process.map(|(_, module)| module.clone()).collect::<Vec<_>>()
            };
            assert_eq!(loaded(&of_first), ["first"]);
            assert_eq!(loaded(&of_second), ["first", "second"]);
        }
        assert_eq!((of_first.len(), of_second.len()), (3, 6));
    }

    /// A18: both loaders have the same frames, with the same element and content, and talk to them each on ports of its own.
    fn loaders_share_frames_and_not_their_ports(setup) {
        setup.require("frames");
        let second = loader(&setup, "second", &["frames"]);
        let window = Arc::new("a window");
        for process in [setup.main(), setup.spawn()] {
            let other = seen_by(&second, &process);
            let (tell, attached) = Events::new("attach");
            let listener = second.frames().on_attach(move |frame| tell.tell(frame.clone()));
            let options = FrameOptions::tab().element(Arc::clone(&window));
            let frame = setup.parent().frames().open(&process, options).unwrap();
            let seen = second.frames().get(frame.id()).expect("the other loader has it at once");
            assert_eq!((&seen, &attached.next()), (&frame, &frame));
            assert!(seen.is_tab() && Arc::ptr_eq(&seen.element::<&str>().unwrap(), &window));
            assert_eq!((second.frames().for_element(&window), seen.process()), (Some(frame.clone()), &process));
            let located = |port| heard::<Frame, String>(&port, "located");
            let of_first = [frame.port(), setup.parent().frames().port()].map(located);
            let of_second = [seen.port(), second.frames().port()].map(located);
            frame.port().emit("changeLocation", "#one").unwrap();
            second.frames().port().emit("changeLocation", "#two").unwrap();
            for (events, url) in [(&of_first, "about:blank#one"), (&of_second, "about:blank#one#two")] {
                for events in events {
                    assert_eq!(events.next(), (frame.clone(), url.to_owned()));
                }
            }
            // One that a module of the second registers.
            let own: FrameId = ask(&other, "register", &("about:own", false));
            assert_eq!(attached.next().id(), own);
            sync_frames(&process);
            assert_eq!(setup.parent().frames().get(own), second.frames().get(own));
            assert!(setup.parent().frames().get(own).is_some());
            for events in of_first.iter().chain(&of_second) {
                events.none();
            }
            second.frames().off_attach(listener);
            second.frames().get(own).unwrap().close();
            frame.close();
            sync_frames(&process);
            assert!(!seen.is_attached() && second.frames().is_empty() && setup.parent().frames().is_empty());
        }
    }

    /// A18: a loader that is made later sees what is there, on both sides.
    fn a_loader_that_is_made_later_sees_what_is_there(setup) {
        setup.require("frames");
        let child = setup.spawn();
        let opened = setup.parent().frames().open(&child, FrameOptions::tab()).unwrap();
        let registered: FrameId = ask(&child, "register", &("about:own", false));
        let second = loader(&setup, "second", &[]);
        assert_eq!(second.processes().iter().collect::<Vec<_>>(), [setup.main(), child.clone()]);
        assert_eq!(second.processes().main(), Some(setup.main()));
        let mut seen: Vec<_> = second.frames().iter().map(|frame| frame.id()).collect();
        seen.sort();
        let mut expected = vec![opened.id(), registered];
        expected.sort();
        assert_eq!(seen, expected);
        let (tell, every) = Events::new("every process");
        second.processes().for_every(move |process| tell.tell(process.clone()));
        assert_eq!(every.so_far(), [setup.main(), child.clone()]);
        second.remote_require("tests::modules::frames", this_module!()).unwrap();
        let mut there: Vec<_> = ask::<Vec<(FrameId, bool)>, _>(&seen_by(&second, &child), "frames", &());
        there.sort();
        let mut expected = vec![(opened.id(), true), (registered, false)];
        expected.sort();
        assert_eq!(there, expected);
        let late = setup.spawn();
        assert_eq!(every.next(), late);
    }

    /// A18: a task that panics is reported to the loader it is of.
    fn a_task_that_panics_is_reported_to_its_own_loader(setup) {
        setup.require("unloading");
        let second = loader(&setup, "second", &["unloading", "basics"]);
        let (of_first, of_second) = (setup.errors(), errors(&second));
        for process in [setup.main(), setup.spawn()] {
            let process = seen_by(&second, &process);
            ask::<(), _>(&process, "panic in a task", &());
            let error = of_second.next();
            assert_eq!(error, ProcessError::Child(Trouble::TaskPanicked { message: "the task's own fault".to_owned() }));
            sync(&process);
            of_first.none();
        }
    }

    /// A18: one loader's misfortunes are reported to it alone.
    fn errors_are_reported_to_the_loader_they_are_of(setup) {
        setup.require("misuse");
        let second = loader(&setup, "second", &["misuse", "basics"]);
        let (of_first, of_second) = (setup.errors(), errors(&second));
        let child = setup.spawn();
        let process = seen_by(&second, &child);
        process.port().emit("explode", &()).unwrap();
        assert!(matches!(of_second.next(), ProcessError::Child(Trouble::ListenerPanicked { .. })));
        second.remote_require("tests::modules::nowhere", this_module!()).unwrap();
        for _ in 0..2 {
            assert!(matches!(of_second.next(), ProcessError::Child(Trouble::UnknownModule { .. })));
        }
        process.port().on("sync: answer", |_process, _: Result<(), String>| panic!("a listener of the second"));
        sync(&process);
        assert!(matches!(of_second.next(), ProcessError::ListenerPanicked { .. }));
        of_first.none();
    }

    /// A18: unloading one leaves the other working, and nothing of what was under way is lost to either.
    fn unloading_one_leaves_the_other_working(setup) {
        setup.require("ports");
        let second = loader(&setup, "second", &["ports"]);
        let child = setup.spawn();
        let other = seen_by(&second, &child);
        let said = heard::<Process, u32>(&second.processes().port(), "said");
        let texts: Vec<String> = (0..300).map(|number| number.to_string()).collect();
        let numbers = heard::<Process, (u64, String)>(&second.processes().port(), "numbered");
        for (number, text) in (0u64..).zip(&texts) {
            child.port().emit("sized", &(text, 1, 2)).unwrap();
            other.port().emit("say two", &("numbered", (number, text))).unwrap();
        }
        second.unload("no more of this");
        for text in &texts {
            child.port().emit("sized", &(text, 3, 4)).unwrap();
        }
        let heard: Vec<String> = ask(&child, "heard", &());
        let expected = ["1x2", "3x4"].iter().flat_map(|size| texts.iter().map(move |text| format!("{text} {size}")));
        assert_eq!(heard, expected.collect::<Vec<_>>());
        let numbers: Vec<u64> = numbers.so_far().into_iter().map(|(_, (number, _))| number).collect();
        assert_eq!(numbers, (0..300).collect::<Vec<_>>());
        said.none();
        ask::<Vec<String>, _>(&setup.main(), "heard", &());
        assert!(second.is_unloaded() && !setup.parent().first_loader().is_unloaded());
    }

    /// A19: in each process, the main one too, frames detach with their content, then handlers run, last registered first, then
    /// what was registered is gone.
    fn a_loader_unloads_in_order_in_every_process(setup) {
        setup.require("unloading");
        let second = loader(&setup, "second", &["unloading"]);
        let processes = [setup.main(), setup.spawn()];
        for process in &processes {
            ask::<(), _>(&seen_by(&second, process), "prepare", &());
        }
        let last = heard::<Process, (String, remote_object::Value)>(&second.processes().port(), "last");
        let of_frames = heard::<Frame, String>(&second.frames().port(), "last of a frame");
        second.unload("enough");
        for process in &processes {
            let notes: Vec<String> = ask(process, "notes", &());
            let reason = r#"Unloaded("enough")"#;
            let (mut dropped, order): (Vec<String>, Vec<String>) =
                notes.into_iter().partition(|note| note.starts_with("dropped"));
            assert_eq!(
                order,
                [
                    "heard by listener of a frame's detach".to_owned(),
                    "detach of the content".to_owned(),
                    format!("third: {reason}"),
                    format!("second: {reason}"),
                    format!("first: {reason}"),
                ]
            );
            dropped.sort();
            assert_eq!(
                dropped,
                [
                    "dropped listener of a frame's detach",
                    "dropped listener of attachments",
                    "dropped listener of the frame",
                    "dropped listener of the frame's content",
                    "dropped listener of the frames",
                    "dropped listener of the frames' content",
                    "dropped listener of the process",
                ]
            );
        }
        // What they said in their handlers has been heard.
        let last = last.so_far();
        for process in &processes {
            let of_process = last.iter().filter(|(other, _)| other == process);
            let said: Vec<&str> = of_process.map(|(_, (name, _))| &**name).collect();
            assert_eq!(said, ["detach", "third", "second", "first"]);
        }
        assert_eq!(of_frames.so_far().into_iter().map(|(_, content)| content).collect::<Vec<_>>(), ["the content"; 2]);
        assert!(second.is_unloaded());
        assert_eq!((second.processes().len(), second.frames().len()), (0, 0));
        // The frames stay.
        assert_eq!(setup.parent().frames().len(), 2);
    }

    /// A19, B10: what a loader's modules hold of the parent, and the parent of them, is let go of; its callbacks are dead.
    fn a_loader_that_unloads_lets_go_of_objects_and_callbacks(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("unloading");
        let second = loader(&setup, "second", &["unloading"]);
        for (process, name) in [(setup.main(), "of main"), (setup.spawn(), "of the child")] {
            ask::<(), _>(&seen_by(&second, &process), "keep objects", name);
            assert!(objects.hall.has(name));
        }
        objects.bell.listeners.lock().unwrap()[0].call("called".to_owned()).unwrap();
        second.unload("enough");
        for process in setup.parent().processes().iter() {
            let notes: Vec<String> = ask(&process, "notes", &());
            assert!(notes.contains(&"dropped callback".to_owned()), "{notes:?}");
        }
        let mut dropped = [(); 2].map(|()| objects.dropped.recv_timeout(PATIENCE).unwrap());
        dropped.sort();
        assert_eq!(dropped, ["of main", "of the child"]);
        let kept = std::mem::take(&mut *objects.bell.listeners.lock().unwrap());
        for callback in &kept {
            assert!(!callback.is_alive());
            let error = callback.call("too late".to_owned()).unwrap_err();
            assert_eq!(error, CallbackError::Detached { made_at: callback.made_at() });
        }
        drop(kept);
        for process in setup.parent().processes().iter() {
            assert_eq!(ask::<Vec<String>, _>(&process, "notes", &()), [""; 0]);
        }
    }

    /// A19: the ports of a loader that is unloaded send no more, on either side.
    fn the_ports_of_a_loader_that_is_unloaded_give_an_error(setup) {
        setup.require("unloading");
        let second = loader(&setup, "second", &["unloading"]);
        let child = setup.spawn();
        let main = setup.main();
        let frame = setup.parent().frames().open(&child, FrameOptions::new()).unwrap();
        let frame = second.frames().get(frame.id()).unwrap();
        for process in [&main, &child] {
            ask::<(), _>(&seen_by(&second, process), "keep ports", &());
        }
        let kept = heard::<Process, ()>(&second.processes().port(), "kept");
        let other = seen_by(&second, &child);
        second.unload("enough");
        let emitted = [
            other.port().emit("note", &()),
            second.processes().port().emit("note", &()),
            frame.port().emit("note", &()),
            second.frames().port().emit("note", &()),
        ];
        assert_eq!(emitted, [(); 4].map(|()| Err(EmitError::Unloaded)));
        for process in [&main, &child] {
            assert_eq!(ask::<[String; 4], _>(process, "use kept", &()), [(); 4].map(|()| "Err(Unloaded)".to_owned()));
            // The kept frame has no listeners for its content any more.
            assert_eq!(ask::<Vec<String>, _>(process, "notes", &()), ["shown"]);
        }
        kept.none();
        assert!(second.is_unloaded());
    }

    /// A19: what listeners hold goes with them when nothing is locked: so it may use the ports, the loader and the parent.
    fn what_listeners_hold_may_come_back_when_it_goes(setup) {
        let (tell, dropped) = Events::new("dropped");
        let tell = Arc::new(tell);
        let hold = |loader: Loader, name: &'static str| {
            let port = loader.processes().port();
            let other = port.on("other", |_process, ()| {});
            let held = Held { loader, other, name, tell: Arc::clone(&tell) };
            move || _ = &held
        };
        let second = loader(&setup, "second", &["ports"]);
        setup.spawn();
        for of in [&second, setup.parent().first_loader()] {
            let (on_process, on_frame) = (hold(of.clone(), "process"), hold(of.clone(), "frame"));
            of.processes().port().on("never", move |_process, ()| on_process());
            of.frames().port().on("never", move |_frame, ()| on_frame());
            let (on_error, on_attach) = (hold(of.clone(), "error"), hold(of.clone(), "attach"));
            of.processes().on_error(move |_process, _error| on_error());
            of.processes().on_attach(move |_process| on_attach());
        }
        let all = || {
            let mut names = [(); 4].map(|()| dropped.next());
            names.sort_unstable();
            names
        };
        second.unload("enough");
        assert_eq!(all(), ["attach", "error", "frame", "process"]);
        drop(setup);
        assert_eq!(all(), ["attach", "error", "frame", "process"]);
    }

    /// A19: a task of a loader that is unloaded meanwhile is dropped.
    fn a_task_of_a_loader_that_is_unloaded_is_dropped(setup) {
        setup.require("unloading");
        setup.require("basics");
        let second = loader(&setup, "second", &["unloading"]);
        for process in [setup.main(), setup.spawn()] {
            let third = loader(&setup, "third", &["unloading"]);
            let (gate, report) = (Gate::new(), Gate::new());
            for loader in [&second, &third] {
                ask::<(), _>(&seen_by(loader, &process), "post from a thread", &(gate.address(), report.address()));
            }
            let (waiting, reports) = ([gate.arrival(), gate.arrival()], [report.arrival(), report.arrival()]);
            third.unload("enough");
            sync(&process);
            waiting.into_iter().for_each(|waiting| waiting.let_go());
            let mut said = reports.map(|report| report.text());
            said.sort();
            assert_eq!(said, ["", "ran"]);
        }
    }

    /// A19: processes that are started later do not know a loader that is unloaded; unloading it again does nothing.
    fn later_processes_do_not_know_a_loader_that_is_unloaded(setup) {
        setup.require("basics");
        let second = loader(&setup, "second", &["unloading", "loading::first"]);
        let child = setup.spawn();
        let loaded = heard::<Process, String>(&second.processes().port(), "loaded");
        second.unload("enough");
        second.unload("more than enough");
        second.remote_require("tests::modules::loading::second", this_module!()).unwrap();
        let late = second.processes().spawn_with(setup.options()).unwrap();
        for process in [&setup.main(), &child, &late] {
            sync(&seen_by(setup.parent().first_loader(), process));
        }
        assert!(second.is_unloaded());
        second.unload("again");
        assert!(second.is_unloaded());
        assert!(loaded.so_far().iter().all(|(process, module)| *process != late && module == "first"));
        assert!(second.processes().get(late.id()).is_none());
        assert_eq!(late.port().emit("note", &()), Err(EmitError::Unloaded));
        assert_eq!(setup.parent().processes().len(), 3);
    }

    /// A19: what a loader registered in the parent is let go of, too.
    fn a_loader_that_unloads_lets_go_of_its_listeners_in_the_parent(setup) {
        setup.require("basics");
        let second = loader(&setup, "second", &["frames"]);
        let child = setup.spawn();
        let frame = setup.parent().frames().open(&child, FrameOptions::new()).unwrap();
        let held = Arc::new(());
        let weak: Weak<()> = Arc::downgrade(&held);
        let hold = || { let held = Arc::clone(&held); move || drop(Arc::clone(&held)) };
        let (one, other, third, fourth, fifth, sixth, seventh) = (hold(), hold(), hold(), hold(), hold(), hold(), hold());
        second.processes().port().on("never", move |_process, ()| one());
        seen_by(&second, &child).port().on("never", move |_process, ()| other());
        second.frames().get(frame.id()).unwrap().port().on("never", move |_frame, ()| third());
        second.processes().on_detach(move |_process, _reason| fourth());
        second.frames().for_every(move |_frame| fifth());
        second.processes().on_error(move |_process, _error| sixth());
        second.processes().on_unresponsive(move |_process| seventh());
        drop(held);
        assert!(weak.upgrade().is_some());
        second.unload("enough");
        for process in [&child, &setup.main()] {
            sync(process);
        }
        assert!(second.is_unloaded() && weak.upgrade().is_none());
    }

    /// A19: a loader may be unloaded by a listener of its own.
    fn a_loader_may_be_unloaded_by_a_listener_of_its_own(setup) {
        setup.require("basics");
        let second = loader(&setup, "second", &["unloading", "ports"]);
        let child = setup.spawn();
        let other = seen_by(&second, &child);
        ask::<(), _>(&other, "prepare", &());
        let (tell, unloaded) = Events::new("unload");
        let own = second.clone();
        second.processes().port().on("said", move |_process, _: String| {
            own.unload("by itself");
            tell.tell(());
        });
        let last = heard::<Process, (String, remote_object::Value)>(&second.processes().port(), "last");
        other.port().emit("say", &("said", ["unload"])).unwrap();
        unloaded.next();
        for process in [&child, &setup.main()] {
            sync(process);
        }
        assert!(second.is_unloaded());
        let last: Vec<String> = last.so_far().into_iter().map(|(_, (name, _))| name).collect();
        assert_eq!(last, ["detach", "third", "second", "first"]);
    }

    /// A19: the first loader is unloaded as any other, and the others go on.
    fn the_first_loader_is_unloaded_as_any_other(setup) {
        setup.require("ports");
        let second = loader(&setup, "second", &["basics", "unloading"]);
        let child = setup.spawn();
        let (main, other) = (second.processes().main().unwrap(), seen_by(&second, &child));
        let errors = errors(&second);
        setup.parent().first_loader().unload("enough");
        for process in [&main, &other] {
            sync(process);
        }
        assert!(setup.parent().first_loader().is_unloaded() && setup.parent().processes().is_empty());
        assert_eq!(child.port().emit("note", &()), Err(EmitError::Unloaded));
        let late = second.processes().spawn_with(setup.options()).unwrap();
        sync(&late);
        ask::<(), _>(&late, "panic in a task", &());
        assert!(matches!(errors.next(), ProcessError::Child(Trouble::TaskPanicked { .. })));
        let third = loader(&setup, "third", &["basics"]);
        sync(&seen_by(&third, &late));
        late.close();
        assert_eq!(late.wait(PATIENCE), Some(DetachReason::Closed));
    }

    /// A19: a loader is unloaded also while processes go.
    fn a_loader_is_unloaded_while_processes_go(setup) {
        setup.require("basics");
        for end in [Process::kill, Process::close] {
            let second = loader(&setup, "second", &["basics", "unloading"]);
            let children = [(); 3].map(|()| setup.spawn());
            children.iter().for_each(|child| sync(&seen_by(&second, child)));
            end(&children[0]);
            second.unload("enough");
            end(&children[1]);
            for child in &children[..2] {
                child.wait(PATIENCE).expect("it goes");
            }
            // One of each round stays.
            setup.parent().processes().iter().for_each(|process| sync(&process));
            assert!(second.is_unloaded());
        }
    }
}

/// Waits until a process has handled all that was sent to it before; of the module `frames`.
fn sync_frames(process: &Process) {
    ask::<Vec<(FrameId, bool)>, _>(process, "frames", &());
}

every_process_transport! {
    /// A19: a process that is starting while the loader is unloaded unloads it as it comes, or does not know it.
    fn a_loader_is_unloaded_in_a_process_that_is_starting(transport) {
        let setup = Setup::new("a_loader_is_unloaded_in_a_process_that_is_starting", transport);
        setup.require("basics");
        // That it has been started may be known to the parent a little later than to itself.
        for _ in 0..5 {
            let second = loader(&setup, "second", &["unloading"]);
            let gate = Gate::new();
            let options = setup.options().program(MISFIT).argument("waits").argument(gate.address());
            let late = std::thread::scope(|scope| {
                let spawned = scope.spawn(|| setup.parent().processes().spawn_with(options).expect("it comes late"));
                let waiting = gate.arrival();
                second.unload("enough");
                sync(&setup.main());
                waiting.let_go();
                spawned.join().unwrap()
            });
            assert!(late.detached().is_none());
            setup.parent().processes().iter().for_each(|process| sync(&process));
            assert!(second.is_unloaded() && second.processes().is_empty());
        }
    }

    /// A19: a start that failed does not keep a loader from unloading, before or after it.
    fn a_start_that_failed_does_not_keep_a_loader_from_unloading(transport) {
        let setup = Setup::new("a_start_that_failed_does_not_keep_a_loader_from_unloading", transport);
        setup.require("basics");
        let misfit = |how: &str| ProcessOptions::new().program(MISFIT).argument(how);
        let second = loader(&setup, "second", &["basics"]);
        let error = setup.parent().processes().spawn_with(misfit("exits")).expect_err("it exits");
        assert!(matches!(error, StartError::Exited { .. }), "{error:?}");
        second.unload("enough");
        sync(&setup.main());
        assert!(second.is_unloaded());
        assert!(second.processes().is_empty());

        let third = loader(&setup, "third", &["basics"]);
        let gate = Gate::new();
        let options = misfit("says nothing").argument(gate.address());
        std::thread::scope(|scope| {
            let spawned = scope.spawn(|| setup.parent().processes().spawn_with(options));
            let waiting = gate.arrival();
            third.unload("enough");
            // It goes on, and ends without having said anything.
            waiting.let_go();
            assert!(spawned.join().unwrap().is_err());
        });
        sync(&setup.main());
        assert!(third.is_unloaded());
    }

    /// A19: a process that crashes while it unloads a loader does not keep it from being unloaded.
    fn a_process_that_crashes_while_it_unloads_is_not_waited_for(transport) {
        let setup = Setup::new("a_process_that_crashes_while_it_unloads_is_not_waited_for", transport);
        setup.require("basics");
        let second = loader(&setup, "second", &["unloading"]);
        let child = setup.spawn();
        seen_by(&second, &child).port().emit("exit when unloaded", &()).unwrap();
        second.unload("enough");
        assert_eq!(child.wait(PATIENCE), Some(DetachReason::Killed { signal: 6 }));
        sync(&setup.main());
        assert!(second.is_unloaded());
    }
}

/// A18: a closed parent makes no loaders, and unloading one of its loaders does no harm.
#[test]
fn a_closed_parent_makes_no_loaders() {
    let setup = Setup::new("a_closed_parent_makes_no_loaders", Transport::Memory);
    let second = loader(&setup, "second", &["basics"]);
    let child = setup.spawn();
    setup.close().unwrap();
    assert!(second.processes().is_empty());
    second.unload("too late");
    assert!(second.processes().port().emit("note", "to nobody").is_err());
    assert!(child.detached().is_some());
}
