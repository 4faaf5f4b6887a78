//! Each limit, set small: what an honest child or its parent is told when it reaches it, and that both go on.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use remote_object::{CallError, DynamicObject, Exports, Function, Promise, Value};
use remote_parent::{EmitError, Limits, ParentOptions, Process};
use remote_protocol::codec;
use remote_protocol::event;
use remote_protocol::id::{LaneId, LoaderId, ProcessId};
use remote_protocol::link::{Link, Received};
use remote_protocol::message::{Event, Target, ToChild, ToParent, Welcome};
use remote_protocol::payload::Form;
use remote_transport::memory;
use tests::gate::Gate;
use tests::objects::Objects;

use crate::harness::{Events, PATIENCE, Setup, ask, every_transport, heard, sync, try_ask};

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

    /// A8, A12: a child that may leave little unhandled can say as much as it likes, one after the other.
    fn a_child_with_little_room_may_say_much(setup) {
        let least = Limits::new().window(1 << 20).message_bytes(SHORT).lanes(2).calls(1);
        let (setup, child) = of_limited_parent(setup, least);
        let flooded = heard::<Process, (u32, Vec<u8>)>(&child.port(), "flooded");
        setup.require("flood");
        let count = 20;
        for _ in 0..200 {
            let report = Gate::new();
            child.port().emit("flood", &(report.address(), count, 4000)).unwrap();
            assert_eq!(report.arrival().text(), "Ok(())");
            for number in 0..count {
                assert_eq!(flooded.next().1.0, number);
            }
        }
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

    /// B9: what a method or a function ends with may be longer than a message: whoever called it is told so, and does not wait in vain.
    fn an_error_that_is_longer_than_a_message_is_told_as_a_short_one(setup) {
        let exports = Exports::new();
        let clumsy = DynamicObject::new("Clumsy")
            .method("fail", |bytes: usize| -> Result<(), CallError> { resume_unwind(Box::new("x".repeat(bytes))) })
            .method("run", |function: Function<(), u32>| -> Result<String, CallError> {
                Ok(function.call(()).expect_err("it panics").to_string())
            });
        exports.module_dynamic("clumsy", clumsy).unwrap();
        exports.serve(setup.parent()).unwrap();
        setup.require("limited");
        let child = limited(&setup, Limits::new().message_bytes(SHORT));
        let error = try_ask::<(), _>(&child, "call what fails at length", &(2 * SHORT)).unwrap_err();
        assert!(error.contains("cannot be sent") && error.contains("longer than"), "{error}");
        let error: String = ask(&child, "lend what fails at length", &(2 * SHORT));
        assert!(error.contains("cannot be sent") && error.contains("longer than"), "{error}");
    }

    /// B11, B19: a loop that waits for an answer runs the functions that the answer waits for, in the main process, too.
    fn whoever_waits_for_an_answer_runs_functions(setup) {
        let desk = DynamicObject::new("Desk").method("consult", |function: Function<String, String>| {
            let (promise, reply) = Promise::new();
            thread::spawn(move || reply.send(function.call("asked".to_owned())));
            promise
        });
        let exports = Exports::new();
        exports.module_dynamic("desk", desk).unwrap();
        exports.serve(setup.parent()).unwrap();
        setup.require("limited");
        for process in [setup.main(), setup.spawn()] {
            assert_eq!(ask::<String, _>(&process, "consult", &false), "ASKED");
            assert_eq!(ask::<String, _>(&process, "consult", &true), "ASKED");
        }
    }

    /// B19: a method that answers later is told that nobody waits any more, also where it was called by name, by one who waited.
    fn a_call_by_name_that_is_given_up_is_cancelled(setup) {
        let (tell, replies) = Events::new("reply");
        let desk = DynamicObject::new("Desk").method("never", move || {
            let (promise, reply) = Promise::<String, CallError>::new();
            tell.tell(reply);
            promise
        });
        let exports = Exports::new();
        exports.module_dynamic("desk", desk).unwrap();
        exports.serve(setup.parent()).unwrap();
        setup.require("limited");
        setup.require("basics");
        let child = setup.spawn();
        let given_up: Result<String, String> = ask(&child, "give up by name", &Duration::from_millis(20));
        assert!(given_up.unwrap_err().contains("20ms"));
        let reply = replies.next();
        sync(&child);
        assert!(reply.is_cancelled());
    }

    /// B1: nothing has a longer name than a name may have: asking for it is an error, and the link lives.
    fn asking_for_a_long_name_is_an_error(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("limited");
        setup.require("basics");
        let child = setup.spawn();
        let error = try_ask::<(), _>(&child, "require a long name", &5000).unwrap_err();
        assert!(error.contains("xxx"), "{error}");
        sync(&child);
    }
}

/// A12: a child that waits has a deadline, also where its parent sends without end.
#[test]
fn a_parent_that_sends_without_end_does_not_keep_a_child_waiting() {
    let (link, child_link) = memory::pair(memory::Faults::none());
    let child = thread::spawn(move || remote_child::run(Arc::new(child_link), remote_child::Host::default()));
    let mut main = link.open(LaneId::MAIN).unwrap();
    let mut say = |message: &ToChild<'_>| {
        let mut record = vec![0];
        codec::encode(message, &mut record).unwrap();
        main.tx.send(&record).expect("the child is there");
    };
    let process = ProcessId::new(7, 1);
    say(&ToChild::Welcome(Welcome { process, remote: true, limits: Limits::new(), deadline: PATIENCE }));
    say(&ToChild::OpenLoader { loader: LoaderId::FIRST });
    say(&ToChild::Require { loader: LoaderId::FIRST, module: "tests::modules::limited".into() });
    let payload = event::encode("wait in vain", Form::Dynamic, &Duration::from_millis(50), usize::MAX).unwrap();
    let (loader, target, form) = (LoaderId::FIRST, Target::Process, Form::Dynamic);
    say(&ToChild::Event(Event { loader, target, name: "wait in vain".into(), form, payload }));
    let mut record = Vec::new();
    let waited = loop {
        // Faster than the child's deadline by far, and slower than would fill its inbox while others have the processor.
        for _ in 0..10 {
            say(&ToChild::Handled { cost: 0 });
        }
        if main.rx.recv(&mut record, Some(Instant::now() + Duration::from_millis(1))) != Received::Record {
            continue;
        }
        if let Ok(ToParent::Event(event)) = codec::decode::<ToParent<'_>>(record.get(1..).unwrap_or_default()) {
            break event.into_owned();
        }
    };
    assert_eq!(waited.name, "waited");
    let answer: Value = codec::decode(&waited.payload.bytes.0).unwrap();
    assert!(answer.to_string().contains("Deadline"), "{answer}");
    link.close();
    child.join().unwrap();
}
