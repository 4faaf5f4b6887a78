//! Sleeping until the peer has something, in a word that both share.
//!
//! The word is 1 while the consumer sleeps or is about to. The consumer raises it, looks once more, and sleeps as long as it is
//! raised. A producer looks at it behind every record, and whoever lowers it wakes the consumer: so a producer calls into the system only
//! when somebody sleeps, and once however many records it sends.
//!
//! Raising the flag and then looking for a record, and publishing a record and then looking at the flag, are in one order: one of the
//! two sees what the other wrote. And the system puts nobody to sleep on a flag that has been lowered meanwhile.
//!
//! The peer may write anything into the word. It can keep the consumer from being woken by the peer's own records, which harms
//! the peer, and it can wake it for nothing; see `Receiver` for what that comes to. Whatever must wake a consumer in spite of its peer
//! does not ask the word.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::futex;

/// The word a consumer sleeps on.
pub(super) trait Flag {
    /// Says that the consumer is about to sleep, in one order with [`is_raised`](Self::is_raised), as
    /// [`Word::publish`](super::word::Word::publish) is with `observe`.
    fn raise(&self);

    /// Whether the consumer sleeps or is about to, observed.
    fn is_raised(&self) -> bool;

    /// Says that it sleeps no more; gives whether it had been said before that it did.
    fn lower(&self) -> bool;

    /// Sleeps while it is raised, until woken or `until`, or without a reason.
    fn wait(&self, until: Option<Instant>) -> Waited;

    /// Wakes who sleeps.
    fn wake(&self);
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// Somebody woke us, or had lowered the flag already.
    Rung,
    /// The time was over, or a signal came.
    Otherwise,
}

/// Wakes the consumer if it sleeps. Comes after what it is to see was published.
#[inline]
pub(super) fn ring(flag: &impl Flag) {
    if flag.is_raised() {
        answer(flag);
    }
}

#[cold]
fn answer(flag: &impl Flag) {
    // Somebody else may have been faster.
    if flag.lower() {
        flag.wake();
    }
}

/// Wakes the consumer whatever the word says.
pub(super) fn ring_anyway(flag: &impl Flag) {
    flag.lower();
    flag.wake();
}

/// Sleeps until rung or `until`, unless there `is` something already, observed after the flag was raised.
pub(super) fn sleep(flag: &impl Flag, until: Option<Instant>, is_something: impl FnOnce() -> bool) -> Waited {
    flag.raise();
    let waited = if is_something() { Waited::Otherwise } else { flag.wait(until) };
    flag.lower();
    waited
}

impl Flag for AtomicU32 {
    fn raise(&self) {
        // Not a store: so every change of the word follows on the one before it, in one order that all threads agree on.
        self.swap(RAISED, Ordering::SeqCst);
    }

    #[inline]
    fn is_raised(&self) -> bool {
        self.load(Ordering::SeqCst) == RAISED
    }

    fn lower(&self) -> bool {
        self.swap(0, Ordering::SeqCst) == RAISED
    }

    fn wait(&self, until: Option<Instant>) -> Waited {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()).min(LONGEST));
        let timeout = left.and_then(|left| left.try_into().ok());
        match futex::wait(self, futex::Flags::empty(), RAISED, timeout.as_ref()) {
            Ok(()) | Err(Errno::AGAIN) => Waited::Rung,
            Err(_) => Waited::Otherwise,
        }
    }

    fn wake(&self) {
        // All: a peer may have put threads of its own to sleep here, before ours.
        if let Err(error) = futex::wake(self, futex::Flags::empty(), i32::MAX as u32) {
            tracing::error!(%error, "the peer was not woken");
        }
    }
}

const RAISED: u32 = 1;

/// Longer than any deadline, and short enough for the system.
const LONGEST: Duration = Duration::from_secs(1_000_000);

#[cfg(test)]
mod tests;
