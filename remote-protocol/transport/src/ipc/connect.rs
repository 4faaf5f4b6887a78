//! The child's way to a link.

use std::io;

use ipc_channel::ipc::IpcSender;

use super::bootstrap::{ADDRESS_IS_PATH, Bootstrap, Channels, PATH_BYTES, into_io};
use super::link::IpcLink;

/// Joins the parent whose [`Server`](super::Server) has this address. Does not block.
///
/// # Errors
///
/// [`ConnectError`]. There is no second attempt: an address is good for one.
pub fn connect(address: &str) -> Result<IpcLink, ConnectError> {
    if address.contains('\0') || (ADDRESS_IS_PATH && address.len() > PATH_BYTES) {
        return Err(ConnectError::NoAddress);
    }
    let server = IpcSender::connect(address.to_owned()).map_err(ConnectError::Unreachable)?;
    let (of_parent, of_child) = Channels::pair().map_err(ConnectError::Channel)?;
    let link = IpcLink::start(of_child).map_err(ConnectError::Thread)?;
    server.send(Bootstrap::Channels(of_parent)).map_err(|error| ConnectError::Unreachable(into_io(error)))?;
    Ok(link)
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
