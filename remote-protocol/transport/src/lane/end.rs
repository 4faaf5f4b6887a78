//! What all parts of one end of a link share.

use std::array;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use remote_protocol::id::LaneId;
use remote_protocol::limits::{LANES, MESSAGE_BYTES, RECORD_BYTES};
use remote_protocol::link::{Closure, OpenError, SendError};
use rustix::net::{self, SendFlags, Shutdown};

use super::backlog::Backlog;
use super::bell;
use super::buffers::{Space, View};
use super::layout::{self, RingId, RingMemory, Side};
use super::memory::Region;
use super::ring::{Consumer, Lie};
use super::signal::Signal;
use crate::handlers::Handlers;
use crate::inbox::INBOX_BYTES;
use crate::lock::{lock, wait};

/// One end of a link, as its lanes and its watching thread see it.
pub(super) struct Shared {
    side: Side,
    region: Arc<Region>,
    socket: OwnedFd,
    lanes: [Arc<LaneState>; LANES as usize],
    handlers: Handlers,
    /// At the parent: how much may lie unhandled at the child, on its main lane.
    outbox_limit: AtomicUsize,
    /// At the parent: where it puts buffers.
    space: Option<Arc<Space>>,
    /// At the child: where it sees them.
    view: Option<Arc<View>>,
}

/// What a lane's sender, its receiver and the watching thread of one side share.
#[derive(Default)]
pub(super) struct LaneState {
    taken: AtomicBool,
    /// What the receiver has to see to besides records.
    signals: AtomicU32,
    /// Whether the receiver sleeps or is about to. What must wake it asks this, and not the flag, which the peer can write.
    asleep: AtomicU32,
    backlog: Mutex<Backlog>,
    /// For those who flush: records found room, or the end.
    flushed: Condvar,
}

impl LaneState {
    #[inline]
    pub(super) const fn signal(&self) -> Signal<'_> {
        Signal::new(&self.signals, &self.asleep)
    }
}

impl Shared {
    pub(super) fn new(side: Side, region: Arc<Region>, socket: OwnedFd) -> Self {
        Self {
            side,
            region,
            socket,
            lanes: array::from_fn(|_| Arc::default()),
            handlers: Handlers::default(),
            outbox_limit: AtomicUsize::new(INBOX_BYTES),
            space: None,
            view: None,
        }
    }

    /// With memory for buffers, of which this end has one of the two.
    pub(super) fn with_buffers(mut self, space: Option<Arc<Space>>, view: Option<Arc<View>>) -> Self {
        (self.space, self.view) = (space, view);
        self
    }

    pub(super) const fn space(&self) -> Option<&Arc<Space>> {
        self.space.as_ref()
    }

    pub(super) const fn view(&self) -> Option<&Arc<View>> {
        self.view.as_ref()
    }

    pub(super) const fn side(&self) -> Side {
        self.side
    }

    #[cfg(test)]
    pub(super) fn region(&self) -> Arc<Region> {
        Arc::clone(&self.region)
    }

    pub(super) const fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    pub(super) const fn handlers(&self) -> &Handlers {
        &self.handlers
    }

    /// The parent's: how much may lie unhandled at either end.
    pub(super) fn set_limit(&self, bytes: usize) {
        self.outbox_limit.store(bytes, Ordering::Relaxed);
        layout::inbox_limit(&self.region).store(bytes as u64, Ordering::Relaxed);
    }

    /// How much may lie unhandled at the peer, on this lane. The child is told by its parent, whom it trusts.
    fn limit(&self, lane: LaneId) -> usize {
        match self.side {
            Side::Child => {
                let told = layout::inbox_limit(&self.region).load(Ordering::Relaxed);
                usize::try_from(told).unwrap_or(usize::MAX)
            }
            Side::Parent if lane == LaneId::MAIN => self.outbox_limit.load(Ordering::Relaxed),
            // There is one call at a time on it, so there is one return.
            Side::Parent => self.outbox_limit.load(Ordering::Relaxed).min(MESSAGE_BYTES + 4 * RECORD_BYTES),
        }
    }

    /// Marks a lane as taken by this side.
    ///
    /// The lane of a link that closed can be taken as long as something lies in it: a child's last words are received even if it
    /// was gone before anybody listened.
    pub(super) fn open(&self, lane: LaneId) -> Result<(), OpenError> {
        let Some(state) = self.lane(lane) else { return Err(OpenError::NoSuchLane(lane)) };
        if state.taken.load(Ordering::Acquire) {
            return Err(OpenError::Taken(lane));
        }
        // Closed first: what arrived before is seen then.
        let is_closed = self.is_closed(lane);
        if is_closed && self.first_length(lane).is_none() {
            return Err(OpenError::Closed);
        }
        if state.taken.swap(true, Ordering::AcqRel) { Err(OpenError::Taken(lane)) } else { Ok(()) }
    }

    /// The length of what arrived first on a lane that nobody took.
    pub(super) fn first_length(&self, lane: LaneId) -> Option<usize> {
        Consumer::new(self.ring(lane, self.side)?).peek()
    }

    /// The ring of `lane` that `to` receives from. Whoever produces or consumes it has to have taken the lane.
    pub(super) fn ring(&self, lane: LaneId, to: Side) -> Option<RingMemory> {
        Some(RingMemory::new(Arc::clone(&self.region), RingId::new(lane, to)?, to.other()))
    }

    /// What the receiver on this side of `lane` sleeps on.
    pub(super) fn own_flag(&self, lane: LaneId) -> Option<&AtomicU32> {
        RingId::new(lane, self.side).map(|ring| layout::flag(&self.region, ring))
    }

    /// Wakes the peer's receiver if it sleeps.
    #[inline]
    pub(super) fn ring_peer(&self, lane: LaneId) {
        if let Some(ring) = RingId::new(lane, self.side.other()) {
            bell::ring(layout::flag(&self.region, ring));
        }
    }

    /// What a lane's halves share, to keep.
    pub(super) fn state(&self, lane: LaneId) -> Option<Arc<LaneState>> {
        self.lanes.get(usize::from(lane.0)).map(Arc::clone)
    }

    /// What the receiver has to see to besides records.
    #[inline]
    pub(super) fn signal(&self, lane: LaneId) -> Signal<'_> {
        match self.lane(lane) {
            Some(state) => state.signal(),
            None => Signal::closed(),
        }
    }

    #[inline]
    pub(super) fn is_closed(&self, lane: LaneId) -> bool {
        self.signal(lane).is_closed()
    }

    /// Makes this side's receiver give [`Received::Woken`](remote_protocol::link::Received::Woken).
    pub(super) fn wake(&self, lane: LaneId) {
        self.signal(lane).set_woken();
        self.rouse(lane);
    }

    /// Wakes this side's receiver if it sleeps, whatever the peer wrote. Gives whether it did sleep.
    pub(super) fn rouse(&self, lane: LaneId) -> bool {
        let signal = self.signal(lane);
        let is_asleep = signal.is_asleep();
        if let (true, Some(flag)) = (is_asleep, self.own_flag(lane)) {
            // The one or the other, depending on whom the receiver trusts.
            bell::rouse(signal.asleep());
            bell::ring_anyway(flag);
        }
        is_asleep
    }

    /// What waits for room on a lane.
    pub(super) fn backlog(&self, lane: LaneId) -> Option<MutexGuard<'_, Backlog>> {
        self.lane(lane).map(|state| lock(&state.backlog))
    }

    /// Sends a record that found no room, or has others before it.
    pub(super) fn send_later(
        &self,
        lane: LaneId,
        mut backlog: MutexGuard<'_, Backlog>,
        record: &[u8],
    ) -> Result<(), SendError> {
        let limit = self.limit(lane);
        if !backlog.queue(record, limit) {
            drop(backlog);
            self.overflow(limit);
            return Err(SendError::Closed);
        }
        self.flush_backlog(lane, backlog)
    }

    /// There is room again on a lane.
    pub(super) fn room(&self, lane: LaneId) {
        if let Some(backlog) = self.backlog(lane) {
            // The end of the link, if it is that, is told by others.
            let _ = self.flush_backlog(lane, backlog);
        }
    }

    fn flush_backlog(&self, lane: LaneId, mut backlog: MutexGuard<'_, Backlog>) -> Result<(), SendError> {
        let flushed = backlog.flush();
        drop(backlog);
        match flushed {
            Ok(true) => {
                self.ring_peer(lane);
                if let Some(state) = self.lane(lane) {
                    state.flushed.notify_all();
                }
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(lie) => {
                self.lied(lie);
                Err(SendError::Closed)
            }
        }
    }

    /// Waits until everything sent so far lies in the rings.
    pub(super) fn flush(&self, deadline: Instant) -> bool {
        self.lanes.iter().all(|state| {
            let mut backlog = lock(&state.backlog);
            let last = backlog.queued();
            loop {
                if backlog.flushed() >= last {
                    return true;
                }
                if state.signal().is_closed() || deadline <= Instant::now() {
                    return false;
                }
                backlog = wait(&state.flushed, backlog, Some(deadline));
            }
        })
    }

    /// Sends the peer's watching thread a byte. It never waits: an honest peer reads what little there is.
    pub(super) fn tell(&self, byte: u8) {
        // A peer that is gone need not be told.
        let _ = net::send(&self.socket, &[byte], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    }

    /// The peer wrote what no honest peer writes.
    pub(super) fn lied(&self, lie: Lie) {
        self.close(match lie {
            Lie::Length { length } => Closure::Misused { length },
            Lie::Head => Closure::Corrupted { what: "a position that cannot be" },
            Lie::Noise => Closure::Corrupted { what: "wake-ups without records" },
        });
    }

    /// The peer leaves unhandled more than it may, so that we would have to keep it.
    fn overflow(&self, limit: usize) {
        match self.side {
            Side::Parent => self.close(Closure::Overflow { limit }),
            Side::Child => {
                // It is our fault, and the parent is to know.
                self.tell(super::watch::OVERFLOW);
                self.close(Closure::Ended);
            }
        }
    }

    /// The parent was told by its child that that has more to say than it may.
    pub(super) fn overflown(&self) {
        let limit = self.outbox_limit.load(Ordering::Relaxed);
        self.close(Closure::Overflow { limit });
    }

    /// Closes every lane, and ends the watching threads of both sides.
    pub(super) fn close(&self, closure: Closure) {
        self.handlers.close(closure, || {
            for (index, state) in (0..).zip(&self.lanes) {
                self.signal(LaneId(index)).set_closed();
                self.rouse(LaneId(index));
                let dropped = lock(&state.backlog).clear();
                drop(dropped);
                state.flushed.notify_all();
            }
            if let Some(space) = &self.space {
                space.close();
            }
            // One that is gone already is no error.
            let _ = net::shutdown(&self.socket, Shutdown::Both);
        });
    }

    #[inline]
    fn lane(&self, lane: LaneId) -> Option<&LaneState> {
        self.lanes.get(usize::from(lane.0)).map(|state| &**state)
    }

    /// All lanes there can be.
    pub(super) fn all_lanes() -> impl Iterator<Item = LaneId> {
        (0..LANES).map(LaneId)
    }

    /// How the link closed.
    pub(super) fn closure(&self) -> Closure {
        self.handlers.closure().unwrap_or(Closure::Ended)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("side", &self.side).field("handlers", &self.handlers).finish_non_exhaustive()
    }
}

/// A child that was told nothing keeps to this.
pub(super) const DEFAULT_LIMIT: usize = INBOX_BYTES;
