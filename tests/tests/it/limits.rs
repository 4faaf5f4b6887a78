//! What is too long or too deep, and what a process does not take any more.

use remote_parent::{EmitError, Process};
use tests::gate::Gate;
use tests::objects::Objects;
use tests::samples::Nest;

use crate::harness::{ask, every_transport, heard, sync, try_ask};

/// More than a message may have.
const TOO_LONG: usize = 17 << 20;
/// As much as fits well.
const LONG: usize = 15 << 20;
const TOO_DEEP: usize = 1000;

every_transport! {
    /// B4: an event of many megabytes arrives, both ways; one that is too long is an error at its sender, and the next one arrives.
    fn an_event_that_is_too_long_is_an_error_at_its_sender(setup) {
        setup.require("ports");
        setup.require("misuse");
        setup.require("basics");
        let child = setup.spawn();
        let error = child.port().emit("long", &vec![7u8; TOO_LONG]).unwrap_err();
        assert!(matches!(error, EmitError::Payload(_)), "{error:?}");
        assert!(error.to_string().contains("`long`") && error.to_string().contains("bytes, at most"), "{error}");
        sync(&child);
        let long = heard::<Process, Vec<u8>>(&child.port(), "long");
        let error = try_ask::<(), _>(&child, "emit long", &TOO_LONG).unwrap_err();
        assert!(error.contains("`long`"), "{error}");
        long.none();
        ask::<(), _>(&child, "emit long", &LONG);
        assert_eq!(long.next().1.len(), LONG);
        let echo: remote_object::Value = ask(&child, "echo value", &remote_object::Value::Bytes(vec![7; LONG]));
        assert!(matches!(echo, remote_object::Value::Bytes(bytes) if bytes.len() == LONG));
    }

    /// B18: an event that is too deep is an error at its sender, and the next one arrives.
    fn an_event_that_is_too_deep_is_an_error_at_its_sender(setup) {
        setup.require("misuse");
        setup.require("basics");
        let child = setup.spawn();
        let error = child.port().emit("deep", &Nest::deep(TOO_DEEP)).unwrap_err();
        assert!(matches!(error, EmitError::Payload(_)), "{error:?}");
        assert!(error.to_string().contains("deep"), "{error}");
        sync(&child);
        let deep = heard::<Process, Nest>(&child.port(), "deep");
        let error = try_ask::<(), _>(&child, "emit deep", &TOO_DEEP).unwrap_err();
        assert!(error.contains("levels deep"), "{error}");
        deep.none();
        ask::<(), _>(&child, "emit deep", &25);
        assert_eq!(deep.next().1, Nest::deep(25));
    }

    /// B18: an argument that is too deep is an error at the caller, and the next call works.
    fn an_argument_that_is_too_deep_is_an_error_at_the_caller(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("misuse");
        let child = setup.spawn();
        let error = try_ask::<usize, _>(&child, "send deep", &TOO_DEEP).unwrap_err();
        assert!(error.contains("`depth`") && error.contains("levels deep"), "{error}");
        assert_eq!(ask::<usize, _>(&child, "send deep", &25), 25);
    }

    /// B4: an argument that is too long is an error at the caller, and the next call works.
    fn an_argument_that_is_too_long_is_an_error_at_the_caller(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("misuse");
        let child = setup.spawn();
        let error = try_ask::<usize, _>(&child, "send long", &TOO_LONG).unwrap_err();
        assert!(error.contains("`weigh`") && error.contains("too long"), "{error}");
        assert_eq!(ask::<usize, _>(&child, "send long", &LONG), LONG);
    }

    /// B4: a result that is too long is an error at the caller, not a deadline, and the next call works.
    fn a_result_that_is_too_long_is_an_error_at_the_caller(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("misuse");
        let child = setup.spawn();
        let error = try_ask::<usize, _>(&child, "get long", &TOO_LONG).unwrap_err();
        assert!(error.contains("result of `load`") && error.contains("long"), "{error}");
        assert_eq!(ask::<usize, _>(&child, "get long", &LONG), LONG);
    }

    /// B8: an argument of a callback that is too long is an error at its caller, and the next call arrives.
    fn a_callbacks_argument_that_is_too_long_is_an_error_at_its_caller(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("callbacks");
        let child = setup.spawn();
        let flooded = heard::<Process, usize>(&child.port(), "flooded");
        let error = ask::<Option<String>, _>(&child, "flood", &TOO_LONG).expect("it is too long");
        assert!(error.contains("bytes"), "{error}");
        for bytes in [4, LONG] {
            assert_eq!(ask::<Option<String>, _>(&child, "flood", &bytes), None);
            assert_eq!(flooded.next().1, bytes);
        }
    }

    /// A8: a child that does not handle what it is sent is told to its sender, holds up nothing else, and may come back.
    fn a_child_that_does_not_read_holds_up_nobody_else(setup) {
        setup.require("basics");
        setup.require("ports");
        setup.require("ending");
        let [stuck, other] = [setup.spawn(), setup.spawn()];
        let gate = Gate::new();
        stuck.port().emit("get stuck", &gate.address()).unwrap();
        let waiting = gate.arrival();
        let megabyte = vec![7u8; 1 << 20];
        let backlog = loop {
            match stuck.port().emit("discard", &megabyte) {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        let EmitError::Backlog { process, unhandled, limit } = backlog else { panic!("{backlog:?}") };
        assert_eq!(process, stuck.id());
        assert!(unhandled >= limit && limit >= 1 << 20, "{unhandled} of {limit}");
        sync(&other);
        sync(&setup.main());
        // What is for all reaches the others, and names the one it does not reach.
        let error = setup.parent().processes().port().emit("note", "to all").unwrap_err();
        assert!(matches!(error, EmitError::Backlog { process, .. } if process == stuck.id()), "{error:?}");
        assert_eq!(ask::<Vec<String>, _>(&other, "heard", &()).len(), 3);
        waiting.let_go();
        let opened = (0..1_000_000).any(|_| {
            std::thread::yield_now();
            stuck.port().emit("discard", &vec![7u8]).is_ok()
        });
        assert!(opened);
        sync(&stuck);
    }

    /// A8: a child that outruns its parent waits, loses nothing, and keeps the order.
    fn a_child_that_outruns_its_parent_waits(setup) {
        setup.require("ports");
        let child = setup.spawn();
        let gate = Gate::new();
        let address = gate.address();
        child.port().once("load", move |_process, _: Vec<u8>| tests::gate::wait_at(&address));
        let load = heard::<Process, Vec<u8>>(&child.port(), "load");
        // Much more than may be on its way.
        for _ in 0..20 {
            child.port().emit("say bytes", &("load", 1 << 20)).unwrap();
        }
        let waiting = gate.arrival();
        load.none();
        waiting.let_go();
        assert!(load.take(20).iter().all(|(_, bytes)| bytes.len() == 1 << 20));
    }
}
