//! The receiving half of a lane.

use std::hint;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remote_protocol::id::LaneId;
use remote_protocol::link::{Receive, Received, Waker};

use super::bell::{self, Guarded, Waited};
use super::buffers::Space;
use super::cpu::{self, Patience};
use super::end::LaneState;
use super::layout::{RingMemory, Side};
use super::link::End;
use super::ring::{Consumer, Lie, Popped};
use super::watch;

/// Receives what the peer wrote into one ring.
///
/// It waits in three steps. If the peer was on another processor when it last sent something, and waiting awake was not in vain of late, it
/// looks for a moment, about as long as an answer takes that comes at once, and then for [`SPIN`], with an eye on the clock. Then it sleeps.
pub(super) struct LaneReceiver {
    end: Arc<End>,
    lane: LaneId,
    state: Arc<LaneState>,
    consumer: Consumer<RingMemory>,
    /// Where the peer was when it sent the last record.
    peer: Option<u16>,
    patience: Patience,
    /// How often the peer has woken us for nothing since the last record.
    noise: u32,
    /// How often we may come around the ring after the end: a peer that has mapped the memory can write until it is killed, and others
    /// after that.
    last_round: Option<u64>,
    /// Whether the peer has lied, so that nothing more is believed.
    is_over: bool,
}

impl LaneReceiver {
    pub(super) const fn new(
        end: Arc<End>,
        lane: LaneId,
        state: Arc<LaneState>,
        consumer: Consumer<RingMemory>,
    ) -> Self {
        Self {
            end,
            lane,
            state,
            consumer,
            peer: None,
            patience: Patience { skip: 0, penalty: 0 },
            noise: 0,
            last_round: None,
            is_over: false,
        }
    }

    /// The next record, if it is there.
    #[inline]
    fn pop(&mut self, record: &mut Vec<u8>) -> bool {
        match self.consumer.pop(record) {
            Ok(None) => false,
            Ok(Some(Popped { tag, wants_room })) => {
                self.peer = Some(tag);
                self.noise = 0;
                if wants_room {
                    self.tell_room();
                }
                true
            }
            Err(lie) => {
                self.lied(lie);
                false
            }
        }
    }

    /// What there is now.
    #[inline]
    fn receive(&mut self, record: &mut Vec<u8>) -> Option<Received> {
        let signal = self.state.signal();
        if signal.take_woken() {
            return Some(Received::Woken);
        }
        // Closed first: what arrived before is seen then.
        let is_closed = signal.is_closed();
        if is_closed && !self.may_take_more() {
            return Some(Received::Closed(self.end.shared.closure()));
        }
        if self.pop(record) {
            return Some(Received::Record);
        }
        is_closed.then(|| Received::Closed(self.end.shared.closure()))
    }

    /// The link is closed: whether what is left may still be taken.
    #[cold]
    fn may_take_more(&mut self) -> bool {
        let rounds = self.consumer.rounds();
        !self.is_over && rounds <= *self.last_round.get_or_insert(rounds + 1)
    }

    #[cold]
    fn lied(&mut self, lie: Lie) {
        self.is_over = true;
        self.end.shared.lied(lie);
    }

    #[cold]
    fn tell_room(&self) {
        self.end.shared.tell(watch::room(self.lane));
    }

    /// Whether there is a reason to wait no more.
    #[inline]
    fn is_ready(&self) -> bool {
        self.consumer.is_ready() || self.state.signal().is_any()
    }

    /// Waits until there may be something, or `deadline`. Gives whether that has not passed.
    fn wait(&mut self, deadline: Option<Instant>) -> bool {
        self.consumer.rest();
        let is_elsewhere = cpu::is_elsewhere(self.peer);
        let stays_awake = is_elsewhere && self.patience.stays_awake();
        if stays_awake && (0..LOOKS).any(|_| self.is_ready()) {
            return true;
        }
        let now = (is_elsewhere || deadline.is_some()).then(Instant::now);
        if deadline.is_some_and(|deadline| now.is_some_and(|now| deadline <= now)) {
            return false;
        }
        let Some(now) = now.filter(|_| is_elsewhere) else {
            self.sleep(deadline);
            return true;
        };
        if stays_awake {
            if self.spin(now + SPIN) {
                self.patience.was_right();
                return true;
            }
            self.patience.was_wrong();
            self.sleep(deadline);
        } else {
            self.sleep(deadline);
            self.patience.slept(now.elapsed() < SPIN);
        }
        true
    }

    /// Looks for a moment, if that may be worth it. Gives whether there may be something.
    #[inline]
    fn look(&mut self) -> bool {
        self.consumer.rest();
        cpu::is_elsewhere(self.peer) && self.patience.stays_awake() && (0..LOOKS).any(|_| self.is_ready())
    }

    /// Looks until there is something, or `until`.
    fn spin(&mut self, until: Instant) -> bool {
        loop {
            for _ in 0..LOOKS_PER_CLOCK {
                hint::spin_loop();
                if self.is_ready() {
                    return true;
                }
            }
            if self.consumer.is_room_wanted() && self.consumer.tell() {
                self.tell_room();
            }
            if until <= Instant::now() {
                return false;
            }
        }
    }

    fn sleep(&mut self, deadline: Option<Instant>) {
        let Some(flag) = self.end.shared.own_flag(self.lane) else { return };
        // The producer may wait for room, and it will not be told while we sleep.
        if self.consumer.tell() {
            self.end.shared.tell(watch::room(self.lane));
        }
        let signal = self.state.signal();
        signal.set_asleep(true);
        let tidy_at = self.tidy();
        let until = deadline.into_iter().chain(tidy_at).min();
        let is_something = || self.consumer.observe_ready() || signal.is_any() || self.is_untidy() != tidy_at.is_some();
        let waited = match self.end.shared.side() {
            Side::Parent => bell::sleep(&Guarded::new(flag, signal.asleep()), until, is_something),
            Side::Child => bell::sleep(flag, until, is_something),
        };
        // Only who is of this process can say so.
        let is_roused = !signal.is_asleep();
        signal.set_asleep(false);
        cpu::look();
        if waited == Waited::Rung && !is_roused && !self.is_ready() {
            // A producer that was interrupted between a record and the bell rings once for nothing; not many times.
            self.noise += 1;
            if self.noise > MUCH_NOISE {
                self.lied(Lie::Noise);
            }
        }
    }
}

/// The parent's memory for buffers is tidied up by who sleeps on the main lane.
impl LaneReceiver {
    fn space(&self) -> Option<&Space> {
        self.end.shared.space().filter(|_| self.lane == LaneId::MAIN).map(|space| &**space)
    }

    fn is_untidy(&self) -> bool {
        self.space().is_some_and(Space::is_untidy)
    }

    /// Tidies up if it is time. Gives when it will be.
    fn tidy(&self) -> Option<Instant> {
        self.space().filter(|space| space.is_untidy())?.tidy(Instant::now())
    }
}

impl Receive for LaneReceiver {
    /// A wake-up comes before records, as in [`Inbox`](crate::inbox::Inbox).
    fn recv(&mut self, record: &mut Vec<u8>, deadline: Option<Instant>) -> Received {
        loop {
            if let Some(received) = self.receive(record) {
                return received;
            }
            if !self.wait(deadline) {
                return Received::TimedOut;
            }
        }
    }

    /// The moment of looking that comes before every wait.
    fn recv_now(&mut self, record: &mut Vec<u8>) -> Option<Received> {
        self.recv_soon(record)
    }

    fn recv_soon(&mut self, record: &mut Vec<u8>) -> Option<Received> {
        loop {
            if let Some(received) = self.receive(record) {
                return Some(received);
            }
            if !self.look() {
                return None;
            }
        }
    }

    fn waker(&self) -> Waker {
        let (end, lane) = (Arc::downgrade(&self.end), self.lane);
        Waker::new(move || {
            if let Some(end) = end.upgrade() {
                end.shared.wake(lane);
            }
        })
    }
}

/// How often to look before the clock is asked for the first time.
const LOOKS: u32 = 300;

/// How often to look between two looks at the clock.
const LOOKS_PER_CLOCK: u32 = 32;

/// How long to stay awake for the peer: longer than any answer that does not wait for something itself takes. More gains nothing.
const SPIN: Duration = Duration::from_micros(20);

/// How often a peer may wake us for nothing between two records.
const MUCH_NOISE: u32 = 1000;
