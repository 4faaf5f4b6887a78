//! Who receives from a channel, when several wait for what comes through it.

use std::mem;
use std::time::{Duration, Instant};

use remote_protocol::id::LaneId;

/// Leaders and followers: one thread at a time has `way`, the receiving end, and sorts what arrives, the others wait for their lanes to
/// be filled; who has got what it waited for hands the way on. Where nobody waits, the pump takes it over, though only some
/// milliseconds later: so a thread that comes back soon for the next record finds it free, and no other thread is involved.
///
/// It decides; [`Reading`](super::reading::Reading) does.
pub(super) struct Turns<W> {
    /// `None` while somebody reads, and after the end.
    way: Option<W>,
    /// The lanes whose receivers wait for others to read.
    followers: u16,
    /// When the one who reads has to stop.
    deadline: Option<Instant>,
    /// How often somebody has begun or stopped to read.
    changes: u64,
    phase: Phase,
    pump: Pump,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// What has arrived is still to be received.
    Ending,
    Over,
}

/// What the pump knew and did when it last looked.
#[derive(Default)]
struct Pump {
    changes: u64,
    /// How often in a row it found the same one reading.
    quiet: u32,
    /// When it looks again by itself.
    wakes_at: Option<Instant>,
    /// Whether it waits to be told that nobody reads.
    is_asleep: bool,
}

/// What somebody who waits has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn<W> {
    Read {
        way: W,
        /// The pump has to be told, because of the deadline.
        tell_pump: bool,
    },
    Follow,
}

/// Whose turn it is now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<W> {
    /// Nothing is to be done about it.
    Settled,
    Follower(LaneId),
    /// The pump has to be told.
    Pump,
    /// What is in the channel is to be received, and then it is over.
    End(W),
}

/// What the pump has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<W> {
    Read(W),
    /// The one who reads has to look at the clock.
    Nudge,
    Sleep(Option<Instant>),
    Over,
}

impl<W> Turns<W> {
    pub(super) fn new(way: W) -> Self {
        Self { way: Some(way), followers: 0, deadline: None, changes: 0, phase: Phase::Open, pump: Pump::default() }
    }

    /// The receiver of `lane` has nothing and waits.
    pub(super) fn begin(&mut self, lane: LaneId, deadline: Option<Instant>) -> Turn<W> {
        let Some(way) = self.way.take() else {
            self.followers |= bit(lane);
            return Turn::Follow;
        };
        self.followers &= !bit(lane);
        self.changes += 1;
        self.deadline = deadline;
        let is_early = |deadline| self.pump.wakes_at.is_none_or(|wakes_at| deadline < wakes_at);
        Turn::Read { way, tell_pump: deadline.is_some_and(is_early) }
    }

    /// Somebody stops reading.
    pub(super) fn leave(&mut self, way: W) -> Next<W> {
        self.changes += 1;
        self.deadline = None;
        if self.phase != Phase::Open {
            return Next::End(way);
        }
        self.way = Some(way);
        self.next()
    }

    /// The receiver of `lane`, which followed, has something.
    pub(super) fn stop_following(&mut self, lane: LaneId) -> Next<W> {
        self.followers &= !bit(lane);
        // It may have been asked to read.
        if self.way.is_some() { self.next() } else { Next::Settled }
    }

    fn next(&mut self) -> Next<W> {
        if self.followers != 0 {
            return Next::Follower(LaneId(self.followers.trailing_zeros() as u8));
        }
        if mem::take(&mut self.pump.is_asleep) { Next::Pump } else { Next::Settled }
    }

    /// What the pump does now; also right after it was told something.
    pub(super) fn step(&mut self, now: Instant) -> Step<W> {
        if self.phase == Phase::Over {
            return Step::Over;
        }
        if self.deadline.take_if(|deadline| *deadline <= now).is_some() {
            return Step::Nudge;
        }
        let is_unchanged = mem::replace(&mut self.pump.changes, self.changes) == self.changes;
        self.pump.quiet = if is_unchanged { self.pump.quiet.saturating_add(1) } else { 0 };
        if is_unchanged && let Some(way) = self.way.take() {
            self.changes += 1;
            return Step::Read(way);
        }
        self.pump.is_asleep = self.way.is_none() && self.pump.quiet >= QUIET;
        let tick = (!self.pump.is_asleep).then(|| now + TICK);
        self.pump.wakes_at = tick.into_iter().chain(self.deadline).min();
        Step::Sleep(self.pump.wakes_at)
    }

    /// It is to end when what has arrived is received: here and now, if that gives the way, and else by the one who reads.
    pub(super) fn end(&mut self) -> Option<W> {
        if self.phase == Phase::Open {
            self.phase = Phase::Ending;
        }
        self.way.take()
    }

    /// Nobody will read any more.
    pub(super) fn finish(&mut self) {
        self.phase = Phase::Over;
    }

    /// Whether nobody will.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }
}

fn bit(lane: LaneId) -> u16 {
    1_u16.checked_shl(lane.0.into()).unwrap_or(0)
}

/// How long nobody has to read, before the pump does; and how often it looks while things go on. Longer than what most listeners and
/// methods take, and short enough for who waits for what only the pump would find: the first record of a new lane.
const TICK: Duration = Duration::from_millis(5);

/// How often it finds the same one reading before it waits to be told.
const QUIET: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: LaneId = LaneId::MAIN;
    const OTHER: LaneId = LaneId(3);

    fn reads<W>(turn: Turn<W>) -> W {
        match turn {
            Turn::Read { way, .. } => way,
            Turn::Follow => panic!("somebody else reads"),
        }
    }

    /// What the pump does when it looks again as soon as it wants to, until it reads or has nothing to do.
    fn settle(turns: &mut Turns<()>, mut now: Instant) -> Step<()> {
        for _ in 0..10 {
            match turns.step(now) {
                Step::Sleep(Some(until)) => now = until,
                step => return step,
            }
        }
        panic!("it looks for ever");
    }

    #[test]
    fn who_waits_reads_and_others_follow() {
        let mut turns = Turns::new(());
        reads(turns.begin(MAIN, None));
        assert_eq!(turns.begin(OTHER, None), Turn::Follow);

        assert_eq!(turns.leave(()), Next::Follower(OTHER));
        reads(turns.begin(OTHER, None));
        assert_eq!(turns.leave(()), Next::Settled);
    }

    #[test]
    fn a_follower_that_was_asked_and_has_something_asks_the_next() {
        let mut turns = Turns::new(());
        reads(turns.begin(MAIN, None));
        assert_eq!(turns.begin(OTHER, None), Turn::Follow);
        assert_eq!(turns.begin(LaneId(9), None), Turn::Follow);
        assert_eq!(turns.leave(()), Next::Follower(OTHER));

        assert_eq!(turns.stop_following(OTHER), Next::Follower(LaneId(9)));
        reads(turns.begin(LaneId(9), None));
        assert_eq!(turns.stop_following(MAIN), Next::Settled);
    }

    #[test]
    fn the_pump_reads_when_nobody_does_for_a_while() {
        let mut turns = Turns::new(());
        let now = Instant::now();
        reads(turns.begin(MAIN, None));
        assert_eq!(turns.leave(()), Next::Settled);

        assert_eq!(turns.step(now), Step::Sleep(Some(now + TICK)));
        assert_eq!(turns.step(now + TICK), Step::Read(()));
    }

    #[test]
    fn the_pump_leaves_the_way_to_one_that_comes_back() {
        let mut turns = Turns::new(());
        let mut now = Instant::now();
        for _ in 0..10 {
            reads(turns.begin(MAIN, None));
            assert_eq!(turns.leave(()), Next::Settled);
            assert_eq!(turns.step(now), Step::Sleep(Some(now + TICK)));
            now += TICK;
        }
    }

    #[test]
    fn the_pump_sleeps_while_one_reads_and_is_told_when_nobody_does() {
        let mut turns = Turns::new(());
        let now = Instant::now();
        reads(turns.begin(MAIN, None));
        assert_eq!(settle(&mut turns, now), Step::Sleep(None));

        assert_eq!(turns.leave(()), Next::Pump);
        assert_eq!(settle(&mut turns, now), Step::Read(()));
    }

    #[test]
    fn the_one_who_reads_is_told_of_its_deadline() {
        let mut turns = Turns::new(());
        let now = Instant::now();
        let deadline = now + Duration::from_secs(30);
        assert_eq!(turns.begin(MAIN, Some(deadline)), Turn::Read { way: (), tell_pump: true });

        assert_eq!(settle(&mut turns, now), Step::Nudge);
        // It sleeps, but no longer than until then.
        assert_eq!(turns.pump.wakes_at, Some(deadline));
        assert_eq!(turns.leave(()), Next::Pump);
    }

    #[test]
    fn a_later_deadline_costs_nothing() {
        let mut turns = Turns::new(());
        let now = Instant::now();
        reads(turns.begin(MAIN, Some(now + Duration::from_secs(30))));
        while turns.pump.wakes_at != Some(now + Duration::from_secs(30)) {
            turns.step(now);
        }
        turns.leave(());

        let later = turns.begin(MAIN, Some(now + Duration::from_secs(31)));
        assert_eq!(later, Turn::Read { way: (), tell_pump: false });
        turns.leave(());
        let earlier = turns.begin(MAIN, Some(now + Duration::from_secs(29)));
        assert_eq!(earlier, Turn::Read { way: (), tell_pump: true });
    }

    #[test]
    fn whoever_has_the_way_ends_it() {
        let mut turns = Turns::new(());
        reads(turns.begin(MAIN, None));
        assert_eq!(turns.end(), None);
        assert_eq!(turns.leave(()), Next::End(()));
        turns.finish();
        assert_eq!(turns.step(Instant::now()), Step::Over);

        let mut turns = Turns::new(());
        assert_eq!(turns.end(), Some(()));
        assert_eq!(turns.begin(MAIN, None), Turn::Follow);
    }
}
