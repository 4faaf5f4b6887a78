//! A Unix socket of packets, and nothing around it.

use std::os::fd::AsRawFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use crate::pair::{Caller, Pair};

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    let (own, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let caller = pair.start_caller(&[theirs.as_raw_fd()])?;
    drop(theirs);
    let mut packet = [0; 8];
    loop {
        let (length, _) = recv(&own, &mut packet[..], RecvFlags::empty())?;
        if length == 0 {
            return caller.finish();
        }
        send(&own, &packet[..length], SendFlags::NOSIGNAL)?;
    }
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    let socket = caller.descriptor(0)?;
    let mut packet = [0; 8];
    let figures = caller.pace.measure(|number| {
        send(&socket, &number.to_le_bytes(), SendFlags::NOSIGNAL)?;
        recv(&socket, &mut packet[..], RecvFlags::empty())?;
        Ok(())
    })?;
    caller.report(&figures)
}
