use std::time::Duration;

use remote_protocol::link::Received;

use super::*;

#[test]
fn a_delayed_record_arrives_late_in_order_and_before_the_end() {
    let delay = Duration::from_millis(20);
    let (parent, child) = pair(Faults::none().delay(delay));
    let (mut parent, mut main) = (parent.open(LaneId::MAIN).unwrap(), child.open(LaneId::MAIN).unwrap());
    let start = Instant::now();
    main.tx.send(b"a").unwrap();
    main.tx.send(b"b").unwrap();
    child.close();

    let mut record = Vec::new();
    assert_eq!(parent.rx.recv(&mut record, Some(start)), Received::TimedOut);
    assert_eq!(parent.rx.recv(&mut record, None), Received::Record);
    assert!(start.elapsed() >= delay);
    assert_eq!(record, b"a");
    assert_eq!(parent.rx.recv(&mut record, None), Received::Record);
    assert_eq!(record, b"b");
    assert_eq!(parent.rx.recv(&mut record, None), Received::Closed(Closure::Ended));
}

#[test]
fn the_record_in_which_the_link_dies_is_lost() {
    for last in 1..10_u64 {
        let (parent, child) = pair(Faults::none().die_after(last));
        let mut parent = parent.open(LaneId::MAIN).unwrap();
        let mut child = child.open(LaneId::MAIN).unwrap();

        for step in 0..last {
            let side = if step % 2 == 0 { &mut parent } else { &mut child };
            assert_eq!(side.tx.send(b"x"), Ok(()));
        }
        assert_eq!(parent.tx.send(b"x"), Err(SendError::Closed));

        let arrived = count(&mut parent) + count(&mut child);
        assert_eq!(arrived, last - 1);
    }
}

#[test]
fn a_link_that_dies_at_once_is_closed_from_the_start() {
    let (parent, child) = pair(Faults::none().die_after(0));

    assert_eq!(parent.open(LaneId::MAIN).unwrap_err(), OpenError::Closed);
    assert_eq!(child.open(LaneId::MAIN).unwrap_err(), OpenError::Closed);
    assert!(!child.flush(Instant::now()));
}

#[test]
fn dropping_both_ends_frees_everything() {
    let (parent, child) = pair(Faults::none());
    let weak = (Arc::downgrade(&parent.end.inbox), Arc::downgrade(&child.end.inbox));
    let mut lane = child.open(LaneId(1)).unwrap();
    parent.on_lane(Box::new(|_, _| {}));
    lane.tx.send(b"x").unwrap();

    drop((parent, child, lane));

    assert!(weak.0.upgrade().is_none());
    assert!(weak.1.upgrade().is_none());
}

fn count(lane: &mut Lane) -> u64 {
    let mut record = Vec::new();
    let mut count = 0;
    while lane.rx.recv(&mut record, None) == Received::Record {
        count += 1;
    }
    count
}
