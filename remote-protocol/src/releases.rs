//! References that are given back, on their way: gathered into batches, of which few may be unacknowledged.
//!
//! Whoever drops something of the peer's may be any thread, at any rate; the peer takes them in one by one, when it comes to it. So they
//! are gathered in [`Releases`], one entry for each id at most where it matters, and a batch of them goes: before the next message of
//! the main lane; before the loop sleeps; when it is full; and when the loop sleeps, it is woken once, and gathers for a moment. A peer that does not
//! come to it has [`RELEASE_BATCHES`] in its inbox at most, and acknowledges half of those at a time.
//!
//! So a release rests while the loop is busy and says nothing, until the batch is full; or while the peer has not handled what it was sent
//! before. A process with nothing to do keeps none. A peer that is not trusted decides how many things there are to let go of: it may have
//! so many that it has not taken back, and one that keeps to that cannot get there.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::call::Release;
use crate::limits::{RELEASE_BATCHES, RELEASES};
use crate::state::Violation;

/// What a side has let go of and not sent yet, and what it has sent that is not acknowledged.
#[derive(Debug)]
pub struct Releases {
    /// Oldest first. Ids may be in it more than once, but no more than half of it is superfluous once it is long.
    pending: VecDeque<Release>,
    /// How long it may become before ids are looked for that are in it more than once.
    merge_at: usize,
    /// How many ids there may be.
    most: usize,
    unacknowledged: u32,
    /// Whether the loop will come by itself to send what is pending.
    attended: bool,
    /// Whether the loop was woken for what is pending, and more may be on its way from whoever woke it.
    woken: bool,
    closed: bool,
}

/// What is to be done about a release that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Due {
    /// Nothing: it goes with what is sent next.
    Later,
    /// The loop has to be woken, for it sleeps and knows of none.
    Wake,
    /// The batch is full: it has to be sent now.
    Now,
    /// The peer has not taken back more things than it may have lent. Nothing is kept any more.
    TooMany,
}

impl Releases {
    /// None, on a side whose loop is awake, and whose peer decides nothing about how many there will be.
    #[must_use]
    pub const fn new() -> Self {
        Self::limited(usize::MAX)
    }

    /// [`new`](Self::new), of a peer that may have lent things by so many ids.
    #[must_use]
    pub const fn limited(most: usize) -> Self {
        Self {
            pending: VecDeque::new(),
            merge_at: MERGE_AT,
            most,
            unacknowledged: 0,
            attended: true,
            woken: false,
            closed: false,
        }
    }

    /// Adds one.
    pub fn add(&mut self, release: Release) -> Due {
        if self.closed || release.count == 0 {
            return Due::Later;
        }
        self.pending.push_back(release);
        if self.pending.len() >= self.merge_at {
            self.merge();
            if self.pending.len() > self.most {
                self.close();
                return Due::TooMany;
            }
        }
        if self.unacknowledged >= RELEASE_BATCHES {
            // The acknowledgement wakes the loop.
            return Due::Later;
        }
        if self.pending.len() >= RELEASES {
            return Due::Now;
        }
        if std::mem::replace(&mut self.attended, true) {
            return Due::Later;
        }
        self.woken = true;
        Due::Wake
    }

    /// Moves the next batch into `batch`, to be sent now. `false` when there is none, or when too many are unacknowledged.
    #[must_use]
    pub fn take(&mut self, batch: &mut Vec<Release>) -> bool {
        batch.clear();
        if !self.is_due() {
            return false;
        }
        let count = self.pending.len().min(RELEASES);
        batch.extend(self.pending.drain(..count));
        self.unacknowledged = self.unacknowledged.saturating_add(1);
        if self.pending.is_empty() && self.merge_at > MERGE_AT {
            // It was long, once.
            self.merge_at = MERGE_AT;
            self.pending.shrink_to(MERGE_AT);
        }
        true
    }

    /// The loop is awake: it will [`take`](Self::take) what is pending before it sleeps.
    pub const fn attend(&mut self) {
        self.attended = true;
        self.woken = false;
    }

    /// Whether a loop that has just been woken for what is pending does well to sleep for [`GATHERING`] before it sends that: a thread that
    /// lets go of many things is quicker than the loop is awake, and each batch wakes the peer.
    #[must_use]
    pub fn gather(&mut self) -> bool {
        std::mem::replace(&mut self.woken, false) && self.is_due() && self.pending.len() < RELEASES
    }

    /// The loop sleeps from now on, and has to be woken for the next one. `false` when there is something to [`take`](Self::take) first.
    #[must_use]
    pub fn rest(&mut self) -> bool {
        self.woken = false;
        self.attended = self.is_due();
        !self.attended
    }

    /// The peer has handled so many batches.
    ///
    /// # Errors
    ///
    /// [`Violation`] when that is more than were sent.
    pub const fn acknowledged(&mut self, batches: u32) -> Result<(), Violation> {
        let Some(unacknowledged) = self.unacknowledged.checked_sub(batches) else {
            return Err(Violation::AcknowledgedTooMuch { batches, sent: self.unacknowledged });
        };
        self.unacknowledged = unacknowledged;
        Ok(())
    }

    /// Nobody is there any more to give anything back to.
    pub fn close(&mut self) {
        *self = Self { closed: true, ..Self::limited(self.most) };
    }

    /// Those that have not been taken.
    pub fn pending(&self) -> impl Iterator<Item = &Release> {
        self.pending.iter()
    }

    fn is_due(&self) -> bool {
        !self.pending.is_empty() && self.unacknowledged < RELEASE_BATCHES
    }

    /// Makes one of those of the same id. What was let go of first stays first.
    fn merge(&mut self) {
        let mut places = HashMap::with_capacity(self.pending.len());
        let mut merged = VecDeque::<Release>::with_capacity(self.pending.len());
        for release in self.pending.drain(..) {
            match places.entry(release.id) {
                Entry::Vacant(place) => {
                    place.insert(merged.len());
                    merged.push_back(release);
                }
                Entry::Occupied(mut place) => {
                    // Two of them are one too many for a number only if the peer lent more than it can count.
                    let sum = merged.get(*place.get()).and_then(|first| first.count.checked_add(release.count));
                    match (sum, merged.get_mut(*place.get())) {
                        (Some(sum), Some(first)) => first.count = sum,
                        _ => {
                            place.insert(merged.len());
                            merged.push_back(release);
                        }
                    }
                }
            }
        }
        self.merge_at = merged.len().saturating_mul(2).max(MERGE_AT);
        self.pending = merged;
    }
}

impl Default for Releases {
    fn default() -> Self {
        Self::new()
    }
}

/// What the receiver of batches owes: an acknowledgement, from time to time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acknowledging {
    handled: u32,
}

impl Acknowledging {
    /// Nothing has been handled.
    #[must_use]
    pub const fn new() -> Self {
        Self { handled: 0 }
    }

    /// A batch has been handled. Gives how many to acknowledge now, if any.
    #[must_use]
    pub const fn handled(&mut self) -> Option<u32> {
        self.handled = self.handled.saturating_add(1);
        if self.handled < RELEASE_BATCHES / 2 {
            return None;
        }
        let handled = self.handled;
        self.handled = 0;
        Some(handled)
    }
}

/// How long more is waited for: much longer than it takes to let go of a batch of things, and nothing that anybody notices.
pub const GATHERING: Duration = Duration::from_millis(1);

/// Two batches.
const MERGE_AT: usize = 2 * RELEASES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LentId;

    fn release(slot: u32, count: u32) -> Release {
        Release { id: LentId { slot, generation: 0 }, count }
    }

    fn exhausted() -> Releases {
        let mut releases = Releases::new();
        for slot in 0..RELEASE_BATCHES {
            let _ = releases.add(release(slot, 1));
            assert!(releases.take(&mut Vec::new()));
        }
        releases
    }

    #[test]
    fn a_loop_that_sleeps_is_woken_once() {
        let mut releases = Releases::new();
        assert_eq!(releases.add(release(1, 1)), Due::Later);
        assert!(!releases.rest());
        let mut batch = Vec::new();
        assert!(releases.take(&mut batch));
        assert!(releases.rest());
        assert_eq!(releases.add(release(2, 1)), Due::Wake);
        assert_eq!(releases.add(release(3, 1)), Due::Later);
        assert!(releases.take(&mut batch));
        assert_eq!(batch, [release(2, 1), release(3, 1)]);
        assert!(!releases.take(&mut batch));
        assert!(batch.is_empty());
    }

    #[test]
    fn a_loop_that_was_woken_gathers_once_unless_the_batch_is_full() {
        let mut releases = Releases::new();
        assert!(releases.rest());
        assert_eq!(releases.add(release(1, 1)), Due::Wake);
        assert!(releases.gather());
        // Nobody has to wake it meanwhile.
        assert_eq!(releases.add(release(2, 1)), Due::Later);
        assert!(!releases.gather());
        assert!(!releases.rest());
        assert!(releases.take(&mut Vec::new()));
        assert!(releases.rest());
        // What it lets go of itself does not wait.
        assert_eq!(releases.add(release(3, 1)), Due::Wake);
        releases.attend();
        assert!(!releases.gather());
        assert!(!releases.rest());
        assert!(releases.take(&mut Vec::new()));
        assert!(releases.rest());
        let dues: Vec<_> = (0..RELEASES).map(|_| releases.add(release(4, 1))).collect();
        assert_eq!((dues[0], dues[RELEASES - 1]), (Due::Wake, Due::Now));
        assert!(!releases.gather());
    }

    #[test]
    fn a_full_batch_is_due_and_the_rest_comes_with_the_next() {
        let mut releases = Releases::new();
        let limit = u32::try_from(RELEASES).unwrap();
        let dues: Vec<_> = (0..limit + 5).map(|slot| releases.add(release(slot, 1))).collect();
        assert_eq!(dues.iter().position(|due| *due == Due::Now), Some(RELEASES - 1));
        let mut batch = Vec::new();
        assert!(releases.take(&mut batch));
        assert_eq!((batch.len(), batch[0]), (RELEASES, release(0, 1)));
        assert!(releases.take(&mut batch));
        assert_eq!(batch.len(), 5);
    }

    #[test]
    fn a_full_batch_fits_a_record() {
        let most = Release { id: LentId { slot: u32::MAX, generation: u32::MAX }, count: u32::MAX };
        let mut bytes = Vec::new();
        crate::codec::encode(&vec![most; RELEASES], &mut bytes).unwrap();
        assert!(bytes.len() <= crate::limits::RECORD_BYTES / 2);
    }

    #[test]
    fn no_more_goes_until_the_peer_acknowledges() {
        let mut releases = exhausted();
        assert!(releases.rest());
        assert_eq!(releases.add(release(1, 1)), Due::Later);
        assert!(releases.rest());
        let mut batch = Vec::new();
        assert!(!releases.take(&mut batch));
        releases.acknowledged(RELEASE_BATCHES / 2).unwrap();
        assert!(!releases.rest());
        assert!(releases.take(&mut batch));
        assert_eq!(batch, [release(1, 1)]);
    }

    #[test]
    fn while_nothing_goes_each_id_is_kept_once_and_in_order() {
        let mut releases = exhausted();
        for round in 0..100_000 {
            assert_eq!(releases.add(release(round % 50, 2)), Due::Later);
        }
        assert!(releases.pending().count() < MERGE_AT);
        releases.acknowledged(1).unwrap();
        let mut counts = HashMap::<_, u32>::new();
        let mut batch = Vec::new();
        assert!(releases.take(&mut batch));
        assert!(batch.iter().take(50).map(|release| release.id.slot).eq(0..50));
        releases.acknowledged(1).unwrap();
        loop {
            batch.iter().for_each(|release| *counts.entry(release.id).or_default() += release.count);
            if !releases.take(&mut batch) {
                break;
            }
        }
        assert_eq!(counts.len(), 50);
        assert!(counts.values().all(|count| *count == 4000));
    }

    #[test]
    fn a_peer_that_takes_nothing_back_may_have_lent_so_much() {
        let mut releases = Releases { most: 3 * RELEASES, ..exhausted() };
        let limit = u32::try_from(3 * RELEASES).unwrap();
        for round in 0..10 {
            for slot in 0..limit {
                assert_eq!(releases.add(release(slot, 1)), Due::Later, "{round}");
            }
        }
        let dues: Vec<_> = (limit..4 * limit).map(|slot| releases.add(release(slot, 1))).collect();
        assert_eq!(dues.iter().filter(|due| **due == Due::TooMany).count(), 1);
        assert!(dues.iter().all(|due| matches!(due, Due::Later | Due::TooMany)));
        assert_eq!(releases.pending().count(), 0);
    }

    #[test]
    fn counts_that_do_not_fit_one_number_stay_apart() {
        let mut releases = exhausted();
        for _ in 0..MERGE_AT {
            let _ = releases.add(release(1, u32::MAX / 3));
        }
        let sum: u64 = releases.pending().map(|release| u64::from(release.count)).sum();
        assert_eq!(sum, MERGE_AT as u64 * u64::from(u32::MAX / 3));
    }

    #[test]
    fn more_cannot_be_acknowledged_than_was_sent() {
        let mut releases = exhausted();
        releases.acknowledged(RELEASE_BATCHES).unwrap();
        let error = releases.acknowledged(1).unwrap_err();
        assert_eq!(error, Violation::AcknowledgedTooMuch { batches: 1, sent: 0 });
    }

    #[test]
    fn once_closed_nothing_is_kept() {
        let mut releases = Releases::new();
        let _ = releases.add(release(1, 1));
        releases.close();
        assert_eq!(releases.add(release(2, 1)), Due::Later);
        assert_eq!(releases.pending().count(), 0);
        assert!(releases.rest());
    }

    #[test]
    fn half_of_what_may_be_under_way_is_acknowledged_at_a_time() {
        let mut acknowledging = Acknowledging::default();
        let said: Vec<_> = (0..RELEASE_BATCHES).filter_map(|_| acknowledging.handled()).collect();
        assert_eq!(said, [RELEASE_BATCHES / 2; 2]);
    }
}
