//! Frames that move between processes, and frames that are there as early as they can be.

use std::sync::Arc;
use std::thread;

use remote_parent::{Frame, FrameId, FrameOptions, OpenError, Process};
use tests::gate::Gate;

use crate::harness::{Events, Log, PATIENCE, Setup, ask, every_transport, heard};

struct Window;

/// What happens to the frames from now on: which one, and whether it attached.
fn frames(setup: &Setup) -> Events<(Frame, bool)> {
    let (tell, events) = Events::new("attach or detach of a frame");
    let tell = Arc::new(tell);
    let own = Arc::clone(&tell);
    setup.parent().frames().on_attach(move |frame| own.tell((frame.clone(), true)));
    setup.parent().frames().on_detach(move |frame| tell.tell((frame.clone(), false)));
    events
}

/// The frames of a process as it sees them itself.
fn in_child(process: &Process) -> Vec<(FrameId, bool)> {
    ask(process, "frames", &())
}

fn open(setup: &Setup, process: &Process, window: &Arc<Window>) -> Frame {
    setup
        .parent()
        .frames()
        .open(process, FrameOptions::tab().element(Arc::clone(window)))
        .expect("the process is there")
}

every_transport! {
    /// A15: a frame that moves detaches, and a new one with the same element attaches in the other process.
    fn a_frame_that_moves_detaches_and_attaches_with_its_element(setup) {
        setup.require("frames");
        let (one, other, main) = (setup.spawn(), setup.spawn(), setup.main());
        let window = Arc::new(Window);
        let frames = frames(&setup);
        let mut frame = open(&setup, &one, &window);
        assert_eq!(frames.next(), (frame.clone(), true));
        for (from, to) in [(&one, &other), (&other, &main), (&main, &one), (&one, &one)] {
            assert_eq!(frame.process(), from);
            let kept = in_child(from);
            assert_eq!(kept, [(frame.id(), true)]);
            frame.port().emit("changeLocation", "#before").unwrap();
            frame.move_to(to).unwrap();
            assert_eq!(frames.next(), (frame.clone(), false));
            let (moved, attached) = frames.next();
            assert!(attached && !frame.is_attached() && moved.is_attached());
            assert_eq!(moved.process(), to);
            assert!(moved.is_tab() && Arc::ptr_eq(&moved.element::<Window>().unwrap(), &window));
            assert_eq!(setup.parent().frames().for_element(&window), Some(moved.clone()));
            assert_eq!(in_child(to), [(moved.id(), true)]);
            if from != to {
                assert_eq!(in_child(from), []);
            }
            let located = heard::<Frame, String>(&moved.port(), "located");
            moved.port().emit("changeLocation", "#after").unwrap();
            // It is a new one there.
            assert_eq!(located.next().1, "about:blank#after");
            assert!(frame.port().emit("changeLocation", "#gone").is_err());
            frame = moved;
        }
        assert_eq!(setup.parent().frames().len(), 1);
        frames.none();
    }

    /// A15: the old process hears that the frame detaches before the new one hears of it, and what it says last is heard.
    fn the_old_process_says_its_last_word_before_the_frame_attaches(setup) {
        setup.require("frames");
        let (one, other) = (setup.spawn(), setup.spawn());
        let window = Arc::new(Window);
        let frame = open(&setup, &one, &window);
        ask::<Vec<String>, _>(&one, "frame log", &());
        let frames = frames(&setup);
        frame.port().emit("note", "the last").unwrap();
        frame.move_to(&other).unwrap();
        assert_eq!(frames.take(2).last().map(|(frame, _)| frame.process().clone()), Some(other.clone()));
        let moved = setup.parent().frames().for_element(&window).unwrap();
        let log: Vec<String> = ask(&one, "frame log", &());
        let id = frame.id();
        let notes = ["own", "all"].map(|port| format!("{port}: {id} the last"));
        assert_eq!((&log[..2], &*log[2]), (&notes[..], &*format!("detach {id} about:blank")));
        let log: Vec<String> = ask(&other, "frame log", &());
        assert_eq!(log, [format!("attach {}", moved.id()), format!("every {}", moved.id())]);
    }

    /// A15: also when the old process is killed meanwhile.
    fn a_frame_moves_also_when_its_old_process_is_killed(setup) {
        setup.require("frames");
        setup.require("ending");
        let (one, other) = (setup.spawn(), setup.spawn());
        let window = Arc::new(Window);
        let frame = open(&setup, &one, &window);
        in_child(&one);
        let frames = frames(&setup);
        let gate = Gate::new();
        one.port().emit("get stuck", &gate.address()).unwrap();
        let waiting = gate.arrival();
        frame.move_to(&other).unwrap();
        assert_eq!(in_child(&other), []);
        frames.none();
        one.kill();
        assert_eq!(frames.next(), (frame, false));
        let (moved, attached) = frames.next();
        assert!(attached && moved.process() == &other);
        assert_eq!(setup.parent().frames().for_element(&window), Some(moved.clone()));
        assert_eq!(in_child(&other), [(moved.id(), true)]);
        waiting.let_go();
        one.wait(PATIENCE).expect("it is killed");
        frames.none();
    }

    /// A15: when the old process is closed, its detach comes after that of the frame, which is found in the new one by then.
    fn the_detach_of_the_old_process_comes_after_the_move(setup) {
        setup.require("frames");
        let (one, other) = (setup.spawn(), setup.spawn());
        let window = Arc::new(Window);
        let frame = open(&setup, &one, &window);
        let log = Log::default();
        let own = log.clone();
        setup.parent().frames().on_detach(move |_frame| own.push("frame"));
        let (own, all, shown) = (log.clone(), setup.parent().frames(), Arc::clone(&window));
        one.on_detach(move |_process, reason| {
            let now_in = all.for_element(&shown).map(|frame| frame.process().name().map(ToOwned::to_owned));
            own.push(format!("process {reason} {now_in:?}"));
        });
        let named = setup.parent().processes().spawn_with(setup.options().name("the new one")).unwrap();
        frame.move_to(&named).unwrap();
        one.close();
        one.wait(PATIENCE).expect("it closes");
        assert_eq!(log.take(), ["frame", r#"process closed Some(Some("the new one"))"#]);
        assert_eq!(in_child(&named).len(), 1);
        assert_eq!(in_child(&other), []);
    }

    /// A15: what is gone does not move, and nothing moves to what is gone.
    fn moving_from_or_to_what_is_gone_is_an_error(setup) {
        setup.require("frames");
        let (one, gone) = (setup.spawn(), setup.spawn());
        let window = Arc::new(Window);
        let frame = open(&setup, &one, &window);
        let lost = open(&setup, &gone, &window);
        gone.close();
        gone.wait(PATIENCE).expect("it closes");
        let frames = frames(&setup);
        assert_eq!(frame.move_to(&gone), Err(OpenError::Detached { process: gone.id() }));
        assert!(lost.move_to(&one).is_err());
        assert!(frame.is_attached());
        assert_eq!(in_child(&one), [(frame.id(), true)]);
        frames.none();
        frame.close();
        assert_eq!(frames.next(), (frame.clone(), false));
        in_child(&one);
        assert!(frame.move_to(&setup.main()).is_err());
        assert_eq!(in_child(&setup.main()), []);
        frames.none();
    }

    /// A15: a frame whose new process goes before it gets there is gone.
    fn a_frame_whose_new_process_goes_meanwhile_is_gone(setup) {
        setup.require("frames");
        setup.require("ending");
        let (one, other) = (setup.spawn(), setup.spawn());
        let window = Arc::new(Window);
        let frame = open(&setup, &one, &window);
        in_child(&one);
        let frames = frames(&setup);
        let gate = Gate::new();
        one.port().emit("get stuck", &gate.address()).unwrap();
        let waiting = gate.arrival();
        frame.move_to(&other).unwrap();
        other.kill();
        other.wait(PATIENCE).expect("it is killed");
        waiting.let_go();
        assert_eq!(frames.next(), (frame, false));
        in_child(&one);
        frames.none();
        assert_eq!(setup.parent().frames().for_element(&window), None);
    }

    /// A15: a frame that its own process closes just as it is moved either moves or does not, and the caller is told which.
    fn a_frame_that_closes_as_it_is_moved_moves_or_says_that_it_does_not(setup) {
        setup.require("frames");
        let (one, other) = (setup.spawn(), setup.spawn());
        for _ in 0..30 {
            let window = Arc::new(Window);
            let frame = open(&setup, &one, &window);
            in_child(&one);
            one.port().emit("close frame", &frame.id()).unwrap();
            let moved = frame.move_to(&other).is_ok();
            in_child(&one);
            let found = setup.parent().frames().for_element(&window);
            assert_eq!(found.is_some(), moved);
            assert!(!frame.is_attached());
            if let Some(found) = found {
                found.close();
            }
            assert_eq!(in_child(&other), []);
        }
    }

    /// A16: a frame that a module registers as it loads attaches after its process, and before what is said on it.
    fn a_frame_registered_while_loading_attaches_after_its_process(setup) {
        let log = Events::new("attach or event");
        let (tell, events) = (Arc::new(log.0), log.1);
        let (own, processes) = (Arc::clone(&tell), setup.parent().processes());
        processes.on_attach(move |process| own.tell((process.id(), "process".to_owned())));
        let (own, all) = (Arc::clone(&tell), setup.parent().processes());
        setup.parent().frames().on_attach(move |frame| {
            let known = all.get(frame.process().id()).is_some() && frame.is_attached() && frame.is_tab();
            own.tell((frame.process().id(), format!("frame {known}")));
        });
        let own = Arc::clone(&tell);
        setup.parent().frames().port().on("registered while loading", move |frame: &Frame, id: FrameId| {
            own.tell((frame.process().id(), format!("event {}", frame.id() == id)));
        });
        let own = Arc::clone(&tell);
        setup.parent().frames().port().on("seen by the module", move |frame, content: bool| {
            own.tell((frame.process().id(), format!("seen {content}")));
        });
        let own = Arc::clone(&tell);
        processes.port().on("registered", move |process, _: FrameId| own.tell((process.id(), "registered".to_owned())));
        setup.require("registering");
        let expected = ["process", "frame true", "event true", "seen true", "registered"];
        // The main process has attached before.
        let of_main: Vec<_> = events.take(4).into_iter().map(|(id, text)| (id == setup.main().id(), text)).collect();
        assert_eq!(of_main, expected[1..].iter().map(|text| (true, (*text).to_owned())).collect::<Vec<_>>());
        let children: Vec<Process> = thread::scope(|scope| {
            let spawned: Vec<_> = (0..4).map(|_| scope.spawn(|| setup.spawn())).collect();
            spawned.into_iter().map(|spawned| spawned.join().unwrap()).collect()
        });
        let told = events.take(children.len() * expected.len());
        for child in &children {
            let of_child = told.iter().filter(|(id, _)| *id == child.id());
            let of_child: Vec<&str> = of_child.map(|(_, text)| &**text).collect();
            assert_eq!(of_child, expected);
        }
        assert_eq!(setup.parent().frames().len(), 5);
    }

    /// A16: a frame that is opened as early as can be is seen by the modules, and by nobody twice.
    fn a_frame_opened_as_its_process_attaches_is_seen_by_the_modules(setup) {
        let frames = setup.parent().frames();
        let (tell, attached) = Events::new("attach");
        frames.on_attach(move |frame| tell.tell(frame.id()));
        let opening = frames.clone();
        setup.parent().processes().on_attach(move |process| {
            opening.open(process, FrameOptions::new()).expect("the process is there");
        });
        let seen = heard::<Frame, bool>(&frames.port(), "seen by the module");
        // Each time the frames of its process: one opened as it attached, one opened then, and the module's own.
        let told = |count: usize| {
            let (mut ids, seen) = (attached.take(count), seen.take(count));
            let mut seen_ids: Vec<_> = seen.iter().map(|(frame, _)| frame.id()).collect();
            ids.sort();
            seen_ids.sort();
            assert_eq!(seen_ids, ids);
            seen
        };
        setup.require("registering");
        assert!(told(1)[0].1);
        for _ in 0..3 {
            let child = setup.spawn();
            let opened = frames.open(&child, FrameOptions::new()).unwrap();
            let seen = told(3);
            assert!(seen.contains(&(opened, false)) && seen.iter().all(|(frame, _)| frame.process() == &child));
            assert_eq!(seen.iter().filter(|(_, content)| *content).count(), 1);
        }
        seen.none();
        attached.none();
    }
}
