//! The thread that receives.

use std::io;

use ipc_channel::IpcError;
use ipc_channel::ipc::IpcBytesReceiver;
use remote_protocol::limits::RECORD_BYTES;
use remote_protocol::link::Closure;

use super::header::Header;
use super::outbox::Outbox;
use crate::inbox::Inbox;

/// Sorts what arrives into lanes until the peer ends, breaks the rules, or the link is closed; and then closes both
/// boxes, also if a handler panics.
///
/// A message has the capacity of the longest there could be, so its bytes are copied and it is dropped.
pub(super) fn pump(rx: &IpcBytesReceiver, inbox: &Inbox, outbox: &Outbox) {
    let _close = CloseOnDrop { inbox, outbox };
    loop {
        let message = match rx.recv() {
            Ok(message) => message,
            Err(IpcError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::debug!(%error, "nothing more will be received");
                return;
            }
        };
        let (header, record) = match Header::split(&message) {
            Some((header, record)) if record.len() <= RECORD_BYTES => (header, record),
            _ => {
                inbox.close(Closure::Misused { length: message.len().saturating_sub(Header::BYTES) });
                return;
            }
        };
        outbox.heard(header.received);
        if inbox.push(header.lane, record, None).is_err() {
            return;
        }
    }
}

struct CloseOnDrop<'a> {
    inbox: &'a Inbox,
    outbox: &'a Outbox,
}

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.outbox.close();
        self.inbox.close(Closure::Ended);
    }
}
