//! The parent's way to a link.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;

use rustix::cmsg_space;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg, socketpair,
};

use super::buffers::Space;
use super::end::{DEFAULT_LIMIT, Shared};
use super::layout::{REGION_BYTES, Side};
use super::link::LaneLink;
use super::memory::{Region, sealed_file};
use super::watch::Watch;

/// What the parent makes before it starts a child, and gives it as its standard input.
///
/// There the child finds a socket, and in that one message: the descriptors of the shared memory, of that for buffers, and of what is to be its
/// standard input from then on. So no descriptor needs to be inheritable even for a moment, nor a number in the arguments, and starting a process stays
/// as fast as the system can.
#[derive(Debug)]
pub struct Server {
    memory: OwnedFd,
    /// As the child is to have it.
    buffers: OwnedFd,
    shared: Arc<Shared>,
    child: OwnedFd,
}

impl Server {
    /// Makes a link of zeros, with room for so many bytes of buffers, rounded up to 64 KiB, or for 4 GiB. Buffers take memory only while they are there.
    ///
    /// # Errors
    ///
    /// When the system has no descriptors or no memory, or does not show this process its own descriptors in `/proc`.
    pub fn new(buffer_bytes: usize) -> io::Result<Self> {
        let memory = sealed_file("remote-lane", REGION_BYTES)?;
        let space = Space::new(buffer_bytes)?;
        let buffers = space.descriptor()?;
        let region = Arc::new(Region::map(memory.as_fd(), REGION_BYTES)?);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, child) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let space = Arc::new(space);
        let shared = Shared::new(Side::Parent, region, socket).with_buffers(Some(Arc::clone(&space)), None);
        shared.set_limit(DEFAULT_LIMIT);
        let shared = Arc::new(shared);
        space.belongs_to(&shared);
        Ok(Self { memory, buffers, shared, child })
    }

    /// What to start the child with as its standard input. When it has connected, that is `stdin`.
    ///
    /// # Errors
    ///
    /// When the system does not take the message.
    pub fn invite(&self, stdin: BorrowedFd<'_>) -> io::Result<Stdio> {
        let descriptors = [self.memory.as_fd(), stdin, self.buffers.as_fd()];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(3))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(self.shared.socket(), &[IoSlice::new(GREETING)], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(self.child.try_clone()?.into())
    }

    /// The parent's end, when the child has been started, and what has to be run to see the child's.
    pub fn listen(self) -> (LaneLink, Watch) {
        (LaneLink::new(&self.shared), Watch::new(self.shared))
    }

    /// The memory, as this process has it.
    #[cfg(test)]
    pub(super) fn region(&self) -> Arc<Region> {
        self.shared.region()
    }

    /// The child's end of the socket, for a child in this process.
    pub(super) fn into_child(self) -> (OwnedFd, LaneLink, Watch) {
        (self.child, LaneLink::new(&self.shared), Watch::new(self.shared))
    }
}

/// What comes with the descriptors: a name, and the version of all that is shared.
pub(super) const GREETING: &[u8] = b"remote-lane 2\n";
