//! The child's way to a link.

use std::io;

use ipc_channel::ipc::IpcSender;

use super::bootstrap::{ADDRESS_IS_PATH, Bootstrap, Channels, PATH_BYTES, into_io};
use super::link::IpcLink;

/// Joins the parent whose [`Server`](super::Server) has this address: [`reach`], then [`Reached::start`].
///
/// # Errors
///
/// [`ConnectError`]. There is no second attempt: an address is good for one.
pub fn connect(address: &str) -> Result<IpcLink, ConnectError> {
    reach(address)?.start()
}

/// Makes itself known to the parent whose [`Server`](super::Server) has this address. Does not block, and starts no thread.
///
/// # Errors
///
/// [`ConnectError`]. There is no second attempt: an address is good for one.
pub fn reach(address: &str) -> Result<Reached, ConnectError> {
    if address.contains('\0') || (ADDRESS_IS_PATH && address.len() > PATH_BYTES) {
        return Err(ConnectError::NoAddress);
    }
    let server = IpcSender::connect(address.to_owned()).map_err(ConnectError::Unreachable)?;
    let (of_parent, of_child) = Channels::pair().map_err(ConnectError::Channel)?;
    server.send(Bootstrap::Channels(of_parent)).map_err(|error| ConnectError::Unreachable(into_io(error)))?;
    Ok(Reached { channels: of_child })
}

/// A child's end of a link that has everything of the system but its threads.
#[must_use = "nothing is received before it is started"]
#[derive(Debug)]
pub struct Reached {
    channels: Channels,
}

impl Reached {
    /// Starts the threads of the link.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Thread`].
    pub fn start(self) -> Result<IpcLink, ConnectError> {
        IpcLink::start(self.channels).map_err(ConnectError::Thread)
    }
}

/// Why a child could not join its parent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// What was given cannot be the address of a server.
    #[error("not the address of a server")]
    NoAddress,
    /// There is no server of this address, or no longer.
    #[error("cannot reach the parent")]
    Unreachable(#[source] io::Error),
    /// The system gave no channel.
    #[error("cannot make a channel")]
    Channel(#[source] io::Error),
    /// The system gave no thread.
    #[error("cannot start the threads of the link")]
    Thread(#[source] io::Error),
}
