//! What can be made to go wrong on a link in memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How a link in memory misbehaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    delay: Option<Duration>,
    die_after: Option<u64>,
}

impl Faults {
    /// A link that keeps its contract at once.
    #[must_use]
    pub const fn none() -> Self {
        Self { delay: None, die_after: None }
    }

    /// Lets every record arrive that much later, in order. A closure that comes behind a record is delayed with it;
    /// a new lane is announced at once, before its first record has arrived.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Closes the link in the middle of the `records`th record that either side sends. That record is lost, though
    /// its sender is told nothing, as when a process dies; with 0 the link is closed from the start.
    #[must_use]
    pub const fn die_after(mut self, records: u64) -> Self {
        self.die_after = Some(records);
        self
    }
}

/// What both ends' records go through.
pub(super) struct Wire {
    faults: Faults,
    /// Records sent so far, by both sides.
    sent: AtomicU64,
}

impl Wire {
    pub(super) fn new(faults: Faults) -> Self {
        Self { faults, sent: AtomicU64::new(0) }
    }

    /// Counts a record, and says whether it is lost.
    pub(super) fn loses_this(&self) -> bool {
        let Some(last) = self.faults.die_after else {
            return false;
        };
        self.sent.fetch_add(1, Ordering::Relaxed) + 1 >= last
    }

    /// Whether a record was lost.
    pub(super) fn is_dead(&self) -> bool {
        self.faults.die_after.is_some_and(|last| self.sent.load(Ordering::Relaxed) >= last)
    }

    /// When a record sent now arrives, if not now.
    pub(super) fn due(&self) -> Option<Instant> {
        self.faults.delay.map(|delay| Instant::now() + delay)
    }
}
