//! A ring whose other side does as it is told: it writes anything anywhere, at any time, between any two reads.
//!
//! As long as it is told nothing bad, every record comes over as it was. After that, whoever is lied to gets a record no longer than any is,
//! nothing, or the lie, and takes no longer for it than for a record.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;

use remote_protocol::limits::RECORD_BYTES;
use serde::{Deserialize, Serialize};

use crate::lane::ring::{Consumer, Lie, Memory, Producer, PushError, is_length};
use crate::lane::word::Word;

/// Takes the bytes for a size and steps. Gives whether there was any.
pub(crate) fn ring(mut bytes: &[u8]) -> bool {
    let Some(size) = next::<Size>(&mut bytes) else { return false };
    let words = match size {
        Size::Tiny => 64,
        Size::Near => 8 * 1024,
        Size::Small => 32 * 1024,
        Size::Far => 256 * 1024,
    };
    // The system has zeros for what is touched.
    let mut words = vec![0_u64; words];
    let shared = Shared {
        data: Cell::from_mut(words.as_mut_slice()).as_slice_of_cells(),
        head: Cell::new(0),
        wanted: Cell::new(0),
        limit: Cell::new(u64::MAX),
    };
    let mut ring = Scripted::new(&shared);
    let mut steps = 0;
    while let Some(step) = next(&mut bytes) {
        ring.perform(step);
        steps += 1;
    }
    if !ring.is_bad {
        ring.settle();
    }
    steps > 0
}

/// Exchanges, and lies.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let push = |length| Step::Push { length, tag: 3 };
    let at_header = |value| Step::Write { at: Place::Next(0), value };
    let mut burst: Vec<_> = (0..40).map(|length| push(length * 100)).collect();
    burst.extend([Step::WantRoom { length: 9 }, Step::Pop, Step::Tell, Step::WantRoom { length: 9 }, Step::Pop]);
    let around: Vec<_> = (0..30).flat_map(|length| [push(length * 7), Step::Pop, Step::Rest]).collect();
    let longest = vec![push(u16::MAX), Step::Peek, Step::Look, Step::Pop, Step::Tell];
    let lengths = [0, 1, RECORD_BYTES as u64 + 1, RECORD_BYTES as u64 + 2, u64::MAX, 1 << 32, (7 << 32) | 5];
    let headers = lengths.iter().flat_map(|length| [push(8), at_header(*length), Step::Pop]).collect();
    let lies = vec![push(20), Step::Lie { after: 1, value: 3 }, Step::Pop, Step::Pop];
    let heads = vec![push(300), Step::Head(Taken::Exactly), push(300), Step::Head(Taken::More(1)), push(3000)];
    let back =
        vec![push(300), Step::Pop, Step::Tell, push(400), Step::Head(Taken::Less(1)), Step::WantRoom { length: 9 }];
    [
        ("burst", Size::Near, burst),
        ("around", Size::Tiny, around.clone()),
        ("around-small", Size::Small, around),
        ("longest", Size::Small, longest),
        ("headers", Size::Tiny, headers),
        ("lies", Size::Tiny, lies),
        ("heads", Size::Tiny, heads),
        ("heads-back", Size::Near, back),
        ("limit", Size::Small, vec![push(100), Step::Limit(200), push(200), Step::WantRoom { length: 200 }]),
        (
            "far",
            Size::Far,
            vec![Step::Burst { records: 250, length: 8000 }, Step::Drain, Step::Burst { records: 3, length: 9 }],
        ),
    ]
    .map(|(name, size, steps)| (name, encoded(size, &steps)))
    .into()
}

fn encoded(size: Size, steps: &[Step]) -> Vec<u8> {
    let mut bytes = postcard::to_allocvec(&size).expect("it is a few bytes");
    for step in steps {
        bytes.extend(postcard::to_allocvec(step).expect("it is a few bytes"));
    }
    bytes
}

/// The next thing that the bytes say. What says nothing is skipped, so that few changes of an input change all of it.
fn next<'a, T: Deserialize<'a>>(bytes: &mut &'a [u8]) -> Option<T> {
    while let [_, skipped @ ..] = *bytes {
        let Ok((step, rest)) = postcard::take_from_bytes(bytes) else {
            *bytes = skipped;
            continue;
        };
        *bytes = rest;
        return Some(step);
    }
    None
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Size {
    /// A few words: everything goes around soon.
    Tiny,
    /// Room for a producer to start over early.
    Near,
    /// As small as a ring in use can be.
    Small,
    /// Memory is given back after a burst.
    Far,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step {
    // What an honest producer does, or the one that is lied to.
    Push {
        length: u16,
        tag: u16,
    },
    Burst {
        records: u8,
        length: u16,
    },
    WantRoom {
        length: u16,
    },
    // What an honest consumer does, or the one that is lied to.
    Pop,
    Drain,
    Peek,
    Look,
    Rest,
    Tell,
    // What a parent allows its child.
    Limit(u32),
    // What nobody does who is honest.
    Write {
        at: Place,
        value: u64,
    },
    Head(Taken),
    Wanted(u64),
    /// After so many reads of anything, one gives this.
    Lie {
        after: u16,
        value: u64,
    },
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Place {
    /// So many words from where the consumer is.
    Next(u16),
    Anywhere(u32),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Taken {
    Exactly,
    More(u32),
    Less(u32),
    Anything(u64),
}

struct Scripted<'a> {
    shared: &'a Shared<'a>,
    producer: Option<Producer<&'a Shared<'a>>>,
    consumer: Option<Consumer<&'a Shared<'a>>>,
    /// What was pushed and not popped, while nobody has lied.
    between: VecDeque<(Vec<u8>, u16)>,
    pushed: u8,
    /// Whether the producer waits to be told of room, if nobody meddles with that.
    waits: Option<bool>,
    /// Where the consumer was when it last said so.
    told: u64,
    is_bad: bool,
    record: Vec<u8>,
}

impl<'a> Scripted<'a> {
    fn new(shared: &'a Shared<'a>) -> Self {
        LIES.with_borrow_mut(VecDeque::clear);
        Self {
            shared,
            producer: Some(Producer::new(shared)),
            consumer: Some(Consumer::new(shared)),
            between: VecDeque::new(),
            pushed: 0,
            waits: Some(false),
            told: 0,
            is_bad: false,
            record: Vec::new(),
        }
    }

    fn perform(&mut self, step: Step) {
        let reads = READS.get();
        match step {
            Step::Push { length, tag } => drop(self.push(length.into(), tag)),
            Step::Burst { records, length } => drop((0..records).try_for_each(|_| self.push(length.into(), 1))),
            Step::WantRoom { length } => self.want_room(length.into()),
            Step::Pop => drop(self.pop()),
            Step::Drain => while self.pop().is_some() && !self.is_bad {},
            Step::Peek => {
                let Some(consumer) = &self.consumer else { return };
                let length = consumer.peek();
                if !self.is_bad {
                    assert_eq!(length, self.between.front().map(|(record, _)| record.len()));
                }
                assert!(length.is_none_or(|length| length <= RECORD_BYTES));
            }
            Step::Look => {
                let Some(consumer) = &self.consumer else { return };
                let ready = [consumer.is_ready(), consumer.observe_ready()];
                assert!(self.is_bad || ready == [!self.between.is_empty(); 2], "{ready:?}");
                let _ = consumer.is_room_wanted();
            }
            Step::Rest => self.consumer.iter_mut().for_each(Consumer::rest),
            Step::Tell => self.tell(),
            Step::Limit(bytes) => self.shared.limit.set(bytes.into()),
            Step::Write { at, value } => {
                let data = self.shared.data;
                let place = match at {
                    Place::Next(words) => self.told as usize + usize::from(words),
                    Place::Anywhere(word) => word as usize,
                };
                data[place % data.len()].store(value);
                self.is_bad = true;
            }
            Step::Head(taken) => {
                let head = match taken {
                    Taken::Exactly => self.told,
                    Taken::More(words) => self.told.wrapping_add(words.into()),
                    Taken::Less(words) => self.told.wrapping_sub(words.into()),
                    Taken::Anything(head) => head,
                };
                self.shared.head.store(head);
                self.is_bad |= head != self.told;
            }
            Step::Wanted(value) => {
                self.shared.wanted.store(value);
                self.waits = None;
            }
            Step::Lie { after, value } => {
                LIES.with_borrow_mut(|lies| lies.push_back((after, value)));
                self.is_bad = true;
            }
        }
        let read = READS.get() - reads;
        let records = match step {
            Step::Burst { records, .. } => records.into(),
            Step::Drain => u64::MAX,
            _ => 1,
        };
        assert!(read.div_ceil(8 + RECORD_BYTES as u64 / 8) <= records, "{read} reads");
        if !self.is_bad {
            let head = self.shared.head.get();
            assert!(head >= self.told, "from {} to {head}", self.told);
            self.told = head;
        }
    }

    fn push(&mut self, length: usize, tag: u16) -> Option<()> {
        let producer = self.producer.as_mut()?;
        let length = length.min(RECORD_BYTES);
        let record: Vec<_> =
            (0..length).map(|index| (index as u8).wrapping_mul(31).wrapping_add(self.pushed)).collect();
        let pushed = producer.push(&record, tag);
        assert!(producer.untaken_bytes() <= self.shared.data.len() * 8);
        match pushed {
            Ok(()) => {
                self.pushed = self.pushed.wrapping_add(1);
                self.between.push_back((record, tag));
                return Some(());
            }
            Err(PushError::Full) => {}
            Err(PushError::Lie(lie)) => self.found(lie, true),
        }
        None
    }

    fn want_room(&mut self, length: usize) {
        let Some(producer) = &mut self.producer else { return };
        match producer.want_room(length) {
            Ok(has_room) => {
                self.waits = self.waits.map(|_| !has_room);
                if has_room && !self.is_bad {
                    self.push(length, 0).expect("there is room");
                }
            }
            Err(lie) => self.found(lie, true),
        }
    }

    fn tell(&mut self) {
        let Some(consumer) = &mut self.consumer else { return };
        let wants_room = consumer.tell();
        self.is_told(wants_room, true);
    }

    /// A producer that waits is told, at the latest when the consumer looks.
    fn is_told(&mut self, wants_room: bool, looked: bool) {
        if let (Some(waits), false) = (self.waits, self.is_bad) {
            assert!(wants_room == waits || waits && !looked, "it waits: {waits}, and was told: {wants_room}");
        }
        self.waits = self.waits.map(|waits| waits && !wants_room);
    }

    fn pop(&mut self) -> Option<()> {
        let consumer = self.consumer.as_mut()?;
        let rounds = consumer.rounds();
        let popped = consumer.pop(&mut self.record);
        assert!(self.record.len() <= RECORD_BYTES);
        assert!(consumer.rounds() - rounds <= 1 + RECORD_BYTES as u64 / 8 / self.shared.data.len() as u64);
        let popped = popped.unwrap_or_else(|lie| {
            self.found(lie, false);
            None
        })?;
        self.is_told(popped.wants_room, false);
        let expected = self.between.pop_front();
        if !self.is_bad {
            let (record, tag) = expected.expect("it was pushed");
            assert_eq!((&self.record, popped.tag), (&record, tag));
        }
        Some(())
    }

    /// Whoever finds a lie has nothing to do with the other any more.
    fn found(&mut self, lie: Lie, is_producer: bool) {
        assert!(self.is_bad, "{lie:?} of an honest peer");
        if is_producer {
            self.producer = None;
        } else {
            self.consumer = None;
        }
    }

    /// Nothing is lost, and then there is room for the longest record, wherever it starts.
    fn settle(&mut self) {
        while self.pop().is_some() {}
        assert!(self.between.is_empty(), "{} records are lost", self.between.len());
        self.tell();
        self.shared.limit.set(u64::MAX);
        let longest = if is_length(self.shared.data.len()) { RECORD_BYTES } else { self.shared.data.len() * 8 / 4 };
        self.want_room(longest);
        assert_eq!(self.between.pop_front().map(|(record, _)| record.len()), Some(longest));
    }
}

/// The memory.
struct Shared<'a> {
    data: &'a [Cell<u64>],
    head: Cell<u64>,
    wanted: Cell<u64>,
    limit: Cell<u64>,
}

thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
    /// How many reads tell the truth before the next that does not, and what that gives.
    static LIES: RefCell<VecDeque<(u16, u64)>> = const { RefCell::new(VecDeque::new()) };
}

impl Word for Cell<u64> {
    fn load(&self) -> u64 {
        READS.set(READS.get() + 1);
        LIES.with_borrow_mut(|lies| match lies.front_mut() {
            Some((0, lie)) => {
                let lie = *lie;
                lies.pop_front();
                lie
            }
            Some((after, _)) => {
                *after -= 1;
                self.get()
            }
            None => self.get(),
        })
    }

    fn store(&self, value: u64) {
        self.set(value);
    }

    fn acquire(&self) -> u64 {
        self.load()
    }

    fn release(&self, value: u64) {
        self.store(value);
    }

    fn publish(&self, value: u64) {
        self.store(value);
    }

    fn observe(&self) -> u64 {
        self.load()
    }
}

impl Memory for &Shared<'_> {
    type Word = Cell<u64>;

    fn data(&self) -> &[Cell<u64>] {
        self.data
    }

    fn head(&self) -> &Cell<u64> {
        &self.head
    }

    fn wanted(&self) -> &Cell<u64> {
        &self.wanted
    }

    fn limit(&self) -> u64 {
        self.limit.get()
    }

    fn vacate(&self, records: Range<usize>) {
        self.data[records].iter().for_each(|word| word.store(0));
    }
}
