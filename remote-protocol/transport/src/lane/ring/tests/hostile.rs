//! A ring in memory that lies: every read gives what was written, or something else.

use std::cell::Cell;
use std::iter;
use std::rc::Rc;

use proptest::prelude::*;

use super::super::*;

/// A word, and where its lies come from.
struct Word {
    value: Cell<u64>,
    liar: Rc<Liar>,
}

struct Liar {
    /// Marsaglia's xorshift.
    state: Cell<u64>,
    /// Of how many reads one is a lie.
    one_in: u64,
    reads: Cell<u64>,
}

impl Liar {
    fn next(&self) -> u64 {
        let mut state = self.state.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.state.set(state);
        state
    }

    /// What is read where `truth` was written.
    fn tell(&self, truth: u64) -> u64 {
        self.reads.set(self.reads.get() + 1);
        if !self.next().is_multiple_of(self.one_in) {
            return truth;
        }
        match self.next() % 8 {
            0 => 0,
            1 => AROUND,
            2 => truth.wrapping_add(1),
            3 => truth.wrapping_sub(1),
            // A record that can be, and one that can nearly be.
            4 => header_of((self.next() % RECORD_BYTES as u64) as usize, 0),
            5 => RECORD_BYTES as u64 + self.next() % 4,
            6 => self.next() % 100_000,
            _ => self.next(),
        }
    }
}

impl super::super::Word for Word {
    fn load(&self) -> u64 {
        self.liar.tell(self.value.get())
    }

    fn store(&self, value: u64) {
        self.value.set(value);
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

struct Lying {
    data: Box<[Word]>,
    head: Word,
    wanted: Word,
    liar: Rc<Liar>,
}

impl Lying {
    fn new(seed: u64, one_in: u64) -> Rc<Self> {
        let liar = Rc::new(Liar { state: Cell::new(seed | 1), one_in, reads: Cell::new(0) });
        let word = || Word { value: Cell::new(0), liar: Rc::clone(&liar) };
        let data = iter::repeat_with(word).take(super::WORDS).collect();
        Rc::new(Self { data, head: word(), wanted: word(), liar: Rc::clone(&liar) })
    }
}

impl Memory for Rc<Lying> {
    type Word = Word;

    fn data(&self) -> &[Word] {
        &self.data
    }

    fn head(&self) -> &Word {
        &self.head
    }

    fn wanted(&self) -> &Word {
        &self.wanted
    }

    fn limit(&self) -> u64 {
        self.liar.tell(u64::MAX)
    }

    fn vacate(&self, _records: Range<usize>) {}
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200 / super::LESS as u32))]

    /// A consumer gets a record no longer than any is, nothing, or a lie, and reads no more for it than a record has.
    #[test]
    fn a_consumer_survives_memory_that_lies(seed: u64, one_in in 1..50_u64, lengths in prop::collection::vec(0..3000_usize, 0..super::records(200))) {
        let memory = Lying::new(seed, one_in);
        let mut producer = Producer::new(Rc::clone(&memory));
        let mut consumer = Consumer::new(Rc::clone(&memory));
        let mut record = Vec::new();
        for length in lengths {
            // A producer that is none of the liars, most of the time.
            let _ = producer.push(&vec![1; length], 7);
            let (head, reads) = (consumer.head, memory.liar.reads.get());
            let _ = consumer.pop(&mut record);
            consumer.rest();
            let read = memory.liar.reads.get() - reads;
            prop_assert!(record.len() <= RECORD_BYTES);
            prop_assert!(read <= 4 + RECORD_BYTES as u64 / 8, "{read}");
            prop_assert!(consumer.head - head <= 2 * super::WORDS as u64);
        }
    }

    /// A producer writes, refuses or finds the lie, and never believes that there is more room than the ring has.
    #[test]
    fn a_producer_survives_memory_that_lies(seed: u64, one_in in 1..50_u64, lengths in prop::collection::vec(0..=RECORD_BYTES, 0..super::records(50))) {
        let memory = Lying::new(seed, one_in);
        let mut producer = Producer::new(Rc::clone(&memory));
        for length in lengths {
            let pushed = producer.push(&vec![1; length], 7);
            if pushed == Err(PushError::Full) {
                let _ = producer.want_room(length);
            }
            prop_assert!(producer.end <= producer.tail + super::WORDS as u64);
            prop_assert!(producer.tail - producer.head <= super::WORDS as u64);
        }
    }
}
