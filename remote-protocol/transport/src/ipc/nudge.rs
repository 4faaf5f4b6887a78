//! How a thread that blocks in receiving is made to look around.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ipc_channel::ipc::IpcBytesSender;
use remote_protocol::id::LaneId;

use super::header::Header;
use crate::lock::lock;

/// The sending end of the channel that this side receives from: nothing but a message ends a wait for one.
pub(super) struct Nudge {
    tx: Mutex<IpcBytesSender>,
    /// One is on its way. It wakes whoever reads next, so that another would tell nothing new.
    is_pending: AtomicBool,
}

impl Nudge {
    /// The lane of such a message. From a peer it would do no harm.
    pub(super) const LANE: LaneId = LaneId(u8::MAX);

    pub(super) fn new(tx: IpcBytesSender) -> Self {
        Self { tx: Mutex::new(tx), is_pending: AtomicBool::new(false) }
    }

    /// Nudges the thread that reads, or the next one. Called only when one does, who makes room if there is none.
    pub(super) fn send(&self) {
        if self.is_pending.swap(true, Ordering::SeqCst) {
            return;
        }
        let tx = lock(&self.tx).clone();
        let message = Header { lane: Self::LANE, received: 0 }.to_bytes();
        if let Err(error) = tx.send(&message) {
            // Nobody reads any more.
            tracing::debug!(%error, "nobody is there to be nudged");
        }
    }

    /// One has arrived. What it is about must be looked at after this.
    pub(super) fn arrived(&self) {
        self.is_pending.store(false, Ordering::SeqCst);
    }
}
