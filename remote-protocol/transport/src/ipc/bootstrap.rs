//! The one message that makes a link.

use std::io;

use ipc_channel::IpcError;
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender};
use serde::{Deserialize, Serialize};

/// What the server of a link receives, once.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Bootstrap {
    /// From the child: the parent's ends.
    Channels(Channels),
    /// From the parent to itself: nobody will come any more.
    Abandoned,
}

/// The channels of one end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Channels {
    pub(super) tx: IpcBytesSender,
    pub(super) rx: IpcBytesReceiver,
    /// What is sent on it arrives at `rx`.
    pub(super) nudge: IpcBytesSender,
    /// Nothing is sent on it: it is there to go.
    pub(super) alive: IpcBytesSender,
    /// The other end of the peer's `alive`.
    pub(super) peer: IpcBytesReceiver,
}

impl Channels {
    /// Those of two ends that are joined.
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let (to_child, from_parent) = ipc::bytes_channel()?;
        let (to_parent, from_child) = ipc::bytes_channel()?;
        let (child_alive, child) = ipc::bytes_channel()?;
        let (parent_alive, parent) = ipc::bytes_channel()?;
        let nudges = (to_parent.clone(), to_child.clone());
        let of_parent = Self { tx: to_child, rx: from_child, nudge: nudges.0, alive: parent_alive, peer: child };
        let of_child = Self { tx: to_parent, rx: from_parent, nudge: nudges.1, alive: child_alive, peer: parent };
        Ok((of_parent, of_child))
    }
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
