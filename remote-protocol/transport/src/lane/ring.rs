//! A queue of records in memory that two processes share, one of which may lie.
//!
//! One thread writes, the [`Producer`]; one reads, the [`Consumer`]. Each keeps its position to itself and never reads
//! it back. What one has to know of the other stands in shared words: the headers of the records, which the producer
//! writes; how far the consumer has come, which that writes; and whether the producer waits for room, which it says and both may take back.
//!
//! # Records
//!
//! A record is a header, one word, and its bytes in as many words as they take. It never wraps around the end, where a
//! header of a kind of its own sends the consumer back to the beginning. A header is 0 until its record is complete:
//! before the producer completes one it puts a 0 behind it, where the next will be, so that the consumer never takes
//! for a header what lay there from the last time around. So the consumer waits at the very word that will hold the
//! header. Every record begins with a cache line: so a small one comes over in one, together with its header.
//!
//! # Lies
//!
//! Each shared word is read once. A length is checked before anything is done with it, and the bytes are copied out
//! before anybody looks at them. What can come of a peer that writes anything at any time is a record with any bytes,
//! no record, or a [`Lie`]; nothing is read or written outside the ring, and nothing takes longer than a record does.

use std::ops::Range;

use remote_protocol::limits::RECORD_BYTES;

use super::word::Word;

/// The memory of one ring.
pub(super) trait Memory {
    type Word: Word;

    /// The records: as many words as [`is_length`] allows.
    fn data(&self) -> &[Self::Word];

    /// How far the consumer has come. Written by the consumer.
    fn head(&self) -> &Self::Word;

    /// 1 when the producer wants to be told of room, made 0 by the consumer that does.
    fn wanted(&self) -> &Self::Word;

    /// How many bytes may lie in the ring, if that is less than there is room for. The producer asks now and then.
    fn limit(&self) -> u64;

    /// Gives the memory of these records back to the system, if it can: nobody will read them, and they may be zero from now on.
    fn vacate(&self, records: Range<usize>);
}

/// The writing end.
pub(super) struct Producer<M> {
    memory: M,
    /// How long the ring is.
    words: u64,
    /// Where the next record goes, in words since the beginning of time.
    tail: u64,
    /// How far the consumer had come when we last looked. Never ahead of `tail`, nor further behind than the ring is long.
    head: u64,
    /// Where there is no more room, as far as we know.
    end: u64,
    /// From where on it is worth asking whether we can start over at the beginning of the ring.
    look_at: u64,
    /// Where we started over last, and how many words were skipped before that. The consumer has passed those of earlier times: there would
    /// have been no room to start over.
    skipped: (u64, u64),
}

impl<M: Memory> Producer<M> {
    /// The first producer of a ring of zeros.
    pub(super) fn new(memory: M) -> Self {
        let words = memory.data().len() as u64;
        Self { memory, words, tail: 0, head: 0, end: 0, look_at: NEAR_WORDS, skipped: (0, 0) }
    }

    /// Writes a record of at most [`RECORD_BYTES`], and `tag` with it.
    ///
    /// The record is [published](Word::publish): whether the consumer sleeps is to be observed after this.
    #[inline]
    pub(super) fn push(&mut self, record: &[u8], tag: u16) -> Result<(), PushError> {
        let step = step_of(record.len());
        let mut start = self.start();
        if self.tail >= self.look_at {
            self.start_over_early(start, step)?;
            start = self.start();
        }
        let skip = self.words as usize - start;
        if step + 1 > skip {
            self.reserve(skip + step + 1)?;
            self.start_over(start);
            start = 0;
        } else {
            self.reserve(step + 1)?;
        }
        let Some((header, rest)) = self.memory.data().get(start..=start + step).and_then(<[_]>::split_first) else {
            return Err(PushError::Full);
        };
        let (words, last) = record.as_chunks::<WORD_BYTES>();
        for (word, bytes) in rest.iter().zip(words) {
            word.store(u64::from_le_bytes(*bytes));
        }
        if let (false, Some(word)) = (last.is_empty(), rest.get(words.len())) {
            let mut bytes = [0; WORD_BYTES];
            bytes.iter_mut().zip(last).for_each(|(to, from)| *to = *from);
            word.store(u64::from_le_bytes(bytes));
        }
        if let Some(next) = rest.last() {
            next.store(0);
        }
        header.publish(header_of(record.len(), tag));
        self.tail += step as u64;
        Ok(())
    }

    /// How many bytes the consumer has not taken, as far as we know.
    pub(super) const fn untaken_bytes(&self) -> usize {
        let (passed, words) = self.skipped;
        let skipped = if self.head < passed { words } else { 0 };
        (self.tail - self.head).saturating_sub(skipped) as usize * WORD_BYTES
    }

    /// Asks to be told of room, after a record found none. Gives whether there is some by now, and nobody need be told.
    pub(super) fn want_room(&mut self, record_bytes: usize) -> Result<bool, Lie> {
        self.memory.wanted().publish(1);
        let head = self.memory.head().observe();
        self.advance(head)?;
        // What a record takes at most, wherever it starts: it may have to go around. Behind it is the next header.
        let step = step_of(record_bytes) + 1;
        let skip = self.words as usize - self.start();
        let need = if step > skip { skip + step } else { step };
        let has_room = self.tail + need as u64 <= self.end;
        if has_room {
            self.memory.wanted().store(0);
        }
        Ok(has_room)
    }

    /// Makes sure that so many words are free.
    #[inline]
    fn reserve(&mut self, words: usize) -> Result<(), PushError> {
        if self.tail + words as u64 <= self.end {
            return Ok(());
        }
        let head = self.memory.head().acquire();
        self.advance(head)?;
        if self.tail + words as u64 <= self.end { Ok(()) } else { Err(PushError::Full) }
    }

    /// Believes the consumer as far as that is possible.
    fn advance(&mut self, head: u64) -> Result<(), Lie> {
        if head > self.tail || head < self.head {
            return Err(Lie::Head);
        }
        self.head = head;
        let limit = (self.memory.limit() / WORD_BYTES as u64).min(self.words);
        self.end = head + limit;
        Ok(())
    }

    /// Starts over at the beginning of the ring when the consumer keeps up, so that few records at a time use little of the ring,
    /// which stays in the caches, and few pages.
    #[cold]
    fn start_over_early(&mut self, start: usize, step: usize) -> Result<(), Lie> {
        self.look_at = self.tail + NEAR_WORDS;
        let head = self.memory.head().acquire();
        self.advance(head)?;
        let untaken = (self.tail - self.head) as usize;
        let skip = self.words as usize - start;
        let fits = self.tail + (skip + step + 1) as u64 <= self.end;
        if start >= NEAR_WORDS as usize && untaken < NEAR_WORDS as usize / 2 && fits {
            self.start_over(start);
            if start >= FAR_WORDS {
                // What was taken, and is not to be used again soon.
                self.memory.vacate(NEAR_WORDS as usize..start - untaken);
            }
        }
        Ok(())
    }

    /// Sends the consumer, and ourselves, back to the beginning. There is room for it.
    fn start_over(&mut self, start: usize) {
        let data = self.memory.data();
        if let (Some(first), Some(header)) = (data.first(), data.get(start)) {
            first.store(0);
            header.publish(AROUND);
        }
        let skipped = self.words - start as u64;
        self.tail += skipped;
        self.skipped = (self.tail, skipped);
        self.look_at = self.tail + NEAR_WORDS;
    }

    /// Where in the data the next record goes.
    #[inline]
    const fn start(&self) -> usize {
        offset(self.tail, self.words)
    }
}

/// The reading end.
pub(super) struct Consumer<M> {
    memory: M,
    /// How long the ring is.
    words: u64,
    /// Where the next record is, in words since the beginning of time.
    head: u64,
    /// What the producer was told of that.
    told: u64,
}

impl<M: Memory> Consumer<M> {
    /// The first consumer of a ring of zeros.
    pub(super) fn new(memory: M) -> Self {
        let words = memory.data().len() as u64;
        Self { memory, words, head: 0, told: 0 }
    }

    /// Copies the next record into `record`, replacing what was there.
    #[inline]
    pub(super) fn pop(&mut self, record: &mut Vec<u8>) -> Result<Option<Popped>, Lie> {
        let mut start = self.start();
        let mut header = self.header(start).acquire();
        if header == AROUND && start != 0 {
            self.head += self.words - start as u64;
            start = 0;
            header = self.header(start).acquire();
        }
        if header == 0 {
            return Ok(None);
        }
        let length = length_of(header)?;
        let step = step_of(length);
        // Behind it there must be room for the next header.
        let words = self.memory.data().get(start + 1..=start + step);
        let Some(words) = words.and_then(|words| words.get(..length.div_ceil(WORD_BYTES))) else {
            return Err(Lie::Length { length });
        };
        copy_out(words, length, record);
        self.head += step as u64;
        let wants_room = self.head - self.told >= TELL_WORDS && self.tell();
        Ok(Some(Popped { tag: tag_of(header), wants_room }))
    }

    /// The length of the next record, if there is one and its header is no lie.
    pub(super) fn peek(&self) -> Option<usize> {
        let header = match self.header(self.start()).acquire() {
            AROUND => self.header(0).acquire(),
            header => header,
        };
        if header == 0 { None } else { length_of(header).ok() }
    }

    /// Whether there is something to [`pop`](Self::pop), though it may be nothing but the way around.
    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        self.header(self.start()).acquire() != 0
    }

    /// As [`is_ready`](Self::is_ready), observed: after the announcement of a sleep.
    pub(super) fn observe_ready(&self) -> bool {
        self.header(self.start()).observe() != 0
    }

    /// Whether the producer wants to be told of room. Only a hint: [`tell`](Self::tell) misses nothing.
    #[inline]
    pub(super) fn is_room_wanted(&self) -> bool {
        self.memory.wanted().load() != 0
    }

    /// Lets the producer know how far we have come, when it looks for itself.
    #[inline]
    pub(super) fn rest(&mut self) {
        if self.told != self.head {
            self.told = self.head;
            self.memory.head().release(self.head);
        }
    }

    /// Lets the producer know how far we have come; gives whether it wants to be told of it, once each time it does.
    pub(super) fn tell(&mut self) -> bool {
        self.told = self.head;
        self.memory.head().publish(self.head);
        let wanted = self.memory.wanted().observe() != 0;
        if wanted {
            self.memory.wanted().store(0);
        }
        wanted
    }

    /// How far we have come, in rings.
    pub(super) const fn rounds(&self) -> u64 {
        self.head / self.words
    }

    /// Where in the data the next record is.
    #[inline]
    const fn start(&self) -> usize {
        offset(self.head, self.words)
    }

    #[inline]
    fn header(&self, start: usize) -> &M::Word {
        // An offset is less than the length of the data.
        &self.memory.data()[start]
    }
}

/// What came with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Popped {
    /// What the producer gave for it.
    pub(super) tag: u16,
    /// Whether the producer has to be told that there is room again.
    pub(super) wants_room: bool,
}

/// Why a record was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PushError {
    /// There is no room.
    Full,
    /// The consumer is not to be trusted.
    Lie(Lie),
}

impl From<Lie> for PushError {
    fn from(lie: Lie) -> Self {
        Self::Lie(lie)
    }
}

/// What no honest peer writes into shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// A record of this length, which it cannot have, here or anywhere.
    Length { length: usize },
    /// A consumer that has taken what it was not given, or has not taken what it said it had.
    Head,
    /// A producer that wakes us again and again, and has nothing.
    Noise,
}

/// Whether a ring can be so many words long: a power of two, and enough for three of the longest records, so that there is room for one
/// wherever it starts.
pub(super) const fn is_length(words: usize) -> bool {
    words.is_power_of_two() && words * WORD_BYTES >= 3 * RECORD_BYTES
}

const WORD_BYTES: usize = size_of::<u64>();

/// A cache line: what moves from one processor to another at a time, at the cost of most of a small call.
const LINE_WORDS: usize = 64 / WORD_BYTES;

/// How many words it is from a record of this length to the next one.
#[inline]
pub(super) const fn step_of(length: usize) -> usize {
    (1 + length.div_ceil(WORD_BYTES)).next_multiple_of(LINE_WORDS)
}

/// What a consumer that keeps up with its producer uses of the ring: less than a first-level cache.
const NEAR_WORDS: u64 = 2048;

/// How much of the ring a burst of records uses before the memory is given back when it is over: much more than giving back costs.
const FAR_WORDS: usize = 128 * 1024;

/// How much a consumer takes before it says so, at the latest.
const TELL_WORDS: u64 = RECORD_BYTES as u64 / WORD_BYTES as u64;

/// A header that says: go on at the beginning. No record has it, for it would be too long.
const AROUND: u64 = u64::MAX;

/// Where in the data of a ring a position lies.
#[inline]
const fn offset(position: u64, words: u64) -> usize {
    (position & (words - 1)) as usize
}

/// A header is never 0: the length is one more than it is.
#[inline]
const fn header_of(length: usize, tag: u16) -> u64 {
    ((tag as u64) << 32) | (length as u64 + 1)
}

#[inline]
const fn length_of(header: u64) -> Result<usize, Lie> {
    let length = (header & 0xffff_ffff) as usize;
    if 0 < length && length <= RECORD_BYTES + 1 { Ok(length - 1) } else { Err(Lie::Length { length }) }
}

#[inline]
const fn tag_of(header: u64) -> u16 {
    (header >> 32) as u16
}

/// Copies `length` bytes, which `words` hold.
#[inline]
fn copy_out<W: Word>(words: &[W], length: usize, record: &mut Vec<u8>) {
    if words.len() <= FEW_WORDS {
        // What was there before is overwritten, so that there is little to make zero first.
        let bytes = words.len() * WORD_BYTES;
        if record.len() < bytes {
            record.resize(bytes, 0);
        }
        let (chunks, _) = record.as_chunks_mut::<WORD_BYTES>();
        chunks.iter_mut().zip(words).for_each(|(chunk, word)| *chunk = word.load().to_le_bytes());
        record.truncate(length);
        return;
    }
    record.clear();
    let mut left = length;
    for words in words.chunks(BLOCK_WORDS) {
        let mut block = [[0; WORD_BYTES]; BLOCK_WORDS];
        for (bytes, word) in block.iter_mut().zip(words) {
            *bytes = word.load().to_le_bytes();
        }
        let bytes = block.as_flattened();
        let bytes = bytes.get(..left).unwrap_or(bytes);
        record.extend_from_slice(bytes);
        left -= bytes.len();
    }
}

/// So few words are copied out one by one.
const FEW_WORDS: usize = 8;

/// How many words are copied out at a time: small records in one go, and no more on the stack than is soon used.
const BLOCK_WORDS: usize = 16;

#[cfg(test)]
mod tests;
