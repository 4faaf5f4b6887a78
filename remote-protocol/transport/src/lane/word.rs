//! The words that a ring is made of.

use std::sync::atomic::{AtomicU64, Ordering};

/// One word of memory that another process may change at any time.
///
/// A trait, so that the ring can be run on memory that explores every order of accesses, or that lies.
pub(super) trait Word {
    /// Reads what may be anything.
    fn load(&self) -> u64;

    /// Writes what nobody looks at before something is released.
    fn store(&self, value: u64);

    /// Reads what was released: everything written before that is seen.
    fn acquire(&self) -> u64;

    /// Writes what was prepared by the writes before.
    fn release(&self, value: u64);

    /// [`release`](Self::release), and in one order with every [`observe`](Self::observe): of two threads that each
    /// publish one word and then observe the other's, at least one sees what the other published.
    fn publish(&self, value: u64);

    /// See [`publish`](Self::publish).
    fn observe(&self) -> u64;
}

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
        self.store(value, Ordering::SeqCst);
    }

    fn observe(&self) -> u64 {
        self.load(Ordering::SeqCst)
    }
}
