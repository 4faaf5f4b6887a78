//! Processes that are started again.

use std::time::Duration;
#[cfg(unix)]
use std::{env, fs, path::PathBuf};

use remote_parent::{DetachReason, FrameOptions, Process, ProcessError, ProcessId, Restart, Transport, this_module};
use tests::gate::Gate;

#[cfg(unix)]
use crate::harness::CHILD;
use crate::harness::{Events, PATIENCE, Setup, ask, every_process_transport, every_transport, heard, sync, unique};

fn setup(name: &str, transport: Transport) -> Setup {
    let setup = Setup::new(name, transport);
    for module in ["ending", "surroundings", "basics"] {
        setup.require(module);
    }
    setup
}

const fn on_crash(limit: u32) -> Restart {
    // Longer than any test takes.
    Restart::OnCrash { limit, within: Duration::from_secs(600) }
}

fn attaches(setup: &Setup) -> Events<Process> {
    let (tell, events) = Events::new("attach");
    setup.parent().processes().on_attach(move |process| tell.tell(process.clone()));
    events
}

/// Has a process abort.
#[track_caller]
fn crash(process: &Process) {
    process.port().emit("exit after", &(-1, 0)).expect("it is there");
    assert_eq!(process.wait(PATIENCE), Some(DetachReason::Killed { signal: 6 }));
}

#[track_caller]
fn not_restarted(errors: &Events<(ProcessId, ProcessError)>, process: &Process) -> String {
    let (id, error) = errors.next();
    assert_eq!(id, process.id());
    let ProcessError::NotRestarted { reason } = error else { panic!("{error:?}") };
    reason
}

every_process_transport! {
    /// A21: a process that crashes is started again, as another process with the same options, and its modules are loaded anew.
    fn a_process_that_crashes_is_started_again_with_its_options(transport) {
        let setup = setup("a_process_that_crashes_is_started_again_with_its_options", transport);
        let loaded = heard::<Process, String>(&setup.parent().processes().port(), "loaded");
        setup.require("loading::first");
        assert_eq!(loaded.next().0, setup.main());
        let attached = attaches(&setup);
        let options =
            setup.options().name("worker").argument("again").environment("TESTS_GIVEN", "again").restart(on_crash(3));
        let mut process = setup.parent().processes().spawn_with(options).unwrap();
        assert_eq!((attached.next(), loaded.next().0), (process.clone(), process.clone()));
        for _ in 0..3 {
            crash(&process);
            let next = attached.next();
            assert!(next != process && next.id() != process.id());
            assert_eq!((next.name(), next.is_remote()), (Some("worker"), true));
            assert_eq!(loaded.next(), (next.clone(), "first".to_owned()));
            assert_eq!(ask::<Vec<String>, _>(&next, "arguments", &())[3..], ["again"]);
            let environment: Vec<(String, String)> = ask(&next, "environment", &());
            assert!(environment.contains(&("TESTS_GIVEN".to_owned(), "again".to_owned())));
            assert_eq!(setup.parent().processes().iter().collect::<Vec<_>>(), [setup.main(), next.clone()]);
            assert!(process.port().emit("note", &()).is_err());
            process = next;
        }
        loaded.none();
        attached.none();
    }

    /// A21: past the limit that is reported, and that is all.
    fn past_the_limit_a_process_is_not_started_again(transport) {
        let setup = setup("past_the_limit_a_process_is_not_started_again", transport);
        let (attached, errors) = (attaches(&setup), setup.errors());
        for limit in [2, 0] {
            let options = setup.options().name("worker").restart(on_crash(limit));
            let mut process = setup.parent().processes().spawn_with(options).unwrap();
            assert_eq!(attached.next(), process);
            for _ in 0..limit {
                crash(&process);
                process = attached.next();
            }
            errors.none();
            crash(&process);
            let reason = not_restarted(&errors, &process);
            assert!(reason.contains(&format!("{limit} times")), "{reason}");
            assert_eq!(setup.parent().processes().len(), 1);
            sync(&setup.main());
        }
        sync(&setup.spawn());
        attached.next();
        attached.none();
        errors.none();
    }

    /// A21: what happened longer ago than the policy says does not count.
    fn restarts_of_long_ago_do_not_count(transport) {
        let setup = setup("restarts_of_long_ago_do_not_count", transport);
        let (attached, errors) = (attaches(&setup), setup.errors());
        let restart = Restart::OnCrash { limit: 1, within: Duration::from_nanos(1) };
        setup.parent().processes().spawn_with(setup.options().restart(restart)).unwrap();
        for _ in 0..4 {
            crash(&attached.next());
        }
        sync(&attached.next());
        errors.none();
    }

    /// A21: one whose exit code says that something went wrong crashed, too.
    fn a_process_that_exits_with_an_error_is_started_again(transport) {
        let setup = setup("a_process_that_exits_with_an_error_is_started_again", transport);
        let attached = attaches(&setup);
        let process = setup.parent().processes().spawn_with(setup.options().restart(on_crash(1))).unwrap();
        attached.next();
        process.port().emit("exit after", &(3, 0)).unwrap();
        assert_eq!(process.wait(PATIENCE), Some(DetachReason::Exited { code: 3 }));
        sync(&attached.next());
    }

    /// A21: one that was asked to end, that exits in peace, or that has no policy, is not started again.
    fn a_process_that_did_not_crash_is_not_started_again(transport) {
        let setup = setup("a_process_that_did_not_crash_is_not_started_again", transport);
        let (attached, errors) = (attaches(&setup), setup.errors());
        let gate = Gate::new();
        type End<'a> = Box<dyn Fn(&Process) + 'a>;
        let ends: [(End<'_>, DetachReason); 4] = [
            (Box::new(Process::close), DetachReason::Closed),
            (Box::new(|process| process.port().emit("close yourself", &()).unwrap()), DetachReason::Closed),
            (Box::new(|process| process.port().emit("exit after", &(0, 0)).unwrap()), DetachReason::Exited { code: 0 }),
            (
                Box::new(|process| {
                    process.port().emit("get stuck", &gate.address()).unwrap();
                    let waiting = gate.arrival();
                    process.close_within(Duration::from_millis(50));
                    assert_eq!(waiting.text(), "");
                }),
                DetachReason::Unresponsive,
            ),
        ];
        for (end, reason) in &ends {
            let process = setup.parent().processes().spawn_with(setup.options().restart(on_crash(5))).unwrap();
            assert_eq!(attached.next(), process);
            end(&process);
            assert_eq!(process.wait(PATIENCE).as_ref(), Some(reason));
        }
        let process = setup.spawn();
        assert_eq!(attached.next(), process);
        crash(&process);
        // Another one would have been started before this one.
        let last = setup.spawn();
        assert_eq!(attached.next(), last);
        assert_eq!(setup.parent().processes().len(), 2);
        setup.close().unwrap();
        attached.none();
        errors.none();
    }

    /// A21: a start that fails is reported; nothing is tried for ever.
    #[cfg(unix)]
    fn a_start_that_fails_is_reported(transport) {
        let setup = setup("a_start_that_fails_is_reported", transport);
        let errors = setup.errors();
        let program = Link::new();
        let options = setup.options().program(&program.0).restart(on_crash(5));
        let process = setup.parent().processes().spawn_with(options).unwrap();
        fs::remove_file(&program.0).unwrap();
        crash(&process);
        let reason = not_restarted(&errors, &process);
        assert!(reason.contains("cannot start") && reason.contains("tests-link"), "{reason}");
        sync(&setup.main());
        errors.none();
    }
}

/// Another name of the child's program, to be taken away.
#[cfg(unix)]
struct Link(PathBuf);

#[cfg(unix)]
impl Link {
    fn new() -> Self {
        let path = env::temp_dir().join(unique("tests-link"));
        std::os::unix::fs::symlink(CHILD, &path).expect("it can be linked to");
        Self(path)
    }
}

#[cfg(unix)]
impl Drop for Link {
    fn drop(&mut self) {
        // It is gone already, unless the test failed.
        let _ = fs::remove_file(&self.0);
    }
}

every_process_transport! {
    /// A21: each loader hears of the new process and has its modules there, but for those that have been unloaded; frames do not come back.
    fn each_loader_has_its_modules_in_the_new_process(transport) {
        let setup = setup("each_loader_has_its_modules_in_the_new_process", transport);
        let loaders = ["second", "third"].map(|name| setup.parent().loader(name).unwrap());
        let loaded = loaders.each_ref().map(|loader| {
            let loaded = heard::<Process, String>(&loader.processes().port(), "loaded");
            loader.remote_require("tests::modules::loading::first", this_module!()).unwrap();
            assert_eq!(loaded.next().0, setup.main());
            loaded
        });
        let process = setup.parent().processes().spawn_with(setup.options().restart(on_crash(1))).unwrap();
        for loaded in &loaded {
            assert_eq!(loaded.next().0, process);
        }
        setup.parent().frames().open(&process, FrameOptions::tab()).unwrap();
        let attached = loaders.each_ref().map(|loader| {
            let (tell, events) = Events::new("attach");
            loader.processes().on_attach(move |process| tell.tell(process.clone()));
            events
        });
        loaders[1].unload("enough");
        crash(&process);
        let again = attached[0].next();
        assert_eq!(loaded[0].next(), (again.clone(), "first".to_owned()));
        sync(&setup.parent().processes().get(again.id()).expect("the first loader sees it, too"));
        sync(&setup.main());
        assert!(loaders[1].is_unloaded() && setup.parent().frames().is_empty());
        attached[1].none();
        loaded[1].none();
    }

    /// A21: the parent waits for those that are started again, too.
    fn the_parent_waits_for_what_is_started_again(transport) {
        let setup = setup("the_parent_waits_for_what_is_started_again", transport);
        let detached = setup.detaches();
        setup.parent().processes().on_attach(|process| {
            // The second one closes itself.
            if process.id().serial() == 2 {
                process.port().emit("close yourself", &()).expect("it is there");
            }
        });
        let process = setup.parent().processes().spawn_with(setup.options().restart(on_crash(1))).unwrap();
        process.port().emit("exit after", &(-1, 0)).unwrap();
        setup.parent().wait();
        let reasons: Vec<DetachReason> = detached.so_far().into_iter().map(|(_, reason)| reason).collect();
        assert_eq!(reasons, [DetachReason::Killed { signal: 6 }, DetachReason::Closed]);
    }

    /// A21: a parent that is closed starts nothing again, whatever it is doing.
    fn a_parent_that_is_closed_starts_nothing_again(transport) {
        for round in 0..5 {
            let setup = setup("a_parent_that_is_closed_starts_nothing_again", transport);
            let children = [(); 2].map(|()| {
                let options = setup.options().restart(Restart::OnCrash { limit: u32::MAX, within: PATIENCE });
                setup.parent().processes().spawn_with(options).unwrap()
            });
            for child in &children {
                child.port().emit("exit after", &(-1, 0)).unwrap();
            }
            if round % 2 == 0 {
                children[0].wait(PATIENCE).expect("it crashes");
            }
            let processes = setup.parent().processes();
            setup.close().unwrap();
            assert!(processes.is_empty());
            assert!(children.iter().all(|child| child.detached().is_some()));
        }
    }
}

every_transport! {
    /// A21: a process can be started again by hand, also by who hears that it is gone; its modules are loaded anew.
    fn a_process_is_started_again_by_hand(setup) {
        setup.require("ports");
        let options = setup.options().name("worker");
        let process = setup.parent().processes().spawn_with(options.clone()).unwrap();
        ask::<Vec<String>, _>(&process, "heard", &());
        let (tell, again) = Events::new("started again");
        let processes = setup.parent().processes();
        process.on_detach(move |_process, _reason| {
            tell.tell(processes.spawn_with(options.clone()).expect("it starts"));
        });
        process.kill();
        let again = again.next();
        process.wait(PATIENCE).expect("it was killed");
        assert!(again != process && again.name() == Some("worker"));
        again.port().emit("note", "to the new one").unwrap();
        assert_eq!(
            ask::<Vec<String>, _>(&again, "heard", &()),
            ["to the new one", "once to the new one", "silenced to the new one"]
        );
    }
}
