//! The parent's objects, used from elsewhere.

use std::sync::Arc;

use remote_object::{CallError, ExportError, Exports};
use tests::bodies::{BODIES, Stage};
use tests::interfaces::{Item, Workshop};
use tests::objects::{Objects, this_thread};

use crate::harness::{Setup, ask, every_transport, everywhere, try_ask};

fn in_the_main_process(setup: &Setup, name: &str) {
    let _objects = Objects::served(setup.parent());
    setup.require("objects");
    ask::<(), _>(&setup.main(), "body", name);
}

fn local(name: &str) {
    let objects = Objects::new();
    let Objects { workshop, mirror, failing, shapes, .. } = &objects;
    let (_, body) = BODIES.iter().find(|(body, _)| *body == name).unwrap();
    body(Stage { workshop: &**workshop, mirror: &**mirror, failing: &**failing, shapes: &**shapes }).unwrap();
}

fn in_a_child(setup: &Setup, name: &str) {
    let objects = Objects::served(setup.parent());
    setup.require("objects");
    let child = setup.spawn();
    ask::<(), _>(&child, "body", name);
    // What it used has been given back.
    child.close();
    child.wait(crate::harness::PATIENCE).expect("it goes");
    assert_eq!(objects.exports.alive().objects, 0);
}

everywhere! {
    local;
    /// B4: what calls carry arrives unchanged, in both directions.
    values_of_all_kinds_travel_unchanged
    /// B4: NaNs keep their sign and their payload.
    nans_keep_sign_and_payload
    /// B5: what is passed back is the original, also after it was a plain `Arc`.
    an_object_passed_back_arrives_as_the_original
    /// B5: two getters for one thing give equal proxies.
    two_getters_for_one_thing_give_equal_objects
    /// B5: a proxy is used from any thread, from many at once.
    objects_are_used_from_many_threads_at_once
    /// B13: an application's own error arrives as its own type, with its cause.
    an_error_arrives_as_the_type_it_is
    /// B13: of an error that does not travel, its kind, message and causes do.
    a_report_keeps_kind_message_and_causes
    /// B20: an interface of any shape that the macro takes is the same wherever it is called from.
    interfaces_of_all_shapes_are_called
}

every_transport! {
    /// B1: asking twice for what is exported gives the same object, as a module and as a global.
    fn requiring_twice_gives_the_same_object(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("objects");
        for process in [setup.main(), setup.spawn()] {
            ask::<(), _>(&process, "require twice", &());
        }
    }

    /// B1: an unknown name is an error that names it; modules and globals are named apart.
    fn an_unknown_name_is_an_error_that_names_it(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("objects");
        for process in [setup.main(), setup.spawn()] {
            for (event, name) in [("require", "nothing"), ("require", "workshop-of-all"), ("global", "workshop")] {
                let error = ask::<Result<(), CallError>, _>(&process, event, name).unwrap_err();
                assert!(matches!(&error, CallError::NoSuchExport { root } if root.contains(name)), "{error:?}");
                assert!(error.to_string().contains(name), "{error}");
            }
            assert_eq!(ask::<Result<(), CallError>, _>(&process, "require", "workshop"), Ok(()));
        }
    }

    /// B1: another interface than was asked for is an error that names both.
    fn another_interface_is_an_error_that_names_both(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("objects");
        for process in [setup.main(), setup.spawn()] {
            let error = ask::<Result<(), CallError>, _>(&process, "require", "mirror").unwrap_err();
            let CallError::WrongInterface { root, expected, found } = &error else { panic!("{error:?}") };
            assert!(root.contains("mirror"), "{root}");
            assert_eq!((&**expected, &**found), ("Workshop", "Mirror"));
        }
    }

    /// B1: what is exported is found by a supertrait of its interface as well.
    fn a_supertrait_is_an_interface_to_ask_for(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("objects");
        for process in [setup.main(), setup.spawn()] {
            let wrong: (String, String) = ask(&process, "require by supertrait", &());
            assert_eq!(wrong, ("Shape".to_owned(), "Shapes".to_owned()));
        }
    }

    /// B1: where nothing is exported, that is the error.
    fn a_parent_without_exports_says_so(setup) {
        setup.require("objects");
        for process in [setup.main(), setup.spawn()] {
            let error = ask::<Result<(), CallError>, _>(&process, "require", "workshop").unwrap_err();
            assert!(matches!(&error, CallError::NotServed { asked } if asked.contains("workshop")), "{error:?}");
        }
    }

    /// B1: what is exported later is found, and by processes that were there before.
    fn what_is_exported_later_is_found(setup) {
        let exports = Exports::new();
        setup.require("objects");
        let child = setup.spawn();
        exports.serve(setup.parent()).expect("nothing else is served");
        let objects = Objects::new();
        assert!(ask::<Result<(), CallError>, _>(&child, "require", "late").is_err());
        exports.module("late", Arc::clone(&objects.workshop)).unwrap();
        assert_eq!(ask::<Result<(), CallError>, _>(&child, "require", "late"), Ok(()));
        assert_eq!(ask::<Result<(), CallError>, _>(&setup.main(), "require", "late"), Ok(()));
    }

    /// B3: what a constructor makes lives in the parent, for as long as the child holds a reference to it.
    fn a_constructed_object_lives_in_the_parent(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("objects");
        let child = setup.spawn();
        ask::<(), _>(&child, "make and keep", &("saw", 1));
        assert!(objects.hall.has("saw"));
        assert_eq!(ask::<Vec<String>, _>(&child, "use kept", &()), ["saw"]);
        assert!(objects.hall.has("saw"));
        ask::<(), _>(&child, "drop one", &());
        assert_eq!(objects.dropped.recv(), Ok("saw".to_owned()));
        assert!(!objects.hall.has("saw"));
    }

    /// B6: while one proxy lives, the object lives; when the last is dropped it goes, with nothing else needed.
    fn an_object_goes_with_its_last_proxy(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("objects");
        let child = setup.spawn();
        ask::<(), _>(&child, "make and keep", &("hammer", 3));
        for left in [2, 1] {
            ask::<(), _>(&child, "drop one", &());
            assert_eq!(ask::<Vec<String>, _>(&child, "use kept", &()).len(), left);
            assert!(objects.dropped.try_recv().is_err());
        }
        ask::<(), _>(&child, "drop one", &());
        assert_eq!(objects.dropped.recv(), Ok("hammer".to_owned()));
        ask::<(), _>(&child, "make and drop", "saw");
        assert_eq!(objects.dropped.recv(), Ok("saw".to_owned()));
        assert_eq!(objects.exports.alive().objects, 0);
    }

    /// B6: also when another thread drops it while the loop sleeps.
    fn an_object_goes_when_another_thread_drops_the_last_proxy(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("objects");
        let child = setup.spawn();
        let gate = tests::gate::Gate::new();
        ask::<(), _>(&child, "make and keep", &("hammer", 2));
        ask::<(), _>(&child, "drop on another thread", &gate.address());
        gate.arrival().let_go();
        assert_eq!(objects.dropped.recv(), Ok("hammer".to_owned()));
    }

    /// B6: what a process held goes with it, whichever way it goes.
    fn what_a_process_held_goes_with_it(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("objects");
        let [closed, killed] = [setup.spawn(), setup.spawn()];
        ask::<(), _>(&closed, "make and keep", &("hammer", 2));
        ask::<(), _>(&killed, "make and keep", &("saw", 2));
        closed.close();
        assert_eq!(objects.dropped.recv(), Ok("hammer".to_owned()));
        assert!(objects.dropped.try_recv().is_err());
        killed.kill();
        assert_eq!(objects.dropped.recv(), Ok("saw".to_owned()));
        assert_eq!(objects.exports.alive().objects, 0);
    }

    /// B13: a method that panics is an error that says so, and the next call works; a report names the method.
    fn a_method_that_panics_is_an_error_and_the_next_call_works(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("objects");
        let child = setup.spawn();
        let (panicked, reported): (tests::interfaces::WorkError, CallError) = ask(&child, "failing", &());
        let tests::interfaces::WorkError::Call(panicked) = panicked else { panic!("{panicked:?}") };
        let text = panicked.to_string();
        let CallError::Panicked { method, message, location } = panicked else { panic!("{panicked:?}") };
        assert_eq!((&*method, &*message), ("panics", "the saw slipped"));
        assert!(location.is_some_and(|place| place.starts_with("tests/src/objects.rs:") && text.contains(&place)), "{text}");
        assert!(matches!(&reported, CallError::Failed(report) if report.method == "reported_error"), "{reported:?}");
    }

    /// B20: in the main process's own modules a call is a direct one, of the object itself; in a child it is not.
    fn in_the_main_process_a_call_is_direct(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("objects");
        let lies_at = Arc::as_ptr(&objects.workshop).cast::<()>().addr();
        let (calls, serves, address): (String, String, usize) = ask(&setup.main(), "threads", &());
        assert_eq!((calls, address), (serves.clone(), lies_at));
        assert_ne!(serves, this_thread());
        let (calls, serves, address): (String, String, usize) = ask(&setup.spawn(), "threads", &());
        if !setup.has_processes() {
            // In another process both may be called the same.
            assert_ne!((calls, address), (serves, lies_at));
        }
    }

    /// B3: a process reaches only what it was given.
    fn an_object_of_one_process_is_nothing_to_another(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("objects");
        let [one, other] = [setup.spawn(), setup.spawn()];
        ask::<(), _>(&one, "make and keep", &("hammer", 1));
        ask::<(), _>(&other, "make and keep", &("saw", 1));
        assert_eq!(ask::<Vec<String>, _>(&one, "use kept", &()), ["hammer"]);
        assert_eq!(ask::<Vec<String>, _>(&other, "use kept", &()), ["saw"]);
        ask::<(), _>(&one, "drop one", &());
        assert_eq!(objects.dropped.recv(), Ok("hammer".to_owned()));
        assert_eq!(ask::<Vec<String>, _>(&other, "use kept", &()), ["saw"]);
        assert_eq!(try_ask::<(), _>(&one, "drop one", &()), Err("there is none".to_owned()));
    }
}

/// B1: a name is exported once; no name is none.
#[test]
fn a_name_is_exported_once() {
    struct Nail;
    impl Item for Nail {
        fn name(&self) -> Result<String, CallError> {
            Ok("nail".to_owned())
        }
    }
    let exports = Exports::new();
    let nail: Arc<dyn Item> = Arc::new(Nail);
    exports.module("nail", Arc::clone(&nail)).unwrap();
    exports.global("nail", Arc::clone(&nail)).unwrap();
    let taken = exports.module("nail", Arc::clone(&nail)).unwrap_err();
    assert!(matches!(&taken, ExportError::Taken { root } if root.contains("nail")), "{taken:?}");
    assert!(matches!(exports.module("", Arc::clone(&nail)), Err(ExportError::Name { length: 0, .. })));
    assert!(matches!(exports.global(&"n".repeat(5000), nail), Err(ExportError::Name { length: 5000, .. })));
    let objects = Objects::new();
    assert!(objects.exports.module("workshop", Arc::clone(&objects.workshop) as Arc<dyn Workshop>).is_err());
}

/// Over shared memory: elsewhere the transport allocates for what it sends.
#[cfg(target_os = "linux")]
#[test]
fn a_call_that_refers_to_nothing_allocates_nothing_on_either_side() {
    use std::process::{Command, Stdio};

    let _watchdog = crate::harness::Watchdog::start("a_call_that_refers_to_nothing_allocates_nothing_on_either_side");
    let output = Command::new(env!("CARGO_BIN_EXE_tests-allocations"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("it starts");
    let output = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.trim(), "0 in the child, 0 in the parent");
}
