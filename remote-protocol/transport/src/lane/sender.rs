//! The sending half of a lane.

use std::sync::Arc;

use remote_protocol::id::LaneId;
use remote_protocol::limits::RECORD_BYTES;
use remote_protocol::link::{SendError, Transmit};

use super::cpu;
use super::end::LaneState;
use super::layout::RingMemory;
use super::link::End;
use super::ring::{Producer, PushError};
use super::watch;

/// Sends on one lane, into its ring, or behind what waits for room there.
pub(super) struct LaneSender {
    end: Arc<End>,
    lane: LaneId,
    state: Arc<LaneState>,
    /// With the backlog while that has records.
    producer: Option<Producer<RingMemory>>,
    /// Whether the parent has yet to be told of the lane.
    is_new: bool,
}

impl LaneSender {
    pub(super) const fn new(
        end: Arc<End>,
        lane: LaneId,
        state: Arc<LaneState>,
        producer: Producer<RingMemory>,
        is_new: bool,
    ) -> Self {
        Self { end, lane, state, producer: Some(producer), is_new }
    }

    #[inline]
    fn push(&mut self, record: &[u8]) -> Result<(), SendError> {
        let Some(producer) = &mut self.producer else { return self.push_later(record) };
        match producer.push(record, cpu::recent()) {
            Ok(()) => {
                self.end.shared.ring_peer(self.lane);
                Ok(())
            }
            Err(PushError::Full) => self.push_later(record),
            Err(PushError::Lie(lie)) => {
                self.end.shared.lied(lie);
                Err(SendError::Closed)
            }
        }
    }

    #[cold]
    fn push_later(&mut self, record: &[u8]) -> Result<(), SendError> {
        let shared = &self.end.shared;
        let Some(mut backlog) = shared.backlog(self.lane) else { return Err(SendError::Closed) };
        if let Some(producer) = self.producer.take() {
            backlog.producer = Some(producer);
        } else if backlog.is_empty() {
            // All of it found room meanwhile.
            self.producer = backlog.producer.take();
            drop(backlog);
            return match self.producer {
                Some(_) => self.push(record),
                None => Err(SendError::Closed),
            };
        }
        shared.send_later(self.lane, backlog, record)
    }
}

impl Transmit for LaneSender {
    fn send(&mut self, record: &[u8]) -> Result<(), SendError> {
        if record.len() > RECORD_BYTES {
            return Err(SendError::TooLong { length: record.len(), limit: RECORD_BYTES });
        }
        if self.state.signal().is_closed() {
            return Err(SendError::Closed);
        }
        self.push(record)?;
        if self.is_new {
            self.is_new = false;
            self.end.shared.tell(watch::announcement(self.lane));
        }
        Ok(())
    }
}
