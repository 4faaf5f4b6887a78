//! What a receiver has to see to besides records.

use std::sync::atomic::{AtomicU32, Ordering};

/// The signals of one receiver, private to its process.
///
/// Who sets one then asks whether the receiver is asleep; who falls asleep says so and then asks for signals. All that is in one order,
/// so no signal is slept through.
#[derive(Clone, Copy)]
pub(super) struct Signal<'a> {
    signals: &'a AtomicU32,
    asleep: &'a AtomicU32,
}

impl<'a> Signal<'a> {
    pub(super) const fn new(signals: &'a AtomicU32, asleep: &'a AtomicU32) -> Self {
        Self { signals, asleep }
    }

    /// Those of a lane that does not exist.
    pub(super) fn closed() -> Self {
        static CLOSED: AtomicU32 = AtomicU32::new(self::CLOSED);
        static AWAKE: AtomicU32 = AtomicU32::new(0);
        Self { signals: &CLOSED, asleep: &AWAKE }
    }

    /// Whether there is any.
    #[inline]
    pub(super) fn is_any(self) -> bool {
        self.signals.load(Ordering::SeqCst) != 0
    }

    #[inline]
    pub(super) fn is_closed(self) -> bool {
        self.signals.load(Ordering::SeqCst) & CLOSED != 0
    }

    pub(super) fn set_closed(self) {
        self.signals.fetch_or(CLOSED, Ordering::SeqCst);
    }

    pub(super) fn set_woken(self) {
        self.signals.fetch_or(WOKEN, Ordering::SeqCst);
    }

    /// Whether somebody woke the receiver since this was last asked.
    #[inline]
    pub(super) fn take_woken(self) -> bool {
        self.signals.load(Ordering::Relaxed) & WOKEN != 0
            && self.signals.fetch_and(!WOKEN, Ordering::SeqCst) & WOKEN != 0
    }

    pub(super) fn is_asleep(self) -> bool {
        self.asleep.load(Ordering::SeqCst) != 0
    }

    pub(super) fn set_asleep(self, asleep: bool) {
        self.asleep.store(asleep.into(), Ordering::SeqCst);
    }

    /// 1 while the receiver sleeps or is about to: a word to sleep on that no other process has.
    pub(super) const fn asleep(self) -> &'a AtomicU32 {
        self.asleep
    }
}

const WOKEN: u32 = 1;
const CLOSED: u32 = 2;
