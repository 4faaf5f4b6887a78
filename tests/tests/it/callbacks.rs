//! Callbacks.

use remote_object::{CallError, CallbackError};
use remote_parent::{ProcessError, Trouble};
use tests::objects::Objects;

use crate::harness::{Events, Log, ask, every_transport, heard};

every_transport! {
    /// B8: a callback that a method calls does not run before the method has returned; callbacks and events keep their order.
    fn callbacks_run_after_the_method_returned_in_order_with_events(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("callbacks");
        let child = setup.spawn();
        *objects.bell.process.lock().unwrap() = Some(child.clone());
        ask::<(), _>(&child, "mix", &());
        let log: Vec<String> = ask(&child, "mixed log", &());
        assert_eq!(
            log,
            ["returned", "event 1", "callback 1", "event 2", "callback 2", "event 3", "callback 3"]
        );
        *objects.bell.process.lock().unwrap() = None;
    }

    /// B8: also in the main process's own modules, where the call is a direct one.
    fn callbacks_of_the_main_process_run_after_the_method_returned(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("callbacks");
        let main = setup.main();
        let called = heard::<_, String>(&main.port(), "called");
        ask::<(), _>(&main, "add one", &());
        assert_eq!(ask::<usize, _>(&main, "ring", "once"), 1);
        // The answer was heard, and so would have been a callback before it.
        assert_eq!(called.next().1, "one once");
        ask::<(), _>(&main, "clear", &());
    }

    /// B9: a callback stays until the parent drops it; then its closure is dropped.
    fn a_callback_stays_until_the_parent_drops_it(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("callbacks");
        for process in [setup.main(), setup.spawn()] {
            let called = heard::<_, String>(&process.port(), "called");
            let dropped = heard::<_, String>(&process.port(), "closure dropped");
            ask::<(), _>(&process, "add one", &());
            let kept = objects.bell.listeners.lock().unwrap()[0].clone();
            assert!(kept.is_alive());
            assert!(kept.made_at().contains("modules/callbacks.rs:"), "{}", kept.made_at());
            kept.call("first".to_owned()).unwrap();
            assert_eq!(called.next().1, "one first");
            ask::<(), _>(&process, "clear", &());
            dropped.none();
            kept.call("second".to_owned()).unwrap();
            assert_eq!(called.next().1, "one second");
            dropped.none();
            drop(kept);
            assert_eq!(dropped.next().1, "one");
            assert_eq!(objects.exports.alive().callbacks, 0);
        }
    }

    /// B9: a callback that nobody was given goes with its last handle.
    fn a_callback_that_was_never_sent_goes_at_once(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("callbacks");
        let child = setup.spawn();
        let dropped = heard::<_, String>(&child.port(), "closure dropped");
        ask::<(), _>(&child, "never sent", &());
        assert_eq!(dropped.next().1, "never sent");
    }

    /// B9: the same callback passed again is the same to the parent, so that it can be uninstalled.
    fn the_same_callback_passed_twice_is_one_to_the_parent(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("callbacks");
        for process in [setup.main(), setup.spawn()] {
            let dropped = heard::<_, String>(&process.port(), "closure dropped");
            let called = heard::<_, String>(&process.port(), "called");
            ask::<(), _>(&process, "identity of callbacks", &());
            assert_eq!(called.next().1, "one still");
            let mut names = dropped.take(2).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
            names.sort();
            assert_eq!(names, ["one", "other"]);
            called.none();
            assert_eq!(objects.exports.alive().callbacks, 0);
        }
    }

    /// B10: a callback of a process that is gone is dead: calling it is an error that says where it was made.
    fn a_callback_of_a_process_that_is_gone_is_dead(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("callbacks");
        let child = setup.spawn();
        ask::<(), _>(&child, "add one", &());
        child.close();
        child.wait(crate::harness::PATIENCE).expect("it goes");
        let kept = objects.bell.listeners.lock().unwrap()[0].clone();
        assert!(!kept.is_alive());
        let error = kept.call("hello".to_owned()).unwrap_err();
        assert_eq!(error, CallbackError::Detached { made_at: kept.made_at() });
        assert!(error.to_string().contains("modules/callbacks.rs:"), "{error}");
        objects.bell.listeners.lock().unwrap().clear();
        assert_eq!(objects.exports.alive().callbacks, 0);
    }

    /// B8: a callback that is called in its own process is as asynchronous, and goes after its last call.
    fn a_callback_called_in_its_own_process_runs_later_and_then_goes(setup) {
        setup.require("callbacks");
        let child = setup.spawn();
        let log = Log::default();
        let (tell, told) = Events::new("the end");
        let own = log.clone();
        child.port().on("call here: answer", move |_process, _: Result<(), String>| own.push("returned"));
        let own = log.clone();
        child.port().on("called", move |_process, text: String| own.push(text));
        child.port().on("closure dropped", move |_process, name: String| tell.tell(name));
        child.port().emit("call here", &()).unwrap();
        assert_eq!(told.next(), "here");
        assert_eq!(log.take(), ["returned", "here one", "here two"]);
    }

    /// B9: a callback that panics is reported with where it was made, and the process lives on.
    fn a_callback_that_panics_is_an_error_and_the_process_lives_on(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("callbacks");
        setup.require("basics");
        let errors = setup.errors();
        let child = setup.spawn();
        let made: String = ask(&child, "explode in a callback", &());
        let (process, error) = errors.next();
        assert_eq!(process, child.id());
        let ProcessError::Child(Trouble::CallbackFailed { made_at, message }) = error else { panic!("{error:?}") };
        assert_eq!(made_at, made);
        assert!(message.contains("the callback's own fault"), "{message}");
        crate::harness::sync(&child);
    }

    /// B6: an object that a callback is called with is lent like any other.
    fn an_object_travels_in_a_callback(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("callbacks");
        for process in [setup.main(), setup.spawn()] {
            let delivered = heard::<_, Result<String, CallError>>(&process.port(), "delivered");
            ask::<(), _>(&process, "deliver", &());
            assert_eq!(delivered.next().1, Ok("delivered".to_owned()));
            assert_eq!(objects.dropped.recv(), Ok("delivered".to_owned()));
        }
    }

    /// B9: a callback does not travel to a child; the error says so, and nothing of it stays.
    fn a_callback_cannot_be_sent_to_a_child(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("callbacks");
        let child = setup.spawn();
        let dropped = heard::<_, String>(&child.port(), "closure dropped");
        let error: CallError = ask(&child, "echo a callback", &());
        assert!(matches!(&error, CallError::Result { method, reason } if method == "echo" && reason.contains("callback")), "{error:?}");
        assert_eq!(dropped.next().1, "echoed");
        assert_eq!(objects.exports.alive().callbacks, 0);
    }
}
