use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::*;

mod hostile;
#[cfg(not(miri))]
mod model;
mod scripted;
mod scripts;

/// A ring in memory of this process.
struct Plain {
    data: Box<[AtomicU64]>,
    head: AtomicU64,
    wanted: AtomicU64,
    limit: AtomicU64,
}

impl Plain {
    fn new(words: usize) -> Arc<Self> {
        Arc::new(Self {
            data: (0..words).map(|_| AtomicU64::new(0)).collect(),
            head: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            limit: AtomicU64::new(u64::MAX),
        })
    }
}

impl Memory for Arc<Plain> {
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
        self.limit.load(Ordering::Relaxed)
    }

    fn vacate(&self, records: Range<usize>) {
        self.data[records].iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }
}

/// As small as a ring in use can be.
const WORDS: usize = 32 * 1024;

/// How much less is done where every step is watched.
const LESS: usize = if cfg!(miri) { 100 } else { 1 };

/// How many records are made for one case of many.
const fn records(count: usize) -> usize {
    if cfg!(miri) { count / 10 } else { count }
}

fn ring(words: usize) -> (Arc<Plain>, Producer<Arc<Plain>>, Consumer<Arc<Plain>>) {
    let plain = Plain::new(words);
    (Arc::clone(&plain), Producer::new(Arc::clone(&plain)), Consumer::new(plain))
}

fn pop(consumer: &mut Consumer<impl Memory>) -> Option<(Vec<u8>, Popped)> {
    let mut record = vec![9; 3];
    let popped = consumer.pop(&mut record).expect("the producer is honest")?;
    Some((record, popped))
}

#[test]
fn records_keep_their_order_bytes_and_tags() {
    let (_plain, mut producer, mut consumer) = ring(WORDS);
    assert!(pop(&mut consumer).is_none());
    for (tag, record) in [(1, b"".as_slice()), (2, b"seven b"), (3, b"eight by"), (u16::MAX, b"and a few more")] {
        producer.push(record, tag).unwrap();
    }

    assert!(consumer.is_ready());
    assert_eq!(consumer.peek(), Some(0));
    for (tag, record) in [(1, b"".as_slice()), (2, b"seven b"), (3, b"eight by"), (u16::MAX, b"and a few more")] {
        assert_eq!(pop(&mut consumer), Some((record.to_vec(), Popped { tag, wants_room: false })));
    }
    assert_eq!(consumer.peek(), None);
    assert!(pop(&mut consumer).is_none());
}

#[test]
fn records_of_every_length_go_around_for_ever() {
    let (_plain, mut producer, mut consumer) = ring(WORDS);
    for length in (0..=RECORD_BYTES).step_by(61 * LESS).chain([RECORD_BYTES; 20].into_iter().step_by(LESS)) {
        let record: Vec<u8> = (0..length).map(|index| index as u8).collect();
        producer.push(&record, 0).unwrap();
        assert_eq!(pop(&mut consumer).unwrap().0, record);
        consumer.rest();
    }
    assert!(producer.tail > (10 * WORDS / LESS) as u64);
}

#[test]
fn what_is_skipped_when_the_ring_starts_over_does_not_count_as_untaken() {
    let (_plain, mut producer, mut consumer) = ring(WORDS);
    for _ in 0..20_000 / LESS {
        producer.push(&[7; 1000], 0).unwrap();
        let head = producer.memory.head().acquire();
        producer.advance(head).unwrap();
        assert_eq!(producer.untaken_bytes(), 1024);
        assert!(pop(&mut consumer).is_some());
        consumer.rest();
    }
}

#[test]
fn a_consumer_that_keeps_up_uses_little_of_the_ring() {
    let (plain, mut producer, mut consumer) = ring(WORDS);
    for _ in 0..100_000 / LESS {
        producer.push(&[7; 100], 0).unwrap();
        assert!(pop(&mut consumer).is_some());
        consumer.rest();
    }

    let used = plain.data.iter().filter(|word| word.load(Ordering::Relaxed) != 0).count();
    assert!(used <= NEAR_WORDS as usize + 100, "{used}");
}

// More than a megabyte, which Miri takes minutes for.
#[cfg(not(miri))]
#[test]
fn what_a_burst_used_is_given_back_when_it_is_over() {
    let (plain, mut producer, mut consumer) = ring(2 * FAR_WORDS);
    for round in 0..3 {
        let mut sent = 0;
        while sent < 10_000 && producer.push(&[round; 100], 0).is_ok() {
            sent += 1;
        }
        for _ in 0..sent {
            assert_eq!(pop(&mut consumer).unwrap().0, [round; 100]);
        }
        for _ in 0..2 * NEAR_WORDS / 14 {
            producer.push(&[!round; 100], 0).unwrap();
            assert_eq!(pop(&mut consumer).unwrap().0, [!round; 100]);
            consumer.rest();
        }

        let used = plain.data.iter().filter(|word| word.load(Ordering::Relaxed) != 0).count();
        assert!(used <= 2 * NEAR_WORDS as usize, "{used}");
    }
}

#[test]
fn a_full_ring_takes_no_more_and_tells_of_room_once() {
    let (_plain, mut producer, mut consumer) = ring(WORDS);
    let mut sent = 0;
    while producer.push(&[1; 1000], 0).is_ok() {
        sent += 1;
    }
    assert!(sent > 200, "{sent}");
    assert_eq!(producer.want_room(1000), Ok(false));

    let told = (0..sent).filter(|_| pop(&mut consumer).unwrap().1.wants_room).count();

    assert_eq!(told, 1);
    assert!(pop(&mut consumer).is_none());
    producer.push(&[1; 1000], 0).unwrap();
}

#[test]
fn room_that_came_meanwhile_is_seen_by_who_wants_it() {
    let (_plain, mut producer, mut consumer) = ring(WORDS);
    while producer.push(&[1; 1000], 0).is_ok() {}
    pop(&mut consumer).unwrap();
    pop(&mut consumer).unwrap();
    assert!(!consumer.tell());

    assert_eq!(producer.want_room(1000), Ok(true));
    assert_eq!(producer.push(&[1; 1000], 0), Ok(()));
    assert!(!consumer.tell(), "nobody waits");
}

#[test]
fn a_limit_makes_a_ring_smaller() {
    let (plain, mut producer, mut consumer) = ring(WORDS);
    plain.limit.store(10_000, Ordering::Relaxed);
    let mut sent = 0;
    while producer.push(&[1; 1000], 0).is_ok() {
        sent += 1000;
    }

    assert!((9000..10_000).contains(&sent), "{sent}");
    assert_eq!(producer.untaken_bytes(), sent / 1000 * 1024);
    pop(&mut consumer).unwrap();
    consumer.rest();
    producer.push(&[1; 1000], 0).unwrap();
}

#[test]
fn two_threads_exchange_records_of_all_sizes() {
    let (_plain, mut producer, mut consumer) = ring(WORDS);
    let lengths = || (0..3000 / LESS).map(|index| (index * 7919 % (RECORD_BYTES + 1)) >> (index % 16));
    let sender = thread::spawn(move || {
        for length in lengths() {
            while producer.push(&vec![length as u8; length], 0) == Err(PushError::Full) {
                thread::yield_now();
            }
        }
    });
    for length in lengths() {
        let record = loop {
            if let Some((record, _)) = pop(&mut consumer) {
                break record;
            }
            consumer.rest();
            thread::yield_now();
        };
        assert_eq!(record.len(), length);
        assert!(record.iter().all(|byte| *byte == length as u8));
    }
    sender.join().unwrap();
}

#[test]
fn what_cannot_be_is_a_lie() {
    let long = Lie::Length { length: RECORD_BYTES + 2 };
    let (plain, _producer, mut consumer) = ring(WORDS);
    plain.data[0].store(RECORD_BYTES as u64 + 2, Ordering::Relaxed);
    assert_eq!(consumer.pop(&mut Vec::new()), Err(long));

    // A record that would go past the end.
    let (plain, mut producer, mut consumer) = ring(WORDS);
    for _ in 0..3 {
        producer.push(&[0; RECORD_BYTES], 0).unwrap();
    }
    for _ in 0..3 {
        pop(&mut consumer).unwrap();
    }
    let start = consumer.start();
    plain.data[start].store(header_of(RECORD_BYTES, 0), Ordering::Relaxed);
    assert_eq!(consumer.pop(&mut Vec::new()), Err(Lie::Length { length: RECORD_BYTES }));

    // Around and around.
    let (plain, _producer, mut consumer) = ring(WORDS);
    plain.data[0].store(AROUND, Ordering::Relaxed);
    assert!(matches!(consumer.pop(&mut Vec::new()), Err(Lie::Length { .. })));

    // A consumer that is ahead, or goes back.
    let (plain, mut producer, _consumer) = ring(WORDS);
    while producer.push(&[0; 1000], 0).is_ok() {}
    plain.head.store(producer.tail + 1, Ordering::Relaxed);
    assert_eq!(producer.push(&[0; 1000], 0), Err(PushError::Lie(Lie::Head)));
    plain.head.store(producer.tail, Ordering::Relaxed);
    while producer.push(&[0; 1000], 0).is_ok() {}
    plain.head.store(1, Ordering::Relaxed);
    assert_eq!(producer.want_room(1000), Err(Lie::Head));
}
