use std::time::Duration;

use remote_protocol::call::{Outcome, Request, Root};
use remote_protocol::codec;
use remote_protocol::id::{CallId, LaneId, LoaderId};
use remote_protocol::link::{Link, Transmit};
use remote_protocol::record::Budget;
use remote_transport::memory::{self, Faults, MemoryLink};

use super::*;

/// The ends of a link that have to live, and what the child says.
struct Stage {
    reading: Reading,
    child: Mutex<Box<dyn Transmit>>,
    _links: (MemoryLink, MemoryLink),
}

impl Stage {
    fn new(limit: usize) -> Self {
        let (parent, child) = memory::pair(Faults::default());
        let reading = Reading::new(Limits::new(), Budget::new(limit, usize::MAX));
        let rx = parent.open(LaneId::MAIN).unwrap().rx;
        reading.start(Inlet::new(rx, Budget::unlimited()));
        let tx = child.open(LaneId::MAIN).unwrap().tx;
        Self { reading, child: Mutex::new(tx), _links: (parent, child) }
    }

    fn say(&self, message: &ToParent<'_>) {
        let mut record = vec![0];
        codec::encode(message, &mut record).unwrap();
        self.child.lock().unwrap().send(&record).unwrap();
    }

    /// What a thread that waits does with its turn.
    fn read(&self, mut turn: Turn<'_>) -> Result<(), Violation> {
        let message = turn.next(Some(soon())).unwrap();
        match self.reading.sort(codec::decode(&message)?, message.len())? {
            Sorted::Taken => Ok(()),
            Sorted::Result(result) => {
                let late = self.reading.answer(result.invocation, Box::new(result.invocation), message.len());
                assert!(late.is_ok_and(|late| late.is_none()));
                Ok(())
            }
            Sorted::Driver(_) => turn.defer(message),
        }
    }
}

fn unloaded(loader: u32) -> ToParent<'static> {
    ToParent::Unloaded { loader: LoaderId(loader) }
}

fn result(invocation: InvocationId) -> ToParent<'static> {
    let outcome = Outcome::Done(remote_protocol::payload::Payload::default());
    ToParent::Object(call::ToParent::Result(FunctionResult { invocation, outcome }))
}

fn call_of(invocation: InvocationId) -> ToParent<'static> {
    let request = Request::Lookup { root: Root::Module("a".into()), interface: None };
    ToParent::Object(call::ToParent::Call(Call { id: CallId(1), during: Some(invocation), request }))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn a_thread_that_waits_reads_while_the_driver_is_busy_and_keeps_what_is_the_drivers() {
    let stage = Stage::new(1 << 20);
    let id = stage.reading.begin().unwrap();
    for message in [unloaded(1), call_of(id), unloaded(2), result(id)] {
        stage.say(&message);
    }
    let mut calls = 0;
    loop {
        match stage.reading.next_for(id, soon()) {
            ForWaiter::Turn(turn) => stage.read(turn).unwrap(),
            ForWaiter::Call(call) => {
                assert_eq!(call.during, Some(id));
                calls += 1;
            }
            ForWaiter::Outcome(outcome) => {
                assert_eq!(outcome.downcast_ref(), Some(&id));
                break;
            }
            _ => panic!("nothing else has happened"),
        }
    }
    assert_eq!(calls, 1);
    for loader in [1, 2] {
        let ForDriver::Deferred(message) = stage.reading.next(false, None) else { panic!("it was kept") };
        assert_eq!(codec::decode::<ToParent<'_>>(&message), Ok(unloaded(loader)));
    }
    assert!(matches!(stage.reading.next(false, None), ForDriver::Turn(_)));
}

#[test]
fn one_reads_at_a_time_and_hands_on_to_another() {
    let stage = Stage::new(1 << 20);
    let ids = [stage.reading.begin().unwrap(), stage.reading.begin().unwrap()];
    let ForWaiter::Turn(turn) = stage.reading.next_for(ids[0], soon()) else { panic!("nobody else reads") };
    assert!(matches!(stage.reading.next(false, None), ForDriver::Nothing));
    stage.say(&result(ids[1]));
    stage.say(&unloaded(1));
    stage.say(&result(ids[0]));
    std::thread::scope(|scope| {
        let (reading, stage) = (&stage.reading, &stage);
        let other = scope.spawn(move || {
            loop {
                match reading.next_for(ids[1], soon()) {
                    ForWaiter::Outcome(_) => break,
                    ForWaiter::Turn(turn) => stage.read(turn).unwrap(),
                    _ => panic!("nothing else has happened"),
                }
            }
        });
        let driver = scope.spawn(move || {
            loop {
                match reading.next(true, None) {
                    ForDriver::Deferred(message) => break message.to_vec(),
                    ForDriver::Turn(turn) => stage.read(turn).unwrap(),
                    _ => {}
                }
            }
        });
        stage.read(turn).unwrap();
        other.join().unwrap();
        loop {
            match reading.next_for(ids[0], soon()) {
                ForWaiter::Outcome(_) => break,
                ForWaiter::Turn(turn) => stage.read(turn).unwrap(),
                _ => panic!("nothing else has happened"),
            }
        }
        assert_eq!(codec::decode::<ToParent<'_>>(&driver.join().unwrap()), Ok(unloaded(1)));
    });
}

#[test]
fn what_nobody_called_or_waits_for() {
    let stage = Stage::new(1 << 20);
    let unknown = InvocationId(7);
    for message in [result(unknown), call_of(unknown)] {
        assert_eq!(stage.reading.sort(message, 1).err(), Some(Violation::NoSuchInvocation(unknown)));
    }
    let id = stage.reading.begin().unwrap();
    assert!(matches!(stage.reading.next_for(id, Instant::now()), ForWaiter::TimedOut));
    // It still waits for what it calls, so that the driver serves it.
    assert!(matches!(stage.reading.sort(call_of(id), 1), Ok(Sorted::Driver(_))));
    assert!(matches!(stage.reading.sort(result(id), 1), Ok(Sorted::Result(_))));
    assert!(stage.reading.answer(id, Box::new(()), 1).is_ok_and(|late| late.is_some()));
    assert!(stage.reading.sort(result(id), 1).is_err());
}

#[test]
fn a_process_that_goes_on_calling_holds_nobody_up_beyond_the_deadline() {
    let stage = Stage::new(1 << 20);
    let id = stage.reading.begin().unwrap();
    // The driver reads faster than the calls are served.
    for _ in 0..3 {
        assert!(matches!(stage.reading.sort(call_of(id), 1), Ok(Sorted::Taken)));
    }
    assert!(matches!(stage.reading.next_for(id, soon()), ForWaiter::Call(_)));
    assert!(matches!(stage.reading.next_for(id, Instant::now()), ForWaiter::TimedOut));
    for _ in 0..2 {
        assert!(
            matches!(stage.reading.next(false, None), ForDriver::Call(Call { during, .. }, _) if during == Some(id))
        );
    }
    assert!(matches!(stage.reading.next(false, None), ForDriver::Turn(_)));
    assert!(stage.reading.budget.charge(stage.reading.budget.limit()).is_some());
}

#[test]
fn a_call_that_its_function_did_not_wait_for_is_the_drivers() {
    let stage = Stage::new(1 << 20);
    let id = stage.reading.begin().unwrap();
    assert!(matches!(stage.reading.sort(call_of(id), 1), Ok(Sorted::Taken)));
    assert!(matches!(stage.reading.sort(result(id), 1), Ok(Sorted::Result(_))));
    assert!(stage.reading.answer(id, Box::new(()), 1).is_ok_and(|late| late.is_none()));
    assert!(matches!(stage.reading.next_for(id, soon()), ForWaiter::Outcome(_)));
    assert!(matches!(stage.reading.next(false, None), ForDriver::Call(..)));
    assert!(stage.reading.budget.charge(stage.reading.budget.limit()).is_some());
}

#[test]
fn outcomes_that_nobody_takes_are_bounded() {
    let stage = Stage::new(200);
    let [first, second] = [(); 2].map(|()| stage.reading.begin().unwrap());
    assert!(stage.reading.answer(first, Box::new(()), 100).is_ok_and(|late| late.is_none()));
    let error = stage.reading.answer(second, Box::new(()), 100).map_err(|(violation, _)| violation);
    assert!(matches!(error, Err(Violation::Link(Closure::Overflow { .. }))));
    assert!(matches!(stage.reading.next_for(first, soon()), ForWaiter::Outcome(_)));
    assert!(stage.reading.budget.charge(stage.reading.budget.limit()).is_some());
}

#[test]
fn what_is_kept_is_bounded() {
    let stage = Stage::new(200);
    let id = stage.reading.begin().unwrap();
    let mut outcome = Ok(());
    for _ in 0..4 {
        stage.say(&unloaded(1));
        let ForWaiter::Turn(turn) = stage.reading.next_for(id, soon()) else { panic!("nobody else reads") };
        outcome = outcome.and_then(|()| stage.read(turn));
    }
    assert_eq!(outcome, Err(Violation::Link(Closure::Overflow { limit: 200 })));
}

#[test]
fn everybody_is_told_of_the_end() {
    let stage = Stage::new(1 << 20);
    let ids = [stage.reading.begin().unwrap(), stage.reading.begin().unwrap()];
    std::thread::scope(|scope| {
        let ForWaiter::Turn(turn) = stage.reading.next_for(ids[0], soon()) else { panic!("nobody else reads") };
        let other = scope.spawn(|| matches!(stage.reading.next_for(ids[1], soon()), ForWaiter::Closed));
        let driver = scope.spawn(|| matches!(stage.reading.next(true, None), ForDriver::Closed));
        turn.close();
        assert!(other.join().unwrap() && driver.join().unwrap());
    });
    stage.reading.end();
    assert!(matches!(stage.reading.next_for(ids[0], soon()), ForWaiter::Closed));
}
