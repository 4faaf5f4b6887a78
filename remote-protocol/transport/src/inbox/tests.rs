use std::sync::Arc;
use std::time::{Duration, Instant};

use remote_protocol::link::Receive;

use super::*;
use crate::handlers::Announce;

fn main_lane(inbox: &Arc<Inbox>) -> LaneReceiver<()> {
    inbox.open(LaneId::MAIN).expect("the lane is free");
    LaneReceiver::new(inbox, LaneId::MAIN, &Arc::new(()))
}

fn next(rx: &mut impl Receive) -> (Received, Vec<u8>) {
    let mut record = Vec::new();
    let received = rx.recv(&mut record, Some(Instant::now()));
    (received, record)
}

#[test]
fn a_wake_up_comes_before_the_records_and_once() {
    let inbox = Arc::new(Inbox::new());
    let mut rx = main_lane(&inbox);
    inbox.push(LaneId::MAIN, b"a", None).unwrap();
    rx.waker().wake();
    rx.waker().wake();

    assert_eq!(next(&mut rx).0, Received::Woken);
    assert_eq!(next(&mut rx), (Received::Record, b"a".to_vec()));
    assert_eq!(next(&mut rx).0, Received::TimedOut);
}

#[test]
fn the_first_closure_wins_and_comes_after_what_arrived() {
    let inbox = Arc::new(Inbox::new());
    let mut rx = main_lane(&inbox);
    inbox.push(LaneId::MAIN, b"a", None).unwrap();
    let first = Closure::Misused { length: 7 };

    assert_eq!(inbox.close(first), first);
    assert_eq!(inbox.close(Closure::Ended), first);

    assert_eq!(inbox.push(LaneId::MAIN, b"late", None), Err(first));
    assert_eq!(next(&mut rx), (Received::Record, b"a".to_vec()));
    assert_eq!(next(&mut rx).0, Received::Closed(first));
    assert_eq!(next(&mut rx).0, Received::Closed(first));
}

#[test]
fn a_closed_inbox_still_wakes() {
    let inbox = Arc::new(Inbox::new());
    let mut rx = main_lane(&inbox);
    inbox.close(Closure::Ended);
    rx.waker().wake();

    assert_eq!(next(&mut rx).0, Received::Woken);
    assert_eq!(next(&mut rx).0, Received::Closed(Closure::Ended));
}

#[test]
fn the_limit_counts_all_lanes_and_what_each_record_costs() {
    let inbox = Arc::new(Inbox::new());
    inbox.set_limit(2 * (MESSAGE_COST + 10));
    inbox.open(LaneId(1)).unwrap();
    inbox.push(LaneId::MAIN, &[0; 10], None).unwrap();
    inbox.push(LaneId(1), &[0; 10], None).unwrap();

    let refused = inbox.push(LaneId(1), &[], None);

    assert_eq!(refused, Err(Closure::Overflow { limit: 2 * (MESSAGE_COST + 10) }));
}

#[test]
fn what_was_received_no_longer_counts() {
    let inbox = Arc::new(Inbox::new());
    inbox.set_limit(MESSAGE_COST + 10);
    let mut rx = main_lane(&inbox);

    for round in 0..100 {
        inbox.push(LaneId::MAIN, &[round; 10], None).unwrap();
        assert_eq!(next(&mut rx), (Received::Record, vec![round; 10]));
    }
    assert_eq!(inbox.cost.load(Ordering::Relaxed), 0);
}

#[test]
fn a_record_that_is_due_later_is_received_later() {
    let inbox = Arc::new(Inbox::new());
    let mut rx = main_lane(&inbox);
    let due = Instant::now() + Duration::from_millis(20);
    inbox.push(LaneId::MAIN, b"a", Some(due)).unwrap();

    assert_eq!(next(&mut rx).0, Received::TimedOut);
    let mut record = Vec::new();
    assert_eq!(rx.recv(&mut record, None), Received::Record);
    assert!(Instant::now() >= due);
}

#[test]
fn a_closed_lane_can_be_taken_for_what_lies_in_it() {
    let inbox = Arc::new(Inbox::new());
    inbox.push(LaneId::MAIN, b"last words", None).unwrap();
    inbox.close(Closure::Ended);

    let mut rx = main_lane(&inbox);

    assert_eq!(next(&mut rx), (Received::Record, b"last words".to_vec()));
    assert_eq!(inbox.open(LaneId(1)), Err(OpenError::Closed));
}

#[test]
fn a_handler_does_not_outlive_the_link() {
    let inbox = Inbox::new();
    let handler: Arc<Announce> = Arc::new(|_| {});
    let weak = Arc::downgrade(&handler);
    inbox.handlers().on_announce(handler);

    inbox.close(Closure::Ended);
    assert!(weak.upgrade().is_none());

    let late: Arc<Announce> = Arc::new(|_| {});
    let weak = Arc::downgrade(&late);
    inbox.handlers().on_announce(late);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_record_of_an_unknown_lane_is_misuse() {
    let inbox = Inbox::new();

    let refused = inbox.push(LaneId(LANES), b"abc", None);

    assert_eq!(refused, Err(Closure::Misused { length: 3 }));
}

#[test]
fn a_waker_does_not_keep_the_records() {
    let inbox = Arc::new(Inbox::new());
    let waker = main_lane(&inbox).waker();
    let weak = Arc::downgrade(&inbox);

    drop(inbox);

    assert!(weak.upgrade().is_none());
    waker.wake();
}
