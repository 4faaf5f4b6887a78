//! Windows: how much may be on its way and unhandled, so that nothing grows without end.
//!
//! The sender takes a message's cost from its [`Window`] and gets it back when the receiver says that it was handled.
//! The receiver adds costs up in a [`Debt`] and says so from time to time, not for every message.

/// The sender's side: what may still be sent.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    limit: u64,
    /// What has been sent and is not known to be handled: at most `limit` and one message, and what was forced.
    unhandled: u64,
    /// What was sent and has been handled, ever.
    progress: u64,
}

impl Window {
    /// A window in which messages of cost `limit` may be unhandled.
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { limit, unhandled: 0, progress: 0 }
    }

    /// Takes room for a message, unless there is none.
    ///
    /// There is room as long as the limit has not been reached: a single message may go past it, lest one that costs
    /// more than the whole window could never be sent.
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing is taken.
    pub const fn take(&mut self, cost: u64) -> Result<(), Full> {
        if self.unhandled >= self.limit {
            return Err(Full { unhandled: self.unhandled, limit: self.limit });
        }
        self.unhandled = self.unhandled.saturating_add(cost);
        Ok(())
    }

    /// Counts a message that is sent whether or not there is room.
    pub const fn force(&mut self, cost: u64) {
        self.unhandled = self.unhandled.saturating_add(cost);
    }

    /// Gives room back. `false` when the peer claims to have handled more than was sent.
    #[must_use]
    pub const fn handled(&mut self, cost: u64) -> bool {
        let Some(unhandled) = self.unhandled.checked_sub(cost) else { return false };
        self.unhandled = unhandled;
        self.progress = self.progress.saturating_add(cost);
        true
    }

    /// What was sent and has been handled, ever.
    #[must_use]
    pub const fn progress(&self) -> u64 {
        self.progress
    }

    /// What has been sent and is not known to be handled.
    #[must_use]
    pub const fn unhandled(&self) -> u64 {
        self.unhandled
    }
}

/// There is no room in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{unhandled} bytes are unhandled, at most {limit} may be")]
pub struct Full {
    /// What is unhandled.
    pub unhandled: u64,
    /// What may be.
    pub limit: u64,
}

/// The receiver's side: what has been handled and not yet been said.
#[derive(Clone, Copy, Debug)]
pub struct Debt {
    /// From here on it is worth a message while there is more to handle.
    threshold: u64,
    owed: u64,
}

impl Debt {
    /// The debt that belongs to a window of `limit`.
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { threshold: Self::worth_saying(limit), owed: 0 }
    }

    /// What may be owed without saying so while there is more to handle, in a window of `limit`.
    #[must_use]
    pub const fn worth_saying(limit: u64) -> u64 {
        limit / 4
    }

    /// Adds what was handled; gives what to say now, if it is worth it.
    #[must_use]
    pub const fn add(&mut self, cost: u64) -> Option<u64> {
        self.owed = self.owed.saturating_add(cost);
        if self.owed > self.threshold { self.settle() } else { None }
    }

    /// Gives what to say before going to sleep, if there is anything.
    #[must_use]
    pub const fn settle(&mut self) -> Option<u64> {
        let owed = self.owed;
        self.owed = 0;
        if owed == 0 { None } else { Some(owed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_full_at_its_limit_and_opens_again() {
        let mut window = Window::new(100);
        window.take(60).unwrap();
        window.take(60).unwrap();
        assert_eq!(window.take(1), Err(Full { unhandled: 120, limit: 100 }));
        assert!(window.handled(60));
        window.take(1).unwrap();
        assert_eq!(window.unhandled(), 61);
    }

    #[test]
    fn more_cannot_be_handled_than_was_sent() {
        let mut window = Window::new(100);
        window.take(60).unwrap();
        assert!(!window.handled(61));
    }

    #[test]
    fn what_is_owed_and_not_said_leaves_room() {
        for (limit, cost) in (1..100).flat_map(|limit| (1..=2 * limit).map(move |cost| (limit, cost))) {
            let (mut window, mut debt) = (Window::new(limit), Debt::new(limit));
            for _ in 0..3 {
                let sent = (0..).take_while(|_| window.take(cost).is_ok()).count();
                assert!(sent > 0, "{limit} {cost}");
                let said = (0..sent).filter_map(|_| debt.add(cost)).sum();
                assert!(window.handled(said));
            }
        }
    }

    #[test]
    fn a_debt_is_told_at_the_threshold_or_before_sleep() {
        let mut debt = Debt::new(100);
        assert_eq!(debt.add(25), None);
        assert_eq!(debt.add(1), Some(26));
        assert_eq!(debt.settle(), None);
        assert_eq!(debt.add(3), None);
        assert_eq!(debt.settle(), Some(3));
    }
}
