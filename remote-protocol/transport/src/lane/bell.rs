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
//! the peer, and it can wake it for nothing; see `LaneReceiver` for what that comes to. Whatever must wake a consumer in spite of its peer
//! does not ask the word. And it does not rely on the system finding the sleeper by it either: who can wake a sleeper can also have it
//! moved to another word, where nobody looks for it. So who does not trust its peer sleeps on two words, [`Guarded`].

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::futex::{self, Wait, WaitFlags, WaitPtr, WaitvFlags};
use rustix::time::{ClockId, clock_gettime};

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

/// A flag that the peer has as well, and a word beside it that it has not: who sleeps is woken by either.
pub(super) struct Guarded<'a> {
    flag: &'a AtomicU32,
    /// 1 while the consumer sleeps or is about to.
    own: &'a AtomicU32,
}

impl<'a> Guarded<'a> {
    pub(super) const fn new(flag: &'a AtomicU32, own: &'a AtomicU32) -> Self {
        Self { flag, own }
    }
}

impl Flag for Guarded<'_> {
    fn raise(&self) {
        self.flag.raise();
    }

    fn is_raised(&self) -> bool {
        self.flag.is_raised()
    }

    fn lower(&self) -> bool {
        self.flag.lower()
    }

    fn wait(&self, until: Option<Instant>) -> Waited {
        let [mut shared, mut own] = [Wait::new(); 2];
        (shared.uaddr, shared.val, shared.flags) =
            (WaitPtr::new(self.flag.as_ptr().cast()), RAISED.into(), WaitFlags::SIZE_U32);
        (own.uaddr, own.val, own.flags) =
            (WaitPtr::new(self.own.as_ptr().cast()), RAISED.into(), WaitFlags::SIZE_U32 | WaitFlags::PRIVATE);
        // By the clock of `Instant`.
        let timeout = until.and_then(|until| {
            let left = until.saturating_duration_since(Instant::now()).min(LONGEST);
            clock_gettime(ClockId::Monotonic).checked_add(left.try_into().ok()?)
        });
        match futex::waitv(&[shared, own], WaitvFlags::empty(), timeout.as_ref(), ClockId::Monotonic) {
            Ok(_) | Err(Errno::AGAIN) => Waited::Rung,
            Err(Errno::NOSYS | Errno::PERM) => self.doze(until),
            Err(_) => Waited::Otherwise,
        }
    }

    fn wake(&self) {
        self.flag.wake();
    }
}

impl Guarded<'_> {
    /// Where the system cannot wait for two words, one is looked at from time to time.
    #[cold]
    fn doze(&self, until: Option<Instant>) -> Waited {
        let soon = Instant::now() + DOZE;
        self.flag.wait(Some(until.map_or(soon, |until| until.min(soon))))
    }
}

/// Wakes who sleeps [guarded](Guarded) by this word of its own.
pub(super) fn rouse(own: &AtomicU32) {
    // Not raised any more, for one that is about to sleep.
    own.store(0, Ordering::SeqCst);
    // It fails for no word of ours.
    let _ = futex::wake(own, futex::Flags::PRIVATE, 1);
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
        // All: a peer may have put threads of its own to sleep here, before ours. It fails where the peer has made something else of the word,
        // and then it is the peer that is not woken.
        let _ = futex::wake(self, futex::Flags::empty(), i32::MAX as u32);
    }
}

const RAISED: u32 = 1;

/// How long who can sleep on one word only does so before it looks at the other.
const DOZE: Duration = Duration::from_secs(1);

/// Longer than any deadline, and short enough for the system.
const LONGEST: Duration = Duration::from_secs(1_000_000);

#[cfg(test)]
mod tests;
