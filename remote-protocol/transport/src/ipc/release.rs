//! How a thread that waits for a client is released: by being one, since nothing else ends the wait.
//!
//! What that takes is made before anybody waits, for when it is needed there may be no descriptor left; and then the thread
//! would stay, with the server.
//!
//! On Linux and its like not through ipc-channel, whose own way to connect loses a file descriptor when the server is
//! gone; and that it goes in this very moment, because the child came after all, cannot be excluded.

use std::io;

/// What releases it.
#[cfg(any(target_os = "linux", target_os = "openbsd", target_os = "freebsd", target_os = "illumos"))]
pub(super) struct Release(std::os::fd::OwnedFd);

#[cfg(any(target_os = "linux", target_os = "openbsd", target_os = "freebsd", target_os = "illumos"))]
impl Release {
    pub(super) fn new() -> io::Result<Self> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        Ok(Self(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?))
    }

    pub(super) fn connect_and_hang_up(self, address: &str) -> io::Result<()> {
        use rustix::net::{SocketAddrUnix, connect};

        Ok(connect(&self.0, &SocketAddrUnix::new(address)?)?)
    }
}

/// What releases it.
#[cfg(not(any(target_os = "linux", target_os = "openbsd", target_os = "freebsd", target_os = "illumos")))]
pub(super) struct Release;

#[cfg(not(any(target_os = "linux", target_os = "openbsd", target_os = "freebsd", target_os = "illumos")))]
impl Release {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) fn connect_and_hang_up(self, address: &str) -> io::Result<()> {
        use super::bootstrap::{Bootstrap, into_io};

        let server = ipc_channel::ipc::IpcSender::connect(address.to_owned())?;
        server.send(Bootstrap::Abandoned).map_err(into_io)
    }
}
