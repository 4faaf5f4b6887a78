//! The one message that makes a link.

use std::io;

use ipc_channel::IpcError;
use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender};
use serde::{Deserialize, Serialize};

/// What the server of a link receives, once.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Bootstrap {
    /// From the child: the parent's ends of the two channels.
    Channels(IpcBytesSender, IpcBytesReceiver),
    /// From the parent to itself: nobody will come any more.
    Abandoned,
}

/// Whether an address is the path of a socket, which is gone when its server is.
pub(super) const ADDRESS_IS_PATH: bool =
    cfg!(any(target_os = "linux", target_os = "openbsd", target_os = "freebsd", target_os = "illumos"));

/// The longest path of a socket. ipc-channel cuts off the rest.
pub(super) const PATH_BYTES: usize = 107;

/// The operating system's error, if it was one.
pub(super) fn into_io(error: IpcError) -> io::Error {
    match error {
        IpcError::Io(error) => error,
        IpcError::Disconnected => io::ErrorKind::ConnectionReset.into(),
        error @ IpcError::SerializationError(_) => io::Error::other(error),
    }
}
