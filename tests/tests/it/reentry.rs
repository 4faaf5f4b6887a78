//! Listeners may do anything: nothing of ours is held while they run, so that nothing hangs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use remote_parent::{DetachReason, EmitError, FrameOptions, Process, ProcessId, Transport};

use crate::harness::{Events, PATIENCE, Setup, Watchdog, ask, every_transport, heard, sync, with_transports};

/// What a listener has at hand.
struct Stage {
    setup: Mutex<Option<Setup>>,
    processes: remote_parent::Processes,
    frames: remote_parent::Frames,
    options: remote_parent::ProcessOptions,
    /// Another process than the one that is told of.
    other: Process,
    seen: Mutex<Vec<(ProcessId, ProcessId)>>,
}

type Action = fn(&Arc<Stage>, &Process);

/// Where a listener is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Event,
    EventOfAll,
    Attach,
    Detach,
    OwnDetach,
    FrameAttach,
    FrameDetach,
    OwnFrameDetach,
    Error,
}

const PLACES: [Place; 9] = [
    Place::Event,
    Place::EventOfAll,
    Place::Attach,
    Place::Detach,
    Place::OwnDetach,
    Place::FrameAttach,
    Place::FrameDetach,
    Place::OwnFrameDetach,
    Place::Error,
];

impl Place {
    /// Has a listener called here do something, once, and waits until it has.
    fn act(self, name: &str, transport: Transport, action: Action) {
        let name = format!("{name} at {self:?}");
        let _watchdog = Watchdog::start(&name);
        let setup = Setup::new(&name, transport);
        for module in ["reentry", "basics", "misuse"] {
            setup.require(module);
        }
        let (processes, frames) = (setup.parent().processes(), setup.parent().frames());
        let (options, other) = (setup.options(), setup.spawn());
        // Its loading is over.
        sync(&other);
        let child = (self != Self::Attach).then(|| setup.spawn());
        let stage = Arc::new(Stage {
            setup: Mutex::default(),
            processes: processes.clone(),
            frames: frames.clone(),
            options: options.clone(),
            other,
            seen: Mutex::default(),
        });
        *stage.setup.lock().unwrap() = Some(setup);
        let (tell, acted) = Events::new("acted");
        let (own, done) = (Arc::clone(&stage), AtomicBool::new(false));
        let act = move |process: &Process| {
            if !done.swap(true, Ordering::SeqCst) {
                action(&own, process);
                tell.tell(());
            }
        };
        match &child {
            None => {
                processes.on_attach(act);
                // The action may have ended it, or the parent.
                drop(processes.spawn_with(options));
            }
            Some(child) => self.listen_and_provoke(&stage, child, act),
        }
        acted.next();
        let left = stage.setup.lock().unwrap().take();
        if let Some(setup) = left {
            let fresh = setup.spawn();
            sync(&fresh);
            sync(&setup.main());
        }
    }

    fn listen_and_provoke(self, stage: &Stage, child: &Process, act: impl Fn(&Process) + Send + Sync + 'static) {
        let Stage { processes, frames, .. } = stage;
        let go = || child.port().emit("go", &()).unwrap();
        match self {
            Self::Attach => unreachable!("there is no child yet"),
            Self::Event => {
                child.port().on("gone to", move |process, ()| act(process));
                go();
            }
            Self::EventOfAll => {
                processes.port().on("gone to", move |process, ()| act(process));
                go();
            }
            Self::Detach => {
                processes.on_detach(move |process, _reason| act(process));
                child.close();
            }
            Self::OwnDetach => {
                child.on_detach(move |process, _reason| act(process));
                child.close();
            }
            Self::FrameAttach => {
                frames.on_attach(move |frame| act(frame.process()));
                child.port().emit("register one", &()).unwrap();
            }
            Self::FrameDetach => {
                frames.on_detach(move |frame| act(frame.process()));
                child.port().emit("register one", &()).unwrap();
            }
            Self::OwnFrameDetach => {
                let frame = frames.open(child, FrameOptions::new()).unwrap();
                frame.on_detach(move |frame| act(frame.process()));
                frame.close();
            }
            Self::Error => {
                processes.on_error(move |process, _error| act(process));
                child.port().emit("explode", &()).unwrap();
            }
        }
    }
}

/// One test for each thing that a listener may do, with each transport; in all places.
macro_rules! listeners_may {
    ($($(#[$attribute:meta])* $name:ident($stage:ident, $process:ident) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn action($stage: &Arc<Stage>, $process: &Process) $body

            with_transports!(transport => {
                PLACES.iter().for_each(|place| place.act(stringify!($name), transport, action));
            });
        }
    )+};
}

listeners_may! {
    /// A4: add listeners and remove them, also those that are being told.
    change_listeners(stage, process) {
        let port = process.port();
        for port in [&port, &stage.processes.port()] {
            let id = port.on("gone to", |_process, ()| {});
            assert!(port.off(id) && !port.off(id));
            port.once("gone to", |_process, ()| {});
            port.on("gone to", |_process, ()| {});
        }
        let id = stage.processes.on_attach(|_process| {});
        assert!(stage.processes.off_attach(id));
        let id = stage.processes.on_detach(|_process, _reason| {});
        assert!(stage.processes.off_detach(id));
        let id = stage.processes.on_error(|_process, _error| {});
        assert!(stage.processes.off_error(id));
        let id = stage.processes.on_unresponsive(|_process| {});
        assert!(stage.processes.off_responsive(id));
        stage.frames.on_attach(|_frame| {});
        stage.frames.on_detach(|_frame| {});
        process.on_detach(|_process, _reason| {});
    }

    /// A4: send events, to the same process, to another one and to all.
    emit(stage, process) {
        // It may be gone.
        let _ = process.port().emit("told", &());
        stage.other.port().emit("told", &()).unwrap();
        stage.processes.port().emit("told", &()).unwrap();
        stage.frames.port().emit("told", &()).unwrap();
        // The other one answers, though this thread may be busy.
        sync(&stage.other);
    }

    /// A11: open frames and close them, in the same process and in another one.
    open_and_close_frames(stage, process) {
        for process in [process, &stage.other] {
            let Ok(frame) = stage.frames.open(process, FrameOptions::tab()) else { continue };
            let _ = frame.port().emit("told", &());
            assert!(stage.frames.get(frame.id()).is_some());
            if process == &stage.other {
                let _ = frame.move_to(&stage.processes.main().unwrap());
            }
            frame.close();
            frame.close();
        }
        stage.frames.iter().for_each(|frame| frame.close());
    }

    /// A8: start a process, talk with it, and end it.
    start_a_process(stage, _process) {
        let fresh = stage.processes.spawn_with(stage.options.clone()).unwrap();
        sync(&fresh);
        fresh.close();
        assert_eq!(fresh.wait(PATIENCE), Some(DetachReason::Closed));
        stage.processes.spawn_with(stage.options.clone()).unwrap().kill();
    }

    /// A8: close the process that is told of, and another one, and wait for that.
    close_processes(stage, process) {
        process.close();
        process.close();
        stage.other.close();
        assert_eq!(stage.other.wait(PATIENCE), Some(DetachReason::Closed));
        // Nobody can tell while this listener runs.
        let _ = process.wait(PATIENCE);
    }

    /// A8: kill the process that is told of, and another one.
    kill_processes(stage, process) {
        process.kill();
        stage.other.kill();
        assert!(stage.other.wait(PATIENCE).is_some());
        assert!(matches!(stage.other.port().emit("told", &()), Err(EmitError::Detached { .. })));
        assert!(stage.frames.open(&stage.other, FrameOptions::new()).is_err());
    }

    /// A7: ask for every process and frame, in the midst of being asked; each is told once.
    nest_for_every(stage, _process) {
        let count = stage.processes.len();
        let own = Arc::clone(stage);
        let outer = stage.processes.for_every(move |process| {
            let (other, outer) = (Arc::clone(&own), process.id());
            let inner = own.processes.for_every(move |process| {
                other.seen.lock().unwrap().push((outer, process.id()));
                other.frames.for_every(|_frame| {});
            });
            assert!(own.processes.off_attach(inner));
        });
        assert!(stage.processes.off_attach(outer));
        let mut seen = stage.seen.lock().unwrap().clone();
        assert_eq!(seen.len(), count * count, "{seen:?}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count * count);
    }

    /// A18: make a loader, use it and unload it.
    make_and_unload_a_loader(stage, process) {
        let setup = stage.setup.lock().unwrap();
        let loader = setup.as_ref().unwrap().parent().loader("within").unwrap();
        drop(setup);
        let fresh = heard::<Process, ()>(&loader.processes().port(), "heard of it");
        loader.remote_require("tests::modules::reentry", remote_parent::this_module!()).unwrap();
        let other = loader.processes().get(stage.other.id()).unwrap();
        other.port().emit("told", &()).unwrap();
        assert_eq!(fresh.next().0, stage.other);
        loader.unload("within");
        assert_eq!(other.port().emit("told", &()), Err(EmitError::Unloaded));
        let _ = process.port().emit("told", &());
    }

    /// A8: drop the parent, which ends all processes, the one that is told of among them.
    drop_the_parent(stage, process) {
        let setup = stage.setup.lock().unwrap().take().unwrap();
        setup.drop_parent();
        assert!(stage.other.detached().is_some());
        assert!(process.port().emit("told", &()).is_err());
        assert!(stage.processes.spawn_with(stage.options.clone()).is_err());
    }
}

every_transport! {
    /// A8: a listener that holds the only handles to its process, and drops them.
    fn a_listener_may_drop_the_last_handle_to_its_process(setup) {
        setup.require("reentry");
        let detached = setup.detaches();
        let child = setup.spawn();
        let (tell, acted) = Events::new("acted");
        let held = Arc::new(Mutex::new(Some(child.clone())));
        child.port().on("gone to", move |process, ()| {
            let held = held.lock().unwrap().take();
            process.close();
            drop(held);
            tell.tell(());
        });
        child.port().emit("go", &()).unwrap();
        drop(child);
        acted.next();
        assert_eq!(detached.next().1, DetachReason::Closed);
    }

    /// A4: a listener that removes itself is not called again; what it held is dropped, which may remove others.
    fn a_listener_may_remove_itself(setup) {
        setup.require("reentry");
        setup.require("basics");
        let child = setup.spawn();
        let (tell, called) = Events::new("called");
        let itself = Arc::new(Mutex::new(None));
        let own = Arc::clone(&itself);
        let id = child.port().on("gone to", move |process, ()| {
            let id = own.lock().unwrap().take().expect("it is called once");
            assert!(process.port().off(id) && !process.port().off(id));
            tell.tell(());
        });
        *itself.lock().unwrap() = Some(id);
        for _ in 0..3 {
            child.port().emit("go", &()).unwrap();
        }
        sync(&child);
        called.next();
        called.none();
    }

    /// A4: the listeners of a child may add, remove and close what they are called by.
    fn listeners_in_a_child_may_change_everything(setup) {
        setup.require("reentry");
        setup.require("basics");
        let errors = setup.errors();
        for child in [setup.main(), setup.spawn()] {
            for change in ["change listeners", "change frames", "for every in for every"] {
                ask::<(), _>(&child, change, &());
            }
            sync(&child);
        }
        assert!(setup.parent().frames().is_empty());
        errors.none();
    }

    /// A8: a child may close itself within a listener of a frame; what it said until then is heard.
    fn a_child_may_close_itself_within_a_listener(setup) {
        setup.require("reentry");
        let child = setup.spawn();
        let closing = heard::<Process, ()>(&child.port(), "closing");
        child.port().emit("close within", &()).unwrap();
        closing.next();
        assert_eq!(child.wait(PATIENCE), Some(DetachReason::Closed));
        assert!(setup.parent().frames().is_empty());
    }

    /// A19: a handler for the unloading may register and close things; nothing hangs, nothing is left.
    fn a_child_may_register_while_it_is_unloaded(setup) {
        setup.require("reentry");
        setup.require("basics");
        let child = setup.spawn();
        child.port().emit("register while unloading", &()).unwrap();
        sync(&child);
        child.close();
        assert_eq!(child.wait(PATIENCE), Some(DetachReason::Closed));
        assert!(setup.parent().frames().is_empty());
    }
}
