//! The child's way to a link.

use std::io::{self, IoSliceMut, stdin};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use rustix::cmsg_space;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::stdio::dup2_stdin;

use super::end::Shared;
use super::layout::{REGION_BYTES, Side};
use super::link::LaneLink;
use super::memory::Region;
use super::server::{GREETING, Server};
use super::watch::Watch;

/// Joins the parent that started this process with what [`Server::invite`] gave it, and puts the proper standard input in its place.
///
/// # Errors
///
/// [`ConnectError`]; standard input may not be usable then.
pub fn connect() -> Result<LaneLink, ConnectError> {
    let socket = stdin().as_fd().try_clone_to_owned().map_err(ConnectError::Unreachable)?;
    let (memory, input) = receive(socket.as_fd())?;
    dup2_stdin(&input).map_err(|error| ConnectError::Unreachable(error.into()))?;
    join(memory, socket)
}

/// Both ends of a link in this process: the first is the parent's, the second the child's.
///
/// # Errors
///
/// When the system has no descriptors, memory or threads.
pub fn pair() -> io::Result<(LaneLink, LaneLink)> {
    let server = Server::new()?;
    let input = std::fs::File::open("/dev/null")?;
    drop(server.invite(input.as_fd())?);
    let (socket, parent, watch) = server.into_child();
    start(watch)?;
    let (memory, _input) = receive(socket.as_fd()).map_err(io::Error::other)?;
    let child = join(memory, socket).map_err(io::Error::other)?;
    Ok((parent, child))
}

/// Takes the message out of the socket.
fn receive(socket: BorrowedFd<'_>) -> Result<(OwnedFd, OwnedFd), ConnectError> {
    let mut greeting = [0; GREETING.len()];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut greeting)], &mut ancillary, flags)
        .map_err(|error| ConnectError::Unreachable(error.into()))?;
    if received.bytes != GREETING.len() || greeting != GREETING {
        return Err(ConnectError::OtherVersion);
    }
    let mut descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let mut descriptors = descriptors.next().into_iter().flatten();
    match (descriptors.next(), descriptors.next()) {
        (Some(memory), Some(input)) => Ok((memory, input)),
        _ => Err(ConnectError::OtherVersion),
    }
}

fn join(memory: OwnedFd, socket: OwnedFd) -> Result<LaneLink, ConnectError> {
    let region = Region::map(memory.as_fd(), REGION_BYTES).map_err(ConnectError::Memory)?.keep(memory);
    let shared = Arc::new(Shared::new(Side::Child, Arc::new(region), socket));
    let link = LaneLink::new(&shared);
    start(Watch::new(shared)).map_err(ConnectError::Thread)?;
    Ok(link)
}

fn start(watch: Watch) -> io::Result<()> {
    thread::Builder::new().name("remote-watch".to_owned()).spawn(move || watch.run(None)).map(drop)
}

/// Why a child could not join its parent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Standard input is not what a parent gives its child.
    #[error("cannot reach the parent")]
    Unreachable(#[source] io::Error),
    /// The parent speaks otherwise.
    #[error("the parent shares memory in another way")]
    OtherVersion,
    /// The shared memory cannot be used.
    #[error("cannot use the shared memory")]
    Memory(#[source] io::Error),
    /// The system gave no thread.
    #[error("cannot start the thread of the link")]
    Thread(#[source] io::Error),
}
