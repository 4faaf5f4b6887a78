//! What was sent and found no room in its ring.

use std::collections::VecDeque;
use std::mem;

use remote_protocol::limits::MESSAGE_COST;

use super::cpu;
use super::layout::RingMemory;
use super::ring::{Lie, Producer, PushError};
use crate::spare::Spare;

/// The records of one lane that wait for room, in order, and the producer that will write them.
///
/// While there are any, the producer is here, and everything sent goes behind them. When the last has gone the sender
/// takes it back, so that who need not wait takes no lock.
#[derive(Default)]
pub(super) struct Backlog {
    pub(super) producer: Option<Producer<RingMemory>>,
    records: VecDeque<Vec<u8>>,
    /// What the records cost.
    cost: usize,
    spare: Spare,
    /// How many records came here, ever.
    queued: u64,
    /// How many of them found room.
    flushed: u64,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Puts a record behind the others, unless more than `limit` bytes would then lie unhandled, in the ring and here.
    #[must_use]
    pub(super) fn queue(&mut self, record: &[u8], limit: usize) -> bool {
        let in_ring = self.producer.as_ref().map_or(0, Producer::untaken_bytes);
        let cost = record.len() + MESSAGE_COST;
        if in_ring + self.cost + cost > limit {
            return false;
        }
        let mut bytes = self.spare.take(record.len());
        bytes.extend_from_slice(record);
        self.records.push_back(bytes);
        self.cost += cost;
        self.queued += 1;
        true
    }

    /// Writes what there is room for; if something is left, the peer will tell of room. Gives whether anything was written.
    pub(super) fn flush(&mut self) -> Result<bool, Lie> {
        let Some(producer) = &mut self.producer else { return Ok(false) };
        let mut has_written = false;
        while let Some(record) = self.records.front() {
            match producer.push(record, cpu::recent()) {
                Ok(()) => {}
                Err(PushError::Full) if producer.want_room(record.len())? => continue,
                Err(PushError::Full) => break,
                Err(PushError::Lie(lie)) => return Err(lie),
            }
            has_written = true;
            self.cost -= record.len() + MESSAGE_COST;
            self.flushed += 1;
            if let Some(used) = self.records.pop_front() {
                self.spare.give(used);
            }
        }
        Ok(has_written)
    }

    /// Drops what waits.
    pub(super) fn clear(&mut self) -> VecDeque<Vec<u8>> {
        self.cost = 0;
        mem::take(&mut self.records)
    }

    /// How many records came here, ever.
    pub(super) const fn queued(&self) -> u64 {
        self.queued
    }

    /// How many of them found room.
    pub(super) const fn flushed(&self) -> u64 {
        self.flushed
    }
}
