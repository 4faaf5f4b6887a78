//! The records of several lanes, joined into messages, with a peer that sends any records.
//!
//! A model beside it knows what comes out of them, and what all of it may take together.

use remote_protocol::limits::Limits;
use remote_protocol::record::{self, Budget, Charge, JoinError, Joiner, Message};
use serde::{Deserialize, Serialize};

use super::steps::{next, script};

/// Takes the bytes for a budget and steps. Gives whether there were any.
pub(crate) fn records(mut bytes: &[u8]) -> bool {
    let Some(settings) = next(&mut bytes) else { return false };
    let mut link = Link::new(settings);
    let mut steps = 0;
    while let Some(step) = next(&mut bytes) {
        steps += 1;
        link.perform(step);
        link.check();
    }
    steps > 0
}

/// What honest peers send, and what nearly is that.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let tiny = Settings::Few { limit: 90, longest: 60 };
    let record = |lane, bytes| Step::Record { lane, bytes };
    let piece = |lane, length| Step::Piece { lane, is_last: false, length };
    let last = |lane, length| Step::Piece { lane, is_last: true, length };
    [
        ("short", tiny, vec![record(0, b"\0a message".as_slice()), record(1, b"\0"), Step::Handled(0)]),
        ("joined", tiny, vec![piece(0, 20), piece(1, 30), last(0, 20), last(1, 1), Step::Handled(1), Step::Handled(0)]),
        ("too-long", tiny, vec![piece(0, 40), piece(0, 20), last(0, 1), record(0, b"\0again")]),
        ("too-much", tiny, vec![piece(0, 50), Step::Charge(30), piece(1, 20), Step::Refund(0), piece(2, 40)]),
        ("ended", tiny, vec![piece(0, 50), Step::End(0), piece(1, 50), last(1, 10), Step::End(1)]),
        ("no-record", tiny, vec![record(0, b""), record(1, b"\x02abc"), piece(0, 1)]),
        (
            "split",
            Settings::Usual,
            vec![Step::Message { lane: 0, length: 70_000 }, Step::Message { lane: 1, length: 9 }],
        ),
    ]
    .map(|(name, settings, steps)| (name, script(&settings, &steps)))
    .into()
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Settings {
    Usual,
    Few { limit: u16, longest: u16 },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step<'a> {
    Record {
        lane: u8,
        bytes: &'a [u8],
    },
    Piece {
        lane: u8,
        is_last: bool,
        length: u16,
    },
    /// As an honest peer sends it.
    Message {
        lane: u8,
        length: u32,
    },
    /// Something waits.
    Charge(u16),
    Refund(u8),
    /// A message is handled.
    Handled(u8),
    /// A lane ends, and another takes its place.
    End(u8),
}

struct Link {
    budget: Budget,
    limit: usize,
    longest: usize,
    lanes: [Lane; 3],
    messages: Vec<Message>,
    charges: Vec<Charge>,
}

struct Lane {
    /// `None` when it cannot be used further.
    joiner: Option<Joiner>,
    pieces: Vec<u8>,
}

impl Link {
    fn new(settings: Settings) -> Self {
        let (limit, longest) = match settings {
            Settings::Usual => (Limits::new().inbox_bytes(), Limits::new().max_message_bytes()),
            Settings::Few { limit, longest } => (limit.into(), longest.into()),
        };
        let budget = Budget::new(limit, longest);
        let lanes = [(); 3].map(|()| Lane::new(&budget));
        Self { budget, limit, longest, lanes, messages: Vec::new(), charges: Vec::new() }
    }

    fn perform(&mut self, step: Step<'_>) {
        match step {
            Step::Record { lane, bytes } => self.receive(lane, bytes),
            Step::Piece { lane, is_last, length } => {
                let mut bytes = vec![lane; usize::from(length) + 1];
                bytes[0] = u8::from(!is_last);
                self.receive(lane, &bytes);
            }
            Step::Message { lane, length } => {
                let mut begun = Vec::new();
                record::begin(&mut begun);
                begun.resize(record::BEGINNING_BYTES + (length % MOST_BYTES) as usize, lane);
                let mut records = Vec::new();
                let split = record::split(&begun, &mut Vec::new(), |record| {
                    records.push(record.to_vec());
                    Ok::<_, ()>(())
                });
                assert_eq!(split, Ok(()));
                records.iter().for_each(|record| self.receive(lane, record));
            }
            Step::Charge(bytes) => {
                let fits = self.held() + usize::from(bytes) <= self.limit;
                let charge = self.budget.charge(bytes.into());
                assert_eq!(charge.as_ref().map(Charge::bytes), fits.then_some(bytes.into()));
                self.charges.extend(charge);
            }
            Step::Refund(which) => {
                let which = usize::from(which) % self.charges.len().max(1);
                if which < self.charges.len() {
                    drop(self.charges.swap_remove(which));
                }
            }
            Step::Handled(which) => {
                let which = usize::from(which) % self.messages.len().max(1);
                if which < self.messages.len() {
                    drop(self.messages.swap_remove(which).into_buffer());
                }
            }
            Step::End(lane) => self.lanes[usize::from(lane % 3)] = Lane::new(&self.budget),
        }
    }

    fn receive(&mut self, lane: u8, record: &[u8]) {
        let expected = self.expected(lane, record);
        let lane = &mut self.lanes[usize::from(lane % 3)];
        let Some(joiner) = &mut lane.joiner else { return };
        let joined = joiner.join(&mut record.to_vec());
        match (joined, expected) {
            (Ok(None), Ok(None)) => lane.pieces.extend_from_slice(&record[1..]),
            (Ok(Some(message)), Ok(Some((bytes, is_charged)))) => {
                assert_eq!((&*message, message.is_charged()), (bytes.as_slice(), is_charged));
                lane.pieces.clear();
                self.messages.push(message);
            }
            (Err(error), Err(expected)) => {
                assert_eq!(error, expected);
                lane.pieces.clear();
                lane.joiner = None;
            }
            (joined, expected) => panic!("{joined:?} in place of {expected:?}"),
        }
    }

    /// The message that a record completes, and whether it is charged for.
    fn expected(&self, lane: u8, record: &[u8]) -> Result<Option<(Vec<u8>, bool)>, JoinError> {
        let pieces = &self.lanes[usize::from(lane % 3)].pieces;
        let (is_last, piece) = match record {
            [] | [1] => return Err(JoinError::Empty),
            [first @ 0..=1, piece @ ..] => (*first == 0, piece),
            [first, ..] => return Err(JoinError::Unknown { first: *first }),
        };
        if is_last && pieces.is_empty() {
            return Ok(Some((piece.to_vec(), false)));
        }
        if pieces.len() + piece.len() > self.longest {
            return Err(JoinError::TooLong { limit: self.longest });
        }
        if self.held() + piece.len() > self.limit {
            return Err(JoinError::TooMuch { limit: self.limit });
        }
        Ok(is_last.then(|| ([pieces, piece].concat(), true)))
    }

    /// What is charged.
    fn held(&self) -> usize {
        let pieces = self.lanes.iter().map(|lane| lane.pieces.len());
        let joined = self.messages.iter().filter(|message| message.is_charged()).map(|message| message.len());
        pieces.chain(joined).chain(self.charges.iter().map(Charge::bytes)).sum()
    }

    /// What is left is what nothing holds.
    fn check(&self) {
        let left = self.limit - self.held();
        assert!(self.budget.charge(left).is_some() && self.budget.charge(left + 1).is_none(), "{left} bytes are left");
    }
}

impl Lane {
    fn new(budget: &Budget) -> Self {
        Self { joiner: Some(Joiner::new(budget.clone())), pieces: Vec::new() }
    }
}

/// Longer messages teach nothing.
const MOST_BYTES: u32 = 200_000;
