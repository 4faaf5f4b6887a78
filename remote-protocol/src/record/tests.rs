use std::convert::Infallible;

use super::*;
use crate::limits::MESSAGE_BYTES;

fn records(message: &[u8]) -> Vec<Vec<u8>> {
    let (mut begun, mut records) = (vec![7], Vec::new());
    begin(&mut begun);
    begun.extend_from_slice(message);
    let Ok(()) = split(&begun, &mut Vec::new(), |record| {
        records.push(record.to_vec());
        Ok::<(), Infallible>(())
    });
    records
}

#[test]
fn messages_of_every_length_around_the_limits_survive_splitting() {
    let mut joiner = Joiner::new(Limits::new().into());
    for length in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 1 << 20] {
        let message: Vec<u8> = (0..length).map(|index| index as u8).collect();
        let records = records(&message);
        assert!(records.iter().all(|record| record.len() <= RECORD_BYTES));
        let (last, first) = records.split_last().unwrap();
        for record in first {
            assert!(joiner.join(&mut record.clone()).unwrap().is_none());
        }
        assert_eq!(*joiner.join(&mut last.clone()).unwrap().unwrap(), message[..]);
    }
}

#[test]
fn joining_never_holds_more_than_a_message_may_have() {
    let mut joiner = Joiner::new(Limits::new().into());
    let mut record = [&[MORE][..], &[7; PIECE_BYTES]].concat();
    let most = MESSAGE_BYTES / PIECE_BYTES;
    for _ in 0..most {
        assert!(joiner.join(&mut record).unwrap().is_none());
    }
    assert_eq!(joiner.join(&mut record).unwrap_err(), JoinError::TooLong { limit: MESSAGE_BYTES });
}

#[test]
fn lanes_share_one_budget_and_give_back_what_they_took() {
    let budget = Budget::new(MESSAGE_BYTES, MESSAGE_BYTES);
    let mut record = [&[MORE][..], &[7; PIECE_BYTES]].concat();
    let mut first = Joiner::new(budget.clone());
    for _ in 0..MESSAGE_BYTES / PIECE_BYTES {
        assert!(first.join(&mut record).unwrap().is_none());
    }
    let mut second = Joiner::new(budget);
    assert_eq!(second.join(&mut record).unwrap_err(), JoinError::TooMuch { limit: MESSAGE_BYTES });
    drop(first);
    assert!(second.join(&mut record).unwrap().is_none());
}

#[test]
fn what_waits_to_be_handled_is_in_the_same_budget() {
    let budget = Budget::new(PIECE_BYTES + 10, MESSAGE_BYTES);
    let mut record = [&[MORE][..], &[7; PIECE_BYTES]].concat();
    let waiting = budget.charge(11).unwrap();
    assert!(budget.charge(PIECE_BYTES).is_none());
    assert!(Joiner::new(budget.clone()).join(&mut record).is_err());
    drop(waiting);
    assert!(Joiner::new(budget.clone()).join(&mut record).is_ok());
    assert!(budget.charge(PIECE_BYTES + 10).is_some(), "a joiner gives back what it took");
    let mut joiner = Joiner::new(budget.clone());
    let (mut first, mut last) = (vec![MORE, 1, 2], vec![LAST, 3]);
    assert!(joiner.join(&mut first).unwrap().is_none());
    let message = joiner.join(&mut last).unwrap().unwrap();
    assert!(message.is_charged() && budget.charge(PIECE_BYTES + 8).is_none(), "it has not been handled");
    drop(message.into_buffer());
    assert!(budget.charge(PIECE_BYTES + 10).is_some());
}

#[test]
fn what_is_no_record_is_refused() {
    let mut joiner = Joiner::new(Limits::new().into());
    assert_eq!(joiner.join(&mut Vec::new()).unwrap_err(), JoinError::Empty);
    assert_eq!(joiner.join(&mut vec![MORE]).unwrap_err(), JoinError::Empty);
    assert_eq!(joiner.join(&mut vec![9, 1, 2]).unwrap_err(), JoinError::Unknown { first: 9 });
}

#[test]
fn a_message_that_is_kept_gives_back_what_it_does_not_need() {
    let mut record = Vec::with_capacity(256 * 1024);
    record.extend_from_slice(&[LAST, 1, 2, 3]);
    let mut message = Joiner::new(Limits::new().into()).join(&mut record).unwrap().unwrap();
    message.shrink();
    assert_eq!(&*message, [1, 2, 3]);
    assert!(message.into_buffer().capacity() < 100);
}
