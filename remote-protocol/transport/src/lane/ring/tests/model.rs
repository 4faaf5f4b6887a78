//! Every order in which two threads can get at a small ring, and at the bell beside it.

use std::time::Instant;

use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::super::*;
use crate::lane::bell::{self, Flag, Waited};

/// Loom knows one order of everything only for fences.
impl Word for AtomicU64 {
    fn load(&self) -> u64 {
        self.load(Ordering::Relaxed)
    }

    fn store(&self, value: u64) {
        self.store(value, Ordering::Relaxed);
    }

    fn acquire(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn release(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    fn publish(&self, value: u64) {
        self.store(value, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    fn observe(&self) -> u64 {
        fence(Ordering::SeqCst);
        self.load(Ordering::Acquire)
    }
}

/// A ring so small that the fourth record goes around, and has to wait for the two before it.
struct Small {
    data: [AtomicU64; 32],
    head: AtomicU64,
    wanted: AtomicU64,
}

impl Small {
    fn new() -> Arc<Self> {
        let word = |_| AtomicU64::new(0);
        Arc::new(Self { data: [0; 32].map(word), head: word(0), wanted: word(0) })
    }
}

impl Memory for Arc<Small> {
    type Word = AtomicU64;

    fn data(&self) -> &[AtomicU64] {
        &self.data
    }

    fn head(&self) -> &AtomicU64 {
        &self.head
    }

    fn wanted(&self) -> &AtomicU64 {
        &self.wanted
    }

    fn limit(&self) -> u64 {
        u64::MAX
    }

    fn vacate(&self, _records: Range<usize>) {}
}

/// A word to sleep on, as the system has it.
struct Bed {
    word: AtomicU32,
    sleepers: Mutex<()>,
    woken: Condvar,
}

impl Bed {
    fn new() -> Arc<Self> {
        Arc::new(Self { word: AtomicU32::new(0), sleepers: Mutex::new(()), woken: Condvar::new() })
    }
}

impl Flag for Bed {
    fn raise(&self) {
        self.word.swap(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }

    fn is_raised(&self) -> bool {
        fence(Ordering::SeqCst);
        self.word.load(Ordering::Acquire) == 1
    }

    fn lower(&self) -> bool {
        self.word.swap(0, Ordering::AcqRel) == 1
    }

    fn wait(&self, _until: Option<Instant>) -> Waited {
        let sleepers = self.sleepers.lock().unwrap();
        if self.word.load(Ordering::Relaxed) == 1 {
            drop(self.woken.wait(sleepers).unwrap());
        }
        Waited::Rung
    }

    fn wake(&self) {
        drop(self.sleepers.lock().unwrap());
        self.woken.notify_all();
    }
}

fn record(number: u8) -> [u8; LENGTH] {
    [number + 1; LENGTH]
}

/// Two words, the second not full.
const LENGTH: usize = 9;

/// Pops until `count` records have come, sleeping in between.
fn receive(mut consumer: Consumer<Arc<Small>>, bell: &Bed, room: &Bed, count: u8) {
    let mut bytes = Vec::new();
    for number in 0..count {
        loop {
            if let Some(popped) = consumer.pop(&mut bytes).unwrap() {
                assert_eq!(bytes, record(number));
                assert_eq!(popped.tag, u16::from(number));
                break;
            }
            if consumer.tell() {
                bell::ring_anyway(room);
            }
            bell::sleep(bell, None, || consumer.observe_ready());
        }
    }
    // As a consumer does that goes to sleep.
    if consumer.tell() {
        bell::ring_anyway(room);
    }
}

#[test]
fn a_record_is_seen_whole_or_not_at_all_and_wakes_its_receiver() {
    loom::model(|| {
        let (small, bell, room) = (Small::new(), Bed::new(), Bed::new());
        let mut producer = Producer::new(Arc::clone(&small));
        let sender = thread::spawn({
            let bell = Arc::clone(&bell);
            move || {
                for number in 0..1 {
                    producer.push(&record(number), u16::from(number)).unwrap();
                    bell::ring(&*bell);
                }
            }
        });
        receive(Consumer::new(small), &bell, &room, 1);
        sender.join().unwrap();
    });
}

#[test]
fn what_lay_there_before_is_no_header_and_room_is_told_of() {
    let mut model = loom::model::Builder::new();
    // `LOOM_MAX_PREEMPTIONS=3` finds nothing else, and takes a minute.
    model.preemption_bound.get_or_insert(2);
    model.check(|| {
        let (small, bell, room) = (Small::new(), Bed::new(), Bed::new());
        let mut producer = Producer::new(Arc::clone(&small));
        let sender = thread::spawn({
            let (bell, room) = (Arc::clone(&bell), Arc::clone(&room));
            move || {
                for number in 0..4 {
                    while producer.push(&record(number), u16::from(number)) == Err(PushError::Full) {
                        // The other one rings when it finds the wish.
                        room.raise();
                        if !producer.want_room(LENGTH).unwrap() {
                            room.wait(None);
                        }
                        room.lower();
                    }
                    bell::ring(&*bell);
                }
            }
        });
        receive(Consumer::new(small), &bell, &room, 4);
        sender.join().unwrap();
    });
}
