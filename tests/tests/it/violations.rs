//! Rules that a child breaks, each with a reason of its own; nobody else is concerned.

use remote_parent::{DetachReason, Limits, ParentOptions, ProcessOptions, Transport, Violation};
use remote_protocol::limits::NAME_BYTES;
use remote_protocol::link::Closure;
use remote_protocol::record::JoinError;
use remote_protocol::service::Abuse;
use tests::objects::Objects;

use crate::executor::pumped;
use crate::harness::{MISFIT, PATIENCE, Setup, every_process_transport, sync};

fn misfit(transport: Transport, how: &str) -> ProcessOptions {
    ProcessOptions::new().program(MISFIT).argument(how).transport(transport)
}

/// What becomes of a child that misbehaves in a way, while another does not.
fn judged(setup: &Setup, how: &str, limits: Limits) -> Violation {
    let witness = setup.spawn();
    let detached = setup.detaches();
    let bad =
        setup.parent().processes().spawn_with(misfit(setup.transport(), how).limits(limits)).expect("it says hello");
    let (process, reason) = detached.next();
    assert_eq!(process, bad, "{how}");
    sync(&witness);
    detached.none();
    let DetachReason::Violation(violation) = reason else { panic!("{how}: {reason:?}") };
    assert_eq!(bad.detached(), Some(&DetachReason::Violation(violation.clone())));
    violation
}

every_process_transport! {
    /// A8: each rule that a child breaks is a reason of its own, in its detach.
    fn each_rule_that_is_broken_has_a_name(transport) {
        let setup = Setup::with("each_rule_that_is_broken_has_a_name", transport, ParentOptions::new());
        let _objects = Objects::served(setup.parent());
        setup.require("basics");
        let limits = Limits::new().frames(3).message_bytes(2 << 20);
        let name = (NAME_BYTES + 1, NAME_BYTES);
        let judge = |how| judged(&setup, how, limits);
        assert_eq!(judge("registers many"), Violation::TooManyFrames { limit: 3 });
        assert_eq!(judge("emits a long name"), Violation::LongName { length: name.0, limit: name.1 });
        assert_eq!(judge("asks for a long name"), Violation::Object(Abuse::Name { length: name.0, limit: name.1 }));
        assert_eq!(judge("asks for a long interface"), Violation::Object(Abuse::Name { length: name.0, limit: name.1 }));
        assert_eq!(judge("never ends a message"), Violation::Record(JoinError::TooLong { limit: 2 << 20 }));
        assert_eq!(judge("says what is no record"), Violation::Record(JoinError::Unknown { first: 9 }));
    }

    /// A8: what a child says while the application does not come to it is bounded: with an executor that is busy, too.
    fn a_child_that_floods_an_executor_is_ended(transport) {
        let setup = Setup::with("a_child_that_floods_an_executor_is_ended", transport, ParentOptions::new());
        // Nothing is pumped.
        let (setup, _pump) = pumped(setup, "a_child_that_floods_an_executor_is_ended");
        let _objects = Objects::served(setup.parent());
        let limits = Limits::new().window(1 << 20).message_bytes(2 << 20);
        for how in ["floods with events", "floods with frames", "floods with releases"] {
            let bad = setup.parent().processes().spawn_with(misfit(transport, how).limits(limits)).expect("it says hello");
            let reason = bad.wait(PATIENCE).expect("it is ended");
            let overflow = Closure::Overflow { limit: limits.inbox_bytes() };
            assert_eq!(reason, DetachReason::Violation(Violation::Link(overflow)), "{how}");
        }
    }
}
