//! How a thread that waits for a client is released: by being one, since nothing else ends the wait.
//!
//! On Linux and its like not through ipc-channel, whose own way to connect loses a file descriptor when the server is
//! gone; and that it goes in this very moment, because the child came after all, cannot be excluded.

#[cfg(any(target_os = "linux", target_os = "openbsd", target_os = "freebsd", target_os = "illumos"))]
pub(super) fn connect_and_hang_up(address: &str) -> std::io::Result<()> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(address)?)?;
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "openbsd", target_os = "freebsd", target_os = "illumos")))]
pub(super) fn connect_and_hang_up(address: &str) -> std::io::Result<()> {
    use super::bootstrap::{Bootstrap, into_io};

    let server = ipc_channel::ipc::IpcSender::connect(address.to_owned())?;
    server.send(Bootstrap::Abandoned).map_err(into_io)
}
