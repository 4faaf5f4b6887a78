//! Calls and answers that no honest child would make: too many, too deep, forged, or none.

use std::convert::Infallible;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use remote_object::{CallError, Function};
use remote_parent::DetachReason;
use remote_protocol::call::{self, FunctionResult, Outcome, Request};
use remote_protocol::id::{InvocationId, LentId};
use remote_protocol::limits::{CALLS, Limits, NESTED_FUNCTIONS};
use remote_protocol::link::Closure;
use remote_protocol::message::{ToChild, ToParent, Welcome};
use remote_protocol::payload::{Payload, Reference};
use remote_protocol::state::Violation;
use remote_protocol::value::Value;
use tests::held::Held;
use tests::puppet::Command;

use super::siege::{
    Puppet, SOON, Siege, call_record, encoded, function, hostile, hostile_over_the_lane, look_up, method,
    only_reference, record,
};

fn result(invocation: InvocationId, bytes: Vec<u8>) -> ToParent<'static> {
    let outcome = Outcome::Done(Payload::plain(bytes));
    ToParent::Object(call::ToParent::Result(FunctionResult { invocation, outcome }))
}

/// The records of a message that is too long for one.
fn records(message: &ToParent<'_>) -> Vec<Vec<u8>> {
    let mut begun = Vec::new();
    remote_protocol::record::begin(&mut begun);
    remote_protocol::codec::encode(message, &mut begun).expect("it can be encoded");
    let mut records = Vec::new();
    let split: Result<(), Infallible> = remote_protocol::record::split(&begun, &mut Vec::new(), |record| {
        records.push(record.to_vec());
        Ok(())
    });
    split.map_or_else(|never| match never {}, |()| records)
}

/// Has the mill call the function with this number of the puppet's, which has so many milliseconds to answer.
fn attempt(mill: LentId, number: u32, millis: i64) -> Request<'static> {
    method(mill, "attempt", vec![Value::Function(0), Value::I64(millis)], vec![function(number)])
}

/// Has the mill keep a function of the puppet's; gives it.
fn kept(siege: &Siege, x: &mut Puppet) -> Function<String, u32> {
    let mill = x.look_up("mill");
    let outcome = x.call(method(mill, "keep", vec![Value::Function(0)], vec![function(0)]));
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    siege.works.kept.lock().expect("nothing panics").take().expect("it is kept")
}

hostile_over_the_lane! {
    /// A child that calls and calls and reads no answer is ended when too much lies there for it.
    fn hostile_8_calls_whose_answers_are_not_read_end_the_child(siege) {
        let mut x = siege.puppet();
        let gallery = x.look_up("gallery");
        let picture = x.call(method(gallery, "canvas", vec![Value::I64(1 << 20)], Vec::new()));
        let Outcome::Done(payload) = picture else { panic!("{picture:?}") };
        let buffer = only_reference(&payload);
        let before = Held::now().expect("the system tells").kilobytes;
        let read = call_record(None, Request::Read { buffer, offset: 0, length: 1 << 20 });
        x.pull.begin(&Command::Say { lane: 0, record: read, times: 10_000 });
        siege.outlasts(&x.process);
        let violation = siege.violates(&x.process);
        let Violation::Link(Closure::Overflow { limit }) = violation else { panic!("{violation:?}") };
        eprintln!("ended past {limit} bytes, with {} KiB more than before", Held::now().expect("the system tells").kilobytes - before);
    }

    /// The same on a lane of a thread: less, for there is one call at a time.
    fn hostile_8_calls_on_a_lane_whose_answers_are_not_read_end_the_child(siege) {
        let mut x = siege.puppet();
        let gallery = x.look_up("gallery");
        let picture = x.call(method(gallery, "canvas", vec![Value::I64(1 << 20)], Vec::new()));
        let Outcome::Done(payload) = picture else { panic!("{picture:?}") };
        let buffer = only_reference(&payload);
        let read = call_record(None, Request::Read { buffer, offset: 0, length: 1 << 20 });
        x.pull.begin(&Command::Say { lane: 3, record: read, times: 10_000 });
        siege.outlasts(&x.process);
        let violation = siege.violates(&x.process);
        assert!(matches!(violation, Violation::Link(Closure::Overflow { .. })), "{violation:?}");
    }

    /// Short calls by the ten thousand, each of them refused, keep the child's own thread busy.
    fn hostile_8_calls_that_are_refused_harm_nobody(siege) {
        let mut x = siege.puppet();
        let refused = call_record(None, look_up("nothing"));
        // What is left of them when it is killed is read, and no more.
        let times = if cfg!(debug_assertions) { 20_000 } else { 400_000 };
        x.pull.begin(&Command::Say { lane: 0, record: refused, times });
        siege.goes_on();
        x.process.kill();
        siege.outlasts(&x.process);
        let reason = siege.ends(&x.process);
        // It hears none of the answers, so that there may be too many of them before it is killed.
        let is_due = matches!(
            reason,
            DetachReason::Violation(Violation::Link(Closure::Overflow { .. })) | DetachReason::Killed { signal: 9 }
        );
        assert!(is_due, "{reason}");
    }

    /// What only the parent says ends a child that says it; so does what belongs on the main lane and comes on another.
    fn hostile_11_messages_of_the_wrong_direction_or_lane_end_the_child(siege) {
        let welcome =
            Welcome { process: siege.witness().id(), remote: true, limits: Limits::default(), deadline: Duration::MAX };
        let run = call::Run {
            invocation: InvocationId(0),
            function: LentId { slot: 0, generation: 0 },
            form: remote_protocol::payload::Encoding::Dynamic,
            argument: Payload::plain(Vec::new()),
        };
        for message in [ToChild::Welcome(welcome), ToChild::Object(call::ToChild::Run(run)), ToChild::Close] {
            let mut x = siege.puppet();
            x.say(&record(&encoded(&message)));
            siege.violates(&x.process);
        }
        for message in [result(InvocationId(0), Vec::new()), ToParent::Bye, ToParent::Handled { cost: 0 }] {
            let mut x = siege.puppet();
            x.say_on(2, tests::raw::short(&message));
            let violation = siege.violates(&x.process);
            assert!(matches!(violation, Violation::WrongLane { .. }), "{violation:?}");
        }
    }

    /// Nothing that is said after the last message is heard, but what another thread may have said.
    fn hostile_11_messages_after_the_last_one_end_the_child(siege) {
        let mut x = siege.puppet();
        x.say_message(&ToParent::Bye);
        x.say_message(&ToParent::Handled { cost: 0 });
        x.say_message(&ToParent::Bye);
        let violation = siege.violates(&x.process);
        assert_eq!(violation, Violation::Unexpected { message: "Bye", when: "after the last message" });
    }

    /// A function whose calls never end does not keep the thread that waits for it beyond its deadline.
    fn hostile_12_calls_without_end_during_a_function_meet_its_deadline(siege) {
        let mut x = siege.puppet();
        let mill = x.look_up("mill");
        x.say(&call_record(None, attempt(mill, 0, 100)));
        let run = x.run();
        // So many that they take longer than that, and what is left of them, which is read after the end, not too long.
        let times = if cfg!(debug_assertions) { 20_000 } else { 400_000 };
        x.pull.begin(&Command::Say { lane: 0, record: call_record(Some(run), look_up("nothing")), times });
        let deadline = Instant::now() + SOON;
        while siege.works.attempted.lock().expect("nothing panics").is_empty() {
            assert!(Instant::now() < deadline, "the thread that waits is kept");
            thread::yield_now();
        }
        siege.goes_on();
        let attempted = siege.works.attempted.lock().expect("nothing panics").pop().expect("it has come");
        assert!(attempted.as_ref().is_err_and(|error| error.contains("no answer")), "{attempted:?}");
        x.process.kill();
        siege.outlasts(&x.process);
        siege.ends(&x.process);
    }

    /// Results that nobody can take yet, for the function within is not answered, may be no longer together than all that lies unhandled.
    fn hostile_12_results_that_cannot_be_taken_are_bounded(siege) {
        let limits = Limits::new().message_bytes(2 << 20).window(1 << 20);
        let mut x = siege.puppet_with(limits);
        let mill = x.look_up("mill");
        let mut runs = Vec::new();
        for _ in 0..NESTED_FUNCTIONS {
            x.say(&call_record(runs.last().copied(), attempt(mill, 0, 20_000)));
            runs.push(x.run());
        }
        let (_innermost, outer) = runs.split_last().expect("there are some");
        for run in outer {
            records(&result(*run, vec![0; (2 << 20) - 1024])).iter().for_each(|record| x.say(record));
        }
        let limit = limits.inbox_bytes();
        assert_eq!(siege.violates(&x.process), Violation::Link(Closure::Overflow { limit }));
        siege.works.attempted.lock().expect("nothing panics").clear();
    }
}

hostile! {
    /// Functions that are never answered meet their deadline; no more than so many are called; when the child ends, those that are waited
    /// for return.
    fn hostile_10_functions_that_are_never_answered_meet_their_deadline(siege) {
        let mut x = siege.puppet();
        let f = kept(siege, &mut x);
        thread::scope(|scope| {
            for _ in 0..CALLS {
                scope.spawn(|| {
                    let error = f.call_within(Duration::from_millis(100), "anybody?".to_owned()).expect_err("nobody answers");
                    assert!(matches!(error, CallError::Deadline { .. }), "{error:?}");
                });
            }
        });
        let error = f.call("anybody?".to_owned()).expect_err("too many are unanswered");
        assert!(matches!(error, CallError::Busy { .. }), "{error:?}");
        siege.goes_on();
        siege.kills(&x);
    }

    /// Those that wait when a child is killed return, and do so at once.
    fn hostile_10_functions_of_a_child_that_is_killed_return(siege) {
        let mut x = siege.puppet();
        let f = kept(siege, &mut x);
        let (tell, told) = channel();
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let (f, tell) = (f.clone(), tell.clone());
                thread::spawn(move || tell.send((f.call("anybody?".to_owned()), Instant::now())))
            })
            .collect();
        for _ in 0..8 {
            x.run();
        }
        let killed = Instant::now();
        siege.kills(&x);
        for _ in 0..8 {
            let (outcome, at) = told.recv_timeout(SOON).expect("it returns");
            assert!(matches!(outcome, Err(CallError::Disconnected { .. })), "{outcome:?}");
            eprintln!("returned {:?} after the kill", at - killed);
        }
        drop((f, tell));
        for thread in waiting {
            thread.join().expect("it does not panic").expect("the test listens");
        }
    }

    /// A child that does not answer when it is asked to close is killed.
    fn hostile_10_a_child_that_does_not_close_is_killed(siege) {
        let x = siege.puppet();
        x.process.close_within(Duration::from_millis(50));
        assert_eq!(siege.ends(&x.process), DetachReason::Unresponsive);
    }

    /// Answers that nobody asked for, that come twice, and calls for functions that nobody waits for, end the child.
    fn hostile_11_answers_that_nobody_waits_for_end_the_child(siege) {
        let mut x = siege.puppet();
        x.say_message(&result(InvocationId(0), Vec::new()));
        assert_eq!(siege.violates(&x.process), Violation::NoSuchInvocation(InvocationId(0)));
        let mut x = siege.puppet();
        x.say(&call_record(Some(InvocationId(u32::MAX)), look_up("workshop")));
        assert_eq!(siege.violates(&x.process), Violation::NoSuchInvocation(InvocationId(u32::MAX)));

        let again: [fn(InvocationId) -> Vec<u8>; 2] = [
            |run| tests::raw::short(&result(run, Vec::new())),
            |run| call_record(Some(run), look_up("workshop")),
        ];
        for again in again {
            let mut x = siege.puppet();
            let mill = x.look_up("mill");
            x.say(&call_record(None, attempt(mill, 0, 20_000)));
            let run = x.run();
            x.say_message(&result(run, encoded(&Value::I64(1))));
            x.say(&again(run));
            assert_eq!(siege.violates(&x.process), Violation::NoSuchInvocation(run));
            // What it was asked before that, it has answered.
            assert_eq!(std::mem::take(&mut *siege.works.attempted.lock().expect("nothing panics")), [Ok(1)]);
        }
    }

    /// B11: a result that is none is an error of the call of the function, and nothing worse.
    fn hostile_11_a_result_that_makes_no_sense_is_an_error(siege) {
        let mut x = siege.puppet();
        let mill = x.look_up("mill");
        let nonsense: [(Vec<u8>, Vec<Reference<'static>>); 4] = [
            (b"\xff\xff\xff".to_vec(), Vec::new()),
            (encoded(&Value::String("no number".to_owned())), Vec::new()),
            (Vec::new(), Vec::new()),
            (encoded(&Value::I64(1)), vec![Reference::Object(LentId { slot: 99, generation: 99 })]),
        ];
        for (bytes, references) in nonsense {
            x.say(&call_record(None, attempt(mill, 0, 20_000)));
            let invocation = x.run();
            let outcome = Outcome::Done(Payload { references, ..Payload::plain(bytes) });
            x.say_message(&ToParent::Object(call::ToParent::Result(FunctionResult { invocation, outcome })));
            // The call returns, and the child lives.
            let outcome = x.returned();
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
            let attempted = siege.works.attempted.lock().expect("nothing panics").pop().expect("it has come");
            let error = attempted.expect_err("it makes no sense");
            assert!(error.starts_with("result of `function made at puppet.rs:1:2`: "), "{error}");
        }
        siege.kills(&x);
    }

    /// Functions that call for themselves nest as deep as is allowed, and no deeper.
    fn hostile_12_functions_nest_no_deeper_than_the_limit(siege) {
        let mut x = siege.puppet();
        let mill = x.look_up("mill");
        let mut runs = Vec::new();
        let mut during = None;
        for _ in 0..NESTED_FUNCTIONS {
            x.say(&call_record(during, attempt(mill, 0, 20_000)));
            during = Some(x.run());
            runs.extend(during);
        }
        x.say(&call_record(during, attempt(mill, 0, 20_000)));
        let outcome = x.returned();
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        let attempted = siege.works.attempted.lock().expect("nothing panics").pop().expect("it has come");
        assert!(attempted.as_ref().is_err_and(|error| error.contains("16 deep")), "{attempted:?}");
        siege.goes_on();
        // In the middle of it.
        let outer = runs[0];
        x.say_message(&result(outer, encoded(&Value::I64(1))));
        x.say_message(&result(outer, encoded(&Value::I64(1))));
        assert_eq!(siege.violates(&x.process), Violation::NoSuchInvocation(outer));
        siege.works.attempted.lock().expect("nothing panics").clear();
    }

    /// Parent and child call each other, on both lanes and both ways at once, and the child answers late and in the wrong order.
    fn hostile_13_calls_that_cross_are_all_answered(siege) {
        let mut x = siege.puppet();
        let f = kept(siege, &mut x);
        let mill = x.look_up("mill");
        for _ in 0..10 {
            let callers: Vec<_> = (0..4)
                .map(|_| {
                    let f = f.clone();
                    thread::spawn(move || f.call("how many?".to_owned()))
                })
                .collect();
            let mut runs: Vec<_> = (0..4).map(|_| x.run()).collect();
            x.say(&call_record(None, attempt(mill, 0, 20_000)));
            x.say_on(1, call_record(None, attempt(mill, 1, 20_000)));
            runs.extend([x.run(), x.run()]);
            // Each of them makes a call, the innermost last.
            for run in runs.iter().rev() {
                x.say(&call_record(Some(*run), look_up("workshop")));
                x.returned();
            }
            for run in runs.iter().rev() {
                x.say_message(&result(*run, encoded(&7_u32)));
            }
            for caller in callers {
                let outcome = caller.join().expect("it does not panic");
                assert!(outcome.is_ok() || matches!(outcome, Err(CallError::Result { .. })), "{outcome:?}");
            }
            x.returned();
            x.acts(&Command::Hear { lane: 1 });
        }
        siege.works.attempted.lock().expect("nothing panics").clear();
        drop(f);
        siege.kills(&x);
    }

    /// B11: a child that calls without end while the parent waits for its function does not keep it waiting.
    fn hostile_13_calls_beside_a_function_wait_for_their_turn(siege) {
        let mut x = siege.puppet();
        let mill = x.look_up("mill");
        x.say(&call_record(None, attempt(mill, 0, 200)));
        x.run();
        // For the thread of the process, which is the one that waits.
        x.repeat(call_record(None, look_up("nothing")), 1000);
        x.acts(&Command::Skip { lane: 0, records: 1001 });
        let attempted = siege.works.attempted.lock().expect("nothing panics").pop().expect("it has come");
        assert!(attempted.as_ref().is_err_and(|error| error.contains("no answer")), "{attempted:?}");
        siege.kills(&x);
    }
}
