//! Which processor a thread runs on, and whether to wait for another one awake.

use std::cell::Cell;

use rustix::thread::sched_getcpu;

/// The processor of this thread, as of a short while ago. Also fits in what comes with a record.
#[inline]
pub(super) fn recent() -> u16 {
    RECENT.with(|recent| {
        let (cpu, uses) = recent.get();
        if uses == 0 {
            return look();
        }
        recent.set((cpu, uses - 1));
        cpu
    })
}

/// The processor of this thread, now: threads are moved when they wake up more than at any other time.
pub(super) fn look() -> u16 {
    let cpu = sched_getcpu() as u16;
    RECENT.with(|recent| recent.set((cpu, USES)));
    cpu
}

/// Whether a peer is on another processor than this thread, as far as both know: on one processor the peer cannot run while we wait awake.
#[inline]
pub(super) fn is_elsewhere(peer: Option<u16>) -> bool {
    peer.is_some_and(|peer| peer != recent())
}

/// Whether it was worth staying awake, lately.
#[derive(Default)]
pub(super) struct Patience {
    /// How often not to try, from the next time on.
    pub(super) skip: u32,
    /// How often not to try after the next time in vain.
    pub(super) penalty: u32,
}

impl Patience {
    /// Whether to stay awake this time.
    pub(super) const fn stays_awake(&self) -> bool {
        self.skip == 0
    }

    /// It did not stay awake, and slept; was it a `short` sleep, so that it had better stayed awake?
    pub(super) fn slept(&mut self, short: bool) {
        if short {
            *self = Self::default();
        } else {
            self.skip = self.skip.saturating_sub(1);
        }
    }

    pub(super) fn was_right(&mut self) {
        self.penalty = 0;
    }

    pub(super) fn was_wrong(&mut self) {
        self.penalty = (2 * self.penalty + 1).min(LONGEST_PENALTY);
        self.skip = self.penalty;
    }
}

thread_local! {
    static RECENT: Cell<(u16, u16)> = const { Cell::new((0, 0)) };
}

/// How often a processor's number is used before it is asked for again.
const USES: u16 = 32;

const LONGEST_PENALTY: u32 = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_elsewhere_who_is_here_or_never_spoke() {
        assert!(!is_elsewhere(None));
        assert!(is_elsewhere(Some(u16::MAX)));
        // Another thread may move us; but not always.
        assert!((0..1000).any(|_| !is_elsewhere(Some(look()))));
    }

    #[test]
    fn what_is_in_vain_is_tried_less_and_less_often() {
        let mut patience = Patience::default();
        let mut tries = 0;
        for _ in 0..640 {
            if patience.stays_awake() {
                tries += 1;
                patience.was_wrong();
            } else {
                patience.slept(false);
            }
        }

        assert!(tries < 20, "{tries}");
    }

    #[test]
    fn one_short_sleep_is_enough_to_try_again() {
        let mut patience = Patience::default();
        for _ in 0..10 {
            patience.was_wrong();
        }
        assert!(!patience.stays_awake());

        patience.slept(true);

        assert!(patience.stays_awake());
        patience.was_wrong();
        patience.slept(false);
        assert!(patience.stays_awake());
    }
}
