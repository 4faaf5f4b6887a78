//! What `Link` promises, over every transport.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use remote_protocol::id::LaneId;
use remote_protocol::limits::{LANES, RECORD_BYTES};
use remote_protocol::link::{Closure, Lane, OpenError, Received, SendError};

use crate::support::{Pair, event, every_transport, every_transport_of, late, record};

fn mains(pair: &Pair) -> (Lane, Lane) {
    let parent = pair.parent.open(LaneId::MAIN).expect("free");
    let child = pair.child.open(LaneId::MAIN).expect("free");
    (parent, child)
}

#[test]
fn records_of_a_lane_keep_their_order_and_length() {
    every_transport(|pair| {
        let (mut parent, mut child) = mains(&pair);
        let sent = |index: usize| vec![index as u8; index * 37 % 3000];
        let sender = thread::spawn(move || {
            for index in 0..5_000 {
                child.tx.send(&sent(index)).unwrap();
            }
            child
        });
        let mut buffer = Vec::new();
        for index in 0..5_000 {
            let received = parent.rx.recv(&mut buffer, Some(late()));
            assert_eq!(received, Received::Record);
            assert_eq!(buffer, sent(index));
        }
        sender.join().unwrap();
    });
}

#[test]
fn a_call_and_its_return_can_take_turns() {
    every_transport(|pair| {
        let (mut parent, mut child) = mains(&pair);
        let server = thread::spawn(move || {
            let mut buffer = Vec::new();
            while let Received::Record = parent.rx.recv(&mut buffer, Some(late())) {
                parent.tx.send(&buffer).unwrap();
            }
        });
        for call in 0..1_000_u32 {
            child.tx.send(&call.to_le_bytes()).unwrap();
            assert_eq!(record(&mut child), call.to_le_bytes());
        }
        pair.child.close();
        server.join().unwrap();
    });
}

#[test]
fn receiving_ends_at_the_deadline() {
    every_transport(|pair| {
        let (mut parent, _child) = mains(&pair);
        let deadline = Instant::now() + Duration::from_millis(10);
        let mut buffer = Vec::new();

        let received = parent.rx.recv(&mut buffer, Some(deadline));

        assert_eq!(received, Received::TimedOut);
        assert!(Instant::now() >= deadline);
    });
}

#[test]
fn another_thread_wakes_the_receiver() {
    every_transport(|pair| {
        let (mut parent, _child) = mains(&pair);
        let waker = parent.rx.waker();
        let other = thread::spawn(move || waker.wake());

        assert_eq!(event(&mut parent), Received::Woken);

        other.join().unwrap();
    });
}

#[test]
fn several_wake_ups_are_seen_as_one() {
    every_transport(|pair| {
        let (mut parent, _child) = mains(&pair);
        let waker = parent.rx.waker();
        waker.wake();
        waker.clone().wake();
        parent.rx.waker().wake();
        let mut buffer = Vec::new();

        assert_eq!(event(&mut parent), Received::Woken);
        let again = parent.rx.recv(&mut buffer, Some(Instant::now()));
        assert_eq!(again, Received::TimedOut);
    });
}

#[test]
fn both_sides_see_the_end_after_what_arrived() {
    every_transport(|pair| {
        let (mut parent, mut child) = mains(&pair);
        for text in [b"a", b"b", b"c"] {
            child.tx.send(text).unwrap();
        }
        assert!(pair.child.flush(late()));
        pair.child.close();

        for text in [b"a", b"b", b"c"] {
            assert_eq!(record(&mut parent), text);
        }
        assert_eq!(event(&mut parent), Received::Closed(Closure::Ended));
        assert_eq!(event(&mut parent), Received::Closed(Closure::Ended));
        assert_eq!(event(&mut child), Received::Closed(Closure::Ended));
        assert_eq!(child.tx.send(b"d"), Err(SendError::Closed));
        assert_eq!(pair.child.open(LaneId(1)).unwrap_err(), OpenError::Closed);
    });
}

#[test]
fn the_end_wakes_a_receiver_without_deadline() {
    every_transport(|pair| {
        let (mut parent, mut child) = mains(&pair);
        let receivers = [
            thread::spawn(move || parent.rx.recv(&mut Vec::new(), None)),
            thread::spawn(move || child.rx.recv(&mut Vec::new(), None)),
        ];

        pair.parent.close();

        for receiver in receivers {
            assert_eq!(receiver.join().unwrap(), Received::Closed(Closure::Ended));
        }
    });
}

#[test]
fn last_words_can_be_received_by_who_listens_late() {
    every_transport(|pair| {
        let mut child = pair.child.open(LaneId::MAIN).unwrap();
        child.tx.send(b"last words").unwrap();
        assert!(pair.child.flush(late()));
        pair.child.close();

        let mut parent = pair.parent.open(LaneId::MAIN);
        while let Err(OpenError::Closed) = parent {
            // Nothing has arrived yet, but it will.
            parent = pair.parent.open(LaneId::MAIN);
        }

        let mut parent = parent.unwrap();
        assert_eq!(record(&mut parent), b"last words");
        assert_eq!(event(&mut parent), Received::Closed(Closure::Ended));
    });
}

#[test]
fn a_link_dropped_without_close_is_closed() {
    every_transport(|pair| {
        let (mut parent, mut child) = mains(&pair);
        drop(pair.child);
        child.tx.send(b"the lanes keep it").unwrap();
        assert_eq!(record(&mut parent), b"the lanes keep it");
        drop(child);

        assert_eq!(event(&mut parent), Received::Closed(Closure::Ended));
    });
}

#[test]
fn a_record_that_is_too_long_is_refused_and_harms_nothing() {
    every_transport(|pair| {
        let (mut parent, mut child) = mains(&pair);
        let too_long = SendError::TooLong { length: RECORD_BYTES + 1, limit: RECORD_BYTES };
        let longest = vec![7; RECORD_BYTES];

        assert_eq!(child.tx.send(&[7; RECORD_BYTES + 1]), Err(too_long));
        child.tx.send(&longest).unwrap();
        child.tx.send(b"").unwrap();

        assert_eq!(record(&mut parent), longest);
        assert_eq!(record(&mut parent), b"");
    });
}

#[test]
fn a_lane_is_announced_once_with_its_first_record() {
    every_transport(|pair| {
        let (announce, announced) = mpsc::channel();
        pair.parent.on_lane(Box::new(move |id, mut lane| {
            let mut first = Vec::new();
            let received = lane.rx.recv(&mut first, Some(Instant::now()));
            announce.send((id, lane, received, first)).unwrap();
        }));
        let mut child = pair.child.open(LaneId(3)).unwrap();
        child.tx.send(b"first").unwrap();
        child.tx.send(b"second").unwrap();

        let (id, mut lane, received, first) = announced.recv().unwrap();
        assert_eq!((id, received, first), (LaneId(3), Received::Record, b"first".to_vec()));
        assert_eq!(record(&mut lane), b"second");
        lane.tx.send(b"answer").unwrap();
        assert_eq!(record(&mut child), b"answer");
        assert!(announced.try_recv().is_err());
        assert_eq!(pair.parent.open(LaneId(3)).unwrap_err(), OpenError::Taken(LaneId(3)));
    });
}

#[test]
fn a_lane_nobody_handles_is_misuse() {
    every_transport(|pair| {
        let (mut parent, _main) = mains(&pair);
        let mut child = pair.child.open(LaneId(1)).unwrap();

        // The memory link knows at once that it was refused.
        let _ = child.tx.send(b"abc");

        let misused = Closure::Misused { length: 3 };
        assert_eq!(event(&mut parent), Received::Closed(misused));
        assert_eq!(event(&mut child), Received::Closed(Closure::Ended));
    });
}

#[test]
fn a_lane_is_taken_once_and_must_exist() {
    every_transport(|pair| {
        let lanes = [LaneId::MAIN, LaneId(1), LaneId(LANES - 1)];
        for lane in lanes {
            let _first = pair.child.open(lane).unwrap();
            assert_eq!(pair.child.open(lane).unwrap_err(), OpenError::Taken(lane));
        }
        let beyond = LaneId(LANES);
        assert_eq!(pair.child.open(beyond).unwrap_err(), OpenError::NoSuchLane(beyond));
    });
}

#[test]
fn all_lanes_work_at_once() {
    every_transport(|pair| {
        pair.parent.on_lane(Box::new(|id, mut lane| {
            thread::spawn(move || {
                let mut buffer = Vec::new();
                while let Received::Record = lane.rx.recv(&mut buffer, Some(late())) {
                    buffer.push(id.0);
                    lane.tx.send(&buffer).unwrap();
                }
            });
        }));
        let callers = (1..LANES).map(|lane| {
            let mut lane_end = pair.child.open(LaneId(lane)).unwrap();
            thread::spawn(move || {
                for call in 0..50 {
                    lane_end.tx.send(&[call]).unwrap();
                    assert_eq!(record(&mut lane_end), [call, lane]);
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.join().unwrap();
        }
    });
}

#[test]
fn what_is_for_others_ends_no_wait_and_delays_no_deadline() {
    every_transport(|pair| {
        let (mut parent, mut child) = mains(&pair);
        let (announced, lanes) = mpsc::channel();
        pair.parent.on_lane(Box::new(move |_, lane| announced.send(lane).unwrap()));
        let mut busy = pair.child.open(LaneId(1)).unwrap();
        busy.tx.send(b"first").unwrap();
        // Nobody waits for anything meanwhile.
        let mut at_parent = lanes.recv().unwrap();
        assert_eq!(record(&mut at_parent), b"first");
        let echo = thread::spawn(move || {
            let mut buffer = Vec::new();
            while let Received::Record = at_parent.rx.recv(&mut buffer, Some(late())) {
                at_parent.tx.send(&buffer).unwrap();
            }
        });
        let caller = thread::spawn(move || {
            for call in 0..500_u32 {
                busy.tx.send(&call.to_le_bytes()).unwrap();
                assert_eq!(record(&mut busy), call.to_le_bytes());
            }
        });
        let mut buffer = Vec::new();
        while !caller.is_finished() {
            let deadline = Instant::now() + Duration::from_millis(1);
            for end in [&mut parent, &mut child] {
                assert_eq!(end.rx.recv(&mut buffer, Some(deadline)), Received::TimedOut);
                assert!(Instant::now() >= deadline);
            }
        }
        caller.join().unwrap();
        child.tx.send(b"still there").unwrap();
        assert_eq!(record(&mut parent), b"still there");
        pair.child.close();
        echo.join().unwrap();
    });
}

#[test]
fn a_waker_is_heard_whoever_receives() {
    every_transport(|pair| {
        let (mut parent, mut child) = mains(&pair);
        let waker = parent.rx.waker();
        let (sender, others) = mpsc::channel();
        pair.parent.on_lane(Box::new(move |_, lane| sender.send(lane).unwrap()));
        let mut further = pair.child.open(LaneId(2)).unwrap();
        further.tx.send(b"open").unwrap();
        let mut other = others.recv().unwrap();
        let receiver = thread::spawn(move || {
            assert_eq!(record(&mut other), b"open");
            while event(&mut other) == Received::Record {}
        });
        let mut buffer = Vec::new();
        for round in 0..300_u32 {
            let waking = waker.clone();
            let thread = thread::spawn(move || waking.wake());
            further.tx.send(&round.to_le_bytes()).unwrap();
            child.tx.send(&round.to_le_bytes()).unwrap();
            let mut seen = [parent.rx.recv(&mut buffer, Some(late())), parent.rx.recv(&mut buffer, Some(late()))];
            if seen[0] == Received::Record {
                seen.swap(0, 1);
            }
            assert_eq!(seen, [Received::Woken, Received::Record]);
            thread.join().unwrap();
        }
        pair.child.close();
        receiver.join().unwrap();
    });
}

#[test]
fn what_is_flushed_is_not_lost_by_closing() {
    every_transport(|pair| {
        let (mut parent, mut child) = mains(&pair);
        for _ in 0..2_000 {
            child.tx.send(&[1; 1000]).unwrap();
        }
        assert!(pair.child.flush(late()));
        drop((pair.child, child));

        for _ in 0..2_000 {
            assert_eq!(record(&mut parent).len(), 1000);
        }
        assert_eq!(event(&mut parent), Received::Closed(Closure::Ended));
    });
}

#[test]
fn a_peer_that_sends_more_than_may_lie_there_is_cut_off() {
    let limit = 100_000;
    every_transport_of(limit, move |pair| {
        let (mut parent, mut child) = mains(&pair);
        while child.tx.send(&[1; 1000]).is_ok() {}

        let mut arrived = 0;
        let closure = loop {
            match event(&mut parent) {
                Received::Record => arrived += 1000,
                other => break other,
            }
        };
        assert_eq!(closure, Received::Closed(Closure::Overflow { limit }));
        assert!(arrived <= limit && arrived >= limit - 10_000, "{arrived}");
        assert_eq!(event(&mut child), Received::Closed(Closure::Ended));
    });
}

#[test]
fn sending_to_a_peer_that_never_receives_returns() {
    every_transport(|pair| {
        let (_parent, mut child) = mains(&pair);
        let mut refused = 0;
        for _ in 0..100_000 {
            match child.tx.send(&[1; 1024]) {
                Ok(()) => {}
                Err(SendError::Closed) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        // More than the parent's inbox takes; how soon the child learns of it is the transport's business.
        assert!(refused > 0 || !pair.child.flush(late()));
    });
}

#[test]
fn a_handler_may_be_replaced_and_a_lane_kept_by_it_is_closed_by_close() {
    every_transport(|pair| {
        pair.parent.on_lane(Box::new(|_, _| panic!("replaced")));
        let (keep, kept) = mpsc::channel();
        pair.parent.on_lane(Box::new(move |_, lane| keep.send(lane).unwrap()));
        let mut child = pair.child.open(LaneId(1)).unwrap();
        child.tx.send(b"x").unwrap();
        let mut lane = kept.recv().unwrap();
        pair.parent.close();

        assert_eq!(record(&mut lane), b"x");
        assert_eq!(event(&mut lane), Received::Closed(Closure::Ended));
        assert!(kept.recv().is_err(), "the handler is gone");
    });
}

#[test]
fn both_sides_are_told_of_the_end_once() {
    every_transport(|pair| {
        let (tell, told) = mpsc::channel();
        for (side, link) in [("parent", &pair.parent), ("child", &pair.child)] {
            let tell = tell.clone();
            link.on_close(Box::new(move |closure| tell.send((side, closure)).unwrap()));
        }
        drop(tell);

        pair.child.close();
        pair.child.close();

        let mut all = told.iter().collect::<Vec<_>>();
        all.sort_by_key(|(side, _)| *side);
        assert_eq!(all, [("child", Closure::Ended), ("parent", Closure::Ended)]);
    });
}

#[test]
fn who_asks_late_is_told_of_the_end_at_once() {
    every_transport(|pair| {
        pair.parent.close();
        let (tell, told) = mpsc::channel();

        pair.parent.on_close(Box::new(move |closure| tell.send(closure).unwrap()));

        assert_eq!(told.try_recv(), Ok(Closure::Ended));
    });
}

#[test]
fn the_peer_is_told_when_an_end_is_dropped() {
    every_transport(|pair| {
        let (tell, told) = mpsc::channel();
        pair.parent.on_close(Box::new(move |closure| tell.send(closure).unwrap()));

        drop(pair.child);

        assert_eq!(told.recv(), Ok(Closure::Ended));
    });
}

#[test]
fn who_cuts_off_its_peer_is_told_why() {
    let limit = 10_000;
    every_transport_of(limit, move |pair| {
        let (tell, told) = mpsc::channel();
        pair.parent.on_close(Box::new(move |closure| tell.send(closure).unwrap()));
        let mut child = pair.child.open(LaneId::MAIN).unwrap();

        while child.tx.send(&[1; 1000]).is_ok() {}

        assert_eq!(told.recv(), Ok(Closure::Overflow { limit }));
    });
}

#[test]
fn a_handler_of_the_end_may_use_the_link() {
    every_transport(|pair| {
        let (tell, told) = mpsc::channel();
        let parent = Arc::new(pair.parent);
        let link = Arc::clone(&parent);
        parent.on_close(Box::new(move |_| {
            link.close();
            tell.send(link.open(LaneId::MAIN).map(drop)).unwrap();
        }));

        parent.close();

        assert_eq!(told.recv(), Ok(Err(OpenError::Closed)));
    });
}
