//! What starts, and what does not. A start that fails is an error that says why, and the next one succeeds.

use std::time::Duration;

use remote_parent::{Deadlines, DetachReason, EmitError, ParentOptions, ProcessOptions, StartError, Transport};
use remote_protocol::state::Violation;
use tests::gate::Gate;

use crate::harness::{CHILD, MISFIT, PATIENCE, Setup, Watchdog, every_process_transport, every_transport, sync};

/// Long enough for a child that starts on a busy machine.
const SHORT: Duration = Duration::from_secs(2);

fn setup(name: &str, transport: Transport) -> Setup {
    Setup::with(name, transport, ParentOptions::new().version("1.0"))
}

fn misfit(transport: Transport, how: &str) -> ProcessOptions {
    ProcessOptions::new().program(MISFIT).transport(transport).argument(how)
}

/// Starting fails; nothing is left of it, and a good child starts.
#[track_caller]
fn fails(setup: &Setup, options: ProcessOptions) -> StartError {
    let processes = setup.parent().processes();
    let before = processes.len();
    let Err(error) = processes.spawn_with(options) else { panic!("it started") };
    assert_eq!(processes.len(), before);
    setup.require("basics");
    sync(&processes.spawn_with(misfit(setup.transport(), "is the same")).expect("a good child starts"));
    error
}

every_process_transport! {
    /// A1: a program that does not exist is an error that names it.
    fn a_program_that_does_not_exist_is_an_error_that_names_it(transport) {
        let setup = setup("a_program_that_does_not_exist_is_an_error_that_names_it", transport);
        let error = fails(&setup, ProcessOptions::new().program("/nowhere/to/be"));
        assert!(
            matches!(&error, StartError::Program { source, .. } if source.kind() == std::io::ErrorKind::NotFound),
            "{error:?}"
        );
        assert!(error.to_string().contains("/nowhere/to/be"), "{error}");
    }

    /// A8: a program that ends before it has said hello is an error that names it and says how it ended.
    fn a_program_that_ends_before_hello_is_an_error_that_says_how(transport) {
        let setup = setup("a_program_that_ends_before_hello_is_an_error_that_says_how", transport);
        let error = fails(&setup, misfit(transport, "exits"));
        assert!(matches!(&error, StartError::Exited { status, .. } if status.code() == Some(7)), "{error:?}");
        assert!(error.to_string().contains("tests-misfit"), "{error}");
        let error = fails(&setup, misfit(transport, "aborts"));
        assert!(matches!(&error, StartError::Exited { status, .. } if status.code().is_none()), "{error:?}");
    }

    /// A8: a program that connects and says something else than hello is killed, and is an error that says what was wrong.
    fn a_program_that_does_not_say_hello_is_killed(transport) {
        let setup = setup("a_program_that_does_not_say_hello_is_killed", transport);
        let error = fails(&setup, misfit(transport, "says garbage"));
        assert!(matches!(&error, StartError::Violation(Violation::Malformed(_))), "{error:?}");
    }

    /// A8: a child that breaks the protocol is killed, and its detach says which rule it broke; the others hear nothing of it.
    fn a_child_that_breaks_the_protocol_is_ended(transport) {
        let setup = setup("a_child_that_breaks_the_protocol_is_ended", transport);
        setup.require("basics");
        let witness = setup.parent().processes().spawn_with(misfit(transport, "is the same")).expect("a good child starts");
        let detached = setup.detaches();
        for (how, expected) in [("goes mad", "malformed message"), ("greets twice", "Hello")] {
            let bad = setup.parent().processes().spawn_with(misfit(transport, how)).expect("it says hello");
            let (process, reason) = detached.next();
            assert_eq!(process, bad);
            assert!(matches!(&reason, DetachReason::Violation(_)), "{reason:?}");
            assert!(reason.to_string().contains(expected), "{reason}");
            sync(&witness);
        }
        detached.none();
    }

    /// A8: a program that never says hello is killed at the deadline, and is an error that names it.
    fn hostile_20_a_program_that_never_says_hello_is_killed_at_the_deadline(transport) {
        let deadlines = Deadlines { start: SHORT, stop: PATIENCE, ..Deadlines::default() };
        let name = "hostile_20_a_program_that_never_says_hello_is_killed_at_the_deadline";
        let setup = Setup::impatient(name, transport, ParentOptions::new().deadlines(deadlines));
        let gate = Gate::new();
        let processes = setup.parent().processes();
        let error = processes.spawn_with(misfit(transport, "says nothing").argument(gate.address())).expect_err("it says nothing");
        assert!(matches!(&error, StartError::Deadline { after, .. } if *after == SHORT), "{error:?}");
        assert!(error.to_string().contains("tests-misfit"), "{error}");
        assert_eq!(processes.len(), 1);
        // To the end of its connection, which is that of its process.
        assert_eq!(gate.arrival().text(), "");
        setup.require("basics");
        sync(&setup.spawn());
    }

    /// A8: a child of another version is not started; the error names both, and the child's exit code says it.
    fn a_child_of_another_version_is_an_error_that_names_both(transport) {
        let setup = setup("a_child_of_another_version_is_an_error_that_names_both", transport);
        let error = fails(&setup, misfit(transport, "is newer"));
        let StartError::Version { child, parent } = &error else { panic!("{error:?}") };
        assert_eq!((&*child.application, &*parent.application), ("2.0", "1.0"));
        assert!(error.to_string().contains("2.0") && error.to_string().contains("1.0"), "{error}");
        let gate = Gate::new();
        let error = fails(&setup, misfit(transport, "tells").argument(gate.address()));
        assert!(matches!(error, StartError::Version { .. }), "{error:?}");
        assert_eq!(gate.arrival().text(), format!("{:?}", Some(remote_child::exit::VERSION)));
    }

    /// A20: this program does not call `remote_child::init`, so that it cannot be its own child: the error says what to do.
    fn a_program_without_init_cannot_be_its_own_child(transport) {
        let setup = setup("a_program_without_init_cannot_be_its_own_child", transport);
        assert!(!remote_child::is_initialised() && !remote_child::is_child());
        let error = fails(&setup, ProcessOptions::new());
        assert!(matches!(error, StartError::NotInitialised { .. }), "{error:?}");
        assert!(error.to_string().contains("remote_child::init()"), "{error}");
        assert!(setup.parent().processes().spawn().is_err());
    }

    /// A8: a process keeps the name it was given.
    fn a_process_keeps_its_name(transport) {
        let setup = setup("a_process_keeps_its_name", transport);
        let process = setup.parent().processes().spawn_with(misfit(transport, "is the same").name("renderer")).unwrap();
        assert_eq!(process.name(), Some("renderer"));
        assert_eq!(setup.main().name(), Some("main"));
    }
}

/// A20: a child's program that no parent started, or whose parent cannot be reached, ends and says so.
#[test]
fn a_child_without_a_parent_ends() {
    use std::process::{Command, Stdio};

    let _watchdog = Watchdog::start("a_child_without_a_parent_ends");
    let run = |arguments: &[&str]| {
        let status = Command::new(CHILD).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).status();
        status.expect("it starts").code()
    };
    let unreachable = Some(remote_child::exit::UNREACHABLE);
    assert_eq!(run(&[remote_child::CHILD_ARGUMENT]), unreachable);
    assert_eq!(run(&[remote_child::CHILD_ARGUMENT, "/nowhere/to/be"]), unreachable);
    assert_eq!(run(&[remote_child::CHILD_ARGUMENT, ""]), unreachable);
    // Without the argument `init` does nothing, and the program goes on.
    assert_eq!(run(&[]), Some(1));
}

every_transport! {
    /// A8: a parent that is closed starts nothing.
    fn a_closed_parent_starts_nothing(setup) {
        let processes = setup.parent().processes();
        let options = setup.options();
        let child = setup.spawn();
        setup.close().unwrap();
        let error = processes.spawn_with(options).expect_err("it is closed");
        assert!(matches!(error, StartError::ParentClosed), "{error:?}");
        assert!(processes.is_empty());
        assert!(child.detached().is_some());
        assert!(child.port().emit("note", "too late").is_err());
        assert_eq!(processes.port().emit("note", "to nobody"), Err(EmitError::ParentClosed));
    }

    /// A8: many are started at once, from many threads.
    fn many_are_started_at_once(setup) {
        setup.require("basics");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2 {
                        sync(&setup.spawn());
                    }
                });
            }
        });
        assert_eq!(setup.parent().processes().len(), 9);
    }
}
