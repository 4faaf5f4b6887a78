//! Each limit, set small: what an honest child or its parent is told when it reaches it, and that both go on.

use std::time::Duration;

use remote_object::CallError;
use remote_parent::{EmitError, Limits, ParentOptions, Process};
use tests::gate::Gate;
use tests::objects::Objects;

use crate::harness::{PATIENCE, Setup, ask, every_transport, heard, sync, try_ask};

/// As short as the longest message may be.
const SHORT: usize = 2 << 20;
const TOO_LONG: usize = SHORT;
/// Fits well.
const LONG: usize = SHORT - (128 << 10);

/// A child of a parent that limits all its children.
fn of_limited_parent(setup: Setup, limits: Limits) -> (Setup, Process) {
    let transport = setup.transport();
    drop(setup);
    let setup = Setup::with("limits_set", transport, ParentOptions::new().limits(limits));
    let child = setup.spawn();
    (setup, child)
}

/// A child that is limited itself.
fn limited(setup: &Setup, limits: Limits) -> Process {
    setup.parent().processes().spawn_with(setup.options().limits(limits)).expect("the child starts")
}

every_transport! {
    /// A8, B4: a message that is longer than the limit is an error where it is sent, whatever it is: an event, an argument or a result. The
    /// next one arrives.
    fn a_message_that_is_longer_than_the_limit_is_an_error(setup) {
        let (setup, child) = of_limited_parent(setup, Limits::new().message_bytes(SHORT));
        let _objects = Objects::served(setup.parent());
        setup.require("misuse");
        setup.require("ports");
        setup.require("basics");
        let error = child.port().emit("long", &vec![7u8; TOO_LONG]).unwrap_err();
        assert!(matches!(error, EmitError::Payload(_)), "{error:?}");
        assert!(error.to_string().contains("bytes, at most 2031616"), "{error}");
        child.port().emit("long", &vec![7u8; LONG]).unwrap();
        let long = heard::<Process, Vec<u8>>(&child.port(), "long");
        let error = try_ask::<(), _>(&child, "emit long", &TOO_LONG).unwrap_err();
        assert!(error.contains("bytes, at most 2031616"), "{error}");
        ask::<(), _>(&child, "emit long", &LONG);
        assert_eq!(long.next().1.len(), LONG);
        let error = try_ask::<usize, _>(&child, "send long", &TOO_LONG).unwrap_err();
        assert!(error.contains("`weigh`") && error.contains("too long"), "{error}");
        assert_eq!(ask::<usize, _>(&child, "send long", &LONG), LONG);
        let error = try_ask::<usize, _>(&child, "get long", &TOO_LONG).unwrap_err();
        assert!(error.contains("result of `load`") && error.contains("long"), "{error}");
        assert_eq!(ask::<usize, _>(&child, "get long", &LONG), LONG);
    }

    /// A8: longer messages than by default arrive, both ways, where both sides were told so.
    fn a_longer_message_arrives_where_the_limit_says_so(setup) {
        let (setup, child) = of_limited_parent(setup, Limits::new().message_bytes(19 << 20));
        let _objects = Objects::served(setup.parent());
        setup.require("misuse");
        let bytes = 18 << 20;
        assert_eq!(ask::<usize, _>(&child, "send long", &bytes), bytes);
        assert_eq!(ask::<usize, _>(&child, "get long", &bytes), bytes);
        let long = heard::<Process, Vec<u8>>(&child.port(), "long");
        ask::<(), _>(&child, "emit long", &bytes);
        assert_eq!(long.next().1.len(), bytes);
    }

    /// A8: a process may have less than others: what is sent to all reaches the others, and the error names the one it does not reach.
    fn one_process_may_be_limited_alone(setup) {
        setup.require("ports");
        setup.require("basics");
        let (child, other) = (limited(&setup, Limits::new().message_bytes(SHORT)), setup.spawn());
        let error = setup.parent().processes().port().emit("note", &"x".repeat(TOO_LONG)).unwrap_err();
        let EmitError::TooLong { process, length, limit } = error else { panic!("{error:?}") };
        assert_eq!((process, limit), (child.id(), SHORT - (64 << 10)));
        assert!(length > limit, "{length}");
        assert_eq!(ask::<Vec<String>, _>(&other, "heard", &()).len(), 3);
        assert_eq!(ask::<Vec<String>, _>(&child, "heard", &()).len(), 0);
    }

    /// A10: a process that has registered as many frames as it may is told so, and the link lives; those that the parent opens do not count.
    fn more_frames_than_the_limit_are_an_error_where_they_are_registered(setup) {
        setup.require("limited");
        setup.require("basics");
        let child = limited(&setup, Limits::new().frames(3));
        let opened: Vec<_> =
            (0..5).map(|_| setup.parent().frames().open(&child, Default::default()).expect("the child lives")).collect();
        for _ in 0..2 {
            let (count, error): (usize, String) = ask(&child, "register until refused", &());
            assert_eq!(count, 3);
            assert!(error.contains("3 frames are registered"), "{error}");
        }
        assert_eq!(opened.iter().filter(|frame| frame.is_attached()).count(), 5);
        let child = limited(&setup, Limits::new().frames(0));
        assert_eq!(ask::<(usize, String), _>(&child, "register until refused", &()).0, 0);
        sync(&child);
    }

    /// B19: a call that is answered later, past the limit, is an error at once; the others are answered.
    fn more_unanswered_calls_than_the_limit_are_an_error(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("limited");
        let child = limited(&setup, Limits::new().calls(2));
        for _ in 0..2 {
            let sums: Vec<Result<i64, CallError>> = ask(&child, "add later", &4_i64);
            let [Ok(1), Ok(2), Err(CallError::Busy { reason, .. }), Err(CallError::Busy { .. })] = &sums[..] else {
                panic!("{sums:?}")
            };
            assert!(reason.contains("2 calls are unanswered"), "{reason}");
        }
    }

    /// B2: threads that find no lane wait for one, within the deadline of their calls.
    fn threads_wait_for_one_of_few_lanes(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("limited");
        let child = limited(&setup, Limits::new().lanes(2));
        let made = heard::<Process, Result<String, CallError>>(&child.port(), "made");
        let gate = Gate::new();
        ask::<(), _>(&child, "make on a thread", &gate.address());
        let waiting = gate.arrival();
        let error = try_ask::<i64, _>(&child, "add on a thread", &Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("`add`") && error.contains("50ms"), "{error}");
        made.none();
        waiting.let_go();
        assert_eq!(made.next().1, Ok("made".to_owned()));
        assert_eq!(ask::<i64, _>(&child, "add on a thread", &PATIENCE), 3);
    }
}
