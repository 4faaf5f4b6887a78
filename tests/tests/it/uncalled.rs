//! Children that answer functions which nobody has called.

use std::sync::Arc;

use remote_parent::{DetachReason, ParentOptions, ProcessOptions, Transport};
use remote_protocol::state::Violation;
use tests::mill::{Mill, Works};
use tests::objects::Objects;

use crate::harness::{MISFIT, PATIENCE, Setup, ask};

fn misfit(how: &str) -> ProcessOptions {
    ProcessOptions::new().program(MISFIT).argument(how)
}

fn served(name: &str) -> (Setup, Arc<Works>, Objects) {
    let setup = Setup::with(name, Transport::Ipc, ParentOptions::new().version("1.0"));
    let (works, objects) = (Arc::new(Works::default()), Objects::served(setup.parent()));
    objects.exports.module("mill", Arc::clone(&works) as Arc<dyn Mill>).unwrap();
    setup.require("functions");
    (setup, works, objects)
}

/// A8, B11: a child that answers what was not asked of it, or calls for a function that nobody waits for, is ended; the others lose nothing.
#[test]
fn a_child_that_speaks_for_functions_that_nobody_called_is_ended() {
    let (setup, works, objects) = served("a_child_that_speaks_for_functions_that_nobody_called_is_ended");
    let witness = setup.parent().processes().spawn_with(misfit("is the same")).expect("a good child starts");
    let detached = setup.detaches();
    for (how, called) in [("answers nobody", 0), ("calls for nobody", 0), ("answers twice", 1), ("calls too late", 1)] {
        let bad = setup.parent().processes().spawn_with(misfit(how)).expect("it says hello");
        let (process, reason) = detached.next();
        assert_eq!(process, bad, "{how}");
        assert!(matches!(&reason, DetachReason::Violation(Violation::NoSuchInvocation(_))), "{how}: {reason:?}");
        // What it was asked before that, it has answered.
        assert_eq!(std::mem::take(&mut *works.attempted.lock().unwrap()), vec![Ok(1); called], "{how}");
        assert_eq!(ask::<Vec<i64>, _>(&witness, "map", &[1, 2, 3]), [2, 3, 4]);
    }
    detached.none();
    assert_eq!(objects.exports.alive().callbacks, 0);
}

/// B11: a result that is none is an error of the call of the function, and nothing worse.
#[test]
fn a_result_that_makes_no_sense_is_an_error() {
    let (setup, works, objects) = served("a_result_that_makes_no_sense_is_an_error");
    let detached = setup.detaches();
    let bad = setup.parent().processes().spawn_with(misfit("answers nonsense")).expect("it says hello");
    let error = loop {
        if let Some(attempted) = works.attempted.lock().unwrap().pop() {
            break attempted.unwrap_err();
        }
        std::thread::yield_now();
    };
    assert!(error.starts_with("result of `function made at liar.rs:1:2`: "), "{error}");
    detached.none();
    bad.kill();
    assert!(bad.wait(PATIENCE).is_some());
    assert_eq!(objects.exports.alive().callbacks, 0);
}
