//! What lies where in the memory of a link.
//!
//! First a page of flags, one for each ring, each in cache lines of its own, on which the ring's consumer sleeps. Then two
//! pages of words, what the producer and the consumer of each ring tell each other, again in lines of their own, and one with how much may
//! lie unhandled at the parent. Then the records of the rings. Only what is used takes memory: a link that just began, a few pages.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use remote_protocol::id::LaneId;
use remote_protocol::limits::LANES;

use super::memory::{FLAG_BYTES, Region};
use super::ring::{Memory, is_length, step_of};

/// Which end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Parent,
    Child,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Parent => Self::Child,
            Self::Child => Self::Parent,
        }
    }
}

/// The ring of a lane that `to` receives from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RingId(usize);

impl RingId {
    /// `None` for a lane that no link has.
    pub(super) fn new(lane: LaneId, to: Side) -> Option<Self> {
        let side = match to {
            Side::Parent => 0,
            Side::Child => 1,
        };
        (lane.0 < LANES).then(|| Self(usize::from(lane.0) * 2 + side))
    }

    /// Where the records lie.
    #[inline]
    const fn data(self) -> Range<usize> {
        match self.0 {
            0 => DATA_START..DATA_START + MAIN_WORDS,
            further => {
                let start = DATA_START + MAIN_WORDS + (further - 1) * DATA_WORDS;
                start..start + DATA_WORDS
            }
        }
    }
}

/// What the consumer of a ring sleeps on.
pub(super) fn flag(region: &Region, ring: RingId) -> &AtomicU32 {
    &region.flags()[ring.0 * FLAG_STRIDE]
}

/// How much may lie unhandled at the parent: the parent writes it, the child keeps to it.
pub(super) fn inbox_limit(region: &Region) -> &AtomicU64 {
    &region.words()[RINGS * CONTROL_WORDS]
}

/// One ring in a region.
pub(super) struct RingMemory {
    region: Arc<Region>,
    ring: RingId,
    /// Whether the producer is the child, which is told by the parent how much may lie in the ring.
    is_limited: bool,
}

impl RingMemory {
    pub(super) const fn new(region: Arc<Region>, ring: RingId, producer: Side) -> Self {
        Self { region, ring, is_limited: matches!(producer, Side::Child) }
    }

    #[inline]
    fn control(&self, word: usize) -> &AtomicU64 {
        &self.region.words()[self.ring.0 * CONTROL_WORDS + word]
    }
}

impl Memory for RingMemory {
    type Word = AtomicU64;

    #[inline]
    fn data(&self) -> &[AtomicU64] {
        &self.region.words()[self.ring.data()]
    }

    #[inline]
    fn head(&self) -> &AtomicU64 {
        self.control(HEAD)
    }

    #[inline]
    fn wanted(&self) -> &AtomicU64 {
        self.control(WANTED)
    }

    fn limit(&self) -> u64 {
        if self.is_limited { inbox_limit(&self.region).load(Ordering::Relaxed) } else { u64::MAX }
    }

    fn vacate(&self, records: Range<usize>) {
        let start = self.ring.data().start;
        self.region.vacate(start + records.start..start + records.end);
    }
}

/// Where in the file the words of a ring lie, in bytes from its beginning: for tests that write there what no honest peer does.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Offsets {
    /// What the consumer sleeps on.
    pub flag: u64,
    /// How far the consumer has come.
    pub head: u64,
    /// Whether the producer wants to hear of room.
    pub wanted: u64,
    /// The first record.
    pub data: u64,
    /// How long the records are together.
    pub length: u64,
}

/// The ring of a lane that the parent, or else the child, receives from. `None` for a lane that no link has.
#[doc(hidden)]
#[must_use]
pub fn offsets(lane: LaneId, to_parent: bool) -> Option<Offsets> {
    let ring = RingId::new(lane, if to_parent { Side::Parent } else { Side::Child })?;
    let word = |word: usize| (FLAG_BYTES + word * size_of::<u64>()) as u64;
    let data = ring.data();
    Some(Offsets {
        flag: (ring.0 * LINE_PAIR_BYTES) as u64,
        head: word(ring.0 * CONTROL_WORDS + HEAD),
        wanted: word(ring.0 * CONTROL_WORDS + WANTED),
        data: word(data.start),
        length: (data.len() * size_of::<u64>()) as u64,
    })
}

/// How many bytes it is from a record of this length to the next one, for the same tests.
#[doc(hidden)]
#[must_use]
pub const fn step(length: usize) -> u64 {
    (step_of(length) * size_of::<u64>()) as u64
}

/// The size of all of it.
pub(super) const REGION_BYTES: usize =
    FLAG_BYTES + (DATA_START + MAIN_WORDS + (RINGS - 1) * DATA_WORDS) * size_of::<u64>();

/// What the child says on its main lane has room for all that a window holds, and as much behind it: a child that ends loses
/// nothing of what it said, even if the parent has no time to listen. No more, for a child can make the parent read all of it.
const MAIN_WORDS: usize = 16 * 1024 * 1024 / size_of::<u64>();

/// Of the other rings. What finds no room there waits with its sender.
const DATA_WORDS: usize = 256 * 1024 / size_of::<u64>();

const RINGS: usize = LANES as usize * 2;

/// Two cache lines, which processors like to fetch together.
const LINE_PAIR_BYTES: usize = 128;

const FLAG_STRIDE: usize = LINE_PAIR_BYTES / size_of::<u32>();

const HEAD: usize = 0;
const WANTED: usize = LINE_PAIR_BYTES / size_of::<u64>();
const CONTROL_WORDS: usize = 2 * LINE_PAIR_BYTES / size_of::<u64>();

/// Three pages on: two for the words of the rings, and one for what is of the link.
const DATA_START: usize = 3 * 4096 / size_of::<u64>();

const _: () = assert!(is_length(MAIN_WORDS) && is_length(DATA_WORDS), "they are rings");
const _: () = assert!(RINGS * LINE_PAIR_BYTES <= FLAG_BYTES, "every ring has a flag");
const _: () = assert!(RINGS * CONTROL_WORDS < DATA_START, "every ring has its words, and the link one");
