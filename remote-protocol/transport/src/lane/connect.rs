//! The child's way to a link.

use std::io::{self, IoSliceMut, stdin};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use rustix::cmsg_space;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::stdio::dup2_stdin;

use super::buffers::View;
use super::end::Shared;
use super::layout::{REGION_BYTES, Side};
use super::link::LaneLink;
use super::memory::Region;
use super::server::{GREETING, Server};
use super::watch::Watch;

/// Joins the parent that started this process: [`reach`], then [`Reached::start`].
///
/// # Errors
///
/// [`ConnectError`]; standard input may not be usable then.
pub fn connect() -> Result<LaneLink, ConnectError> {
    reach()?.start()
}

/// Takes what [`Server::invite`] gave this process, and puts the proper standard input in its place. No thread is started.
///
/// # Errors
///
/// [`ConnectError`]; standard input may not be usable then.
pub fn reach() -> Result<Reached, ConnectError> {
    let socket = stdin().as_fd().try_clone_to_owned().map_err(ConnectError::Unreachable)?;
    let Given { memory, input, buffers } = receive(socket.as_fd())?;
    dup2_stdin(&input).map_err(|error| ConnectError::Unreachable(error.into()))?;
    Reached::join(memory, &buffers, socket)
}

/// A child's end of a link that has everything of the system but its thread.
#[must_use = "nothing is received before it is started"]
#[derive(Debug)]
pub struct Reached {
    link: LaneLink,
    watch: Watch,
}

impl Reached {
    /// Everything is mapped here, once and for all, so that a process that gives up its rights after this loses nothing.
    fn join(memory: OwnedFd, buffers: &OwnedFd, socket: OwnedFd) -> Result<Self, ConnectError> {
        let region = Region::map(memory.as_fd(), REGION_BYTES).map_err(ConnectError::Memory)?.keep(memory);
        let view = View::map(buffers.as_fd()).map_err(ConnectError::Memory)?;
        let shared = Shared::new(Side::Child, Arc::new(region), socket).with_buffers(None, Some(Arc::new(view)));
        let shared = Arc::new(shared);
        Ok(Self { link: LaneLink::new(&shared), watch: Watch::new(shared) })
    }

    /// Starts the thread of the link.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Thread`].
    pub fn start(self) -> Result<LaneLink, ConnectError> {
        start(self.watch).map_err(ConnectError::Thread)?;
        Ok(self.link)
    }
}

/// Both ends of a link in this process: the first is the parent's, the second the child's. It has room for 1 MiB of buffers.
///
/// # Errors
///
/// When the system has no descriptors, memory or threads.
pub fn pair() -> io::Result<(LaneLink, LaneLink)> {
    let server = Server::new(1024 * 1024)?;
    let input = std::fs::File::open("/dev/null")?;
    drop(server.invite(input.as_fd())?);
    let (socket, parent, watch) = server.into_child();
    start(watch)?;
    let Given { memory, buffers, .. } = receive(socket.as_fd()).map_err(io::Error::other)?;
    let child = Reached::join(memory, &buffers, socket).and_then(Reached::start).map_err(io::Error::other)?;
    Ok((parent, child))
}

/// What comes with the greeting.
struct Given {
    memory: OwnedFd,
    input: OwnedFd,
    buffers: OwnedFd,
}

/// Takes the message out of the socket.
fn receive(socket: BorrowedFd<'_>) -> Result<Given, ConnectError> {
    let mut greeting = [0; GREETING.len()];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(3))];
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
    match (descriptors.next(), descriptors.next(), descriptors.next()) {
        (Some(memory), Some(input), Some(buffers)) => Ok(Given { memory, input, buffers }),
        _ => Err(ConnectError::OtherVersion),
    }
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
