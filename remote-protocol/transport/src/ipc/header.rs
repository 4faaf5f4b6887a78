//! What comes before each record.

use remote_protocol::id::LaneId;

/// Before each record in a message: its lane, and how many messages of the receiver its sender has received so far, modulo
/// 2³², so that the receiver knows how much of what it sent is still on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) lane: LaneId,
    pub(super) received: u32,
}

impl Header {
    pub(super) const BYTES: usize = 5;

    pub(super) const fn to_bytes(self) -> [u8; Self::BYTES] {
        let [a, b, c, d] = self.received.to_le_bytes();
        [self.lane.0, a, b, c, d]
    }

    /// The header of a message, and the record behind it; `None` when it is too short.
    pub(super) fn split(message: &[u8]) -> Option<(Self, &[u8])> {
        let (&[lane, a, b, c, d], record) = message.split_first_chunk()?;
        Some((Self { lane: LaneId(lane), received: u32::from_le_bytes([a, b, c, d]) }, record))
    }

    /// Changes what a message says was received: it is known when the message is sent.
    pub(super) fn set_received(message: &mut [u8], received: u32) {
        if let Some([_, bytes @ ..]) = message.first_chunk_mut::<{ Self::BYTES }>() {
            *bytes = received.to_le_bytes();
        }
    }
}
