//! A Unix socket of packets, and nothing around it.

use std::os::fd::AsRawFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use crate::pair::{Caller, Pair};
use crate::work::Work;

/// A call, or one of many messages that only the last is answered of.
const BYTES: usize = 64;

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    let (own, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let caller = pair.start_caller(&[theirs.as_raw_fd()])?;
    drop(theirs);
    let mut packet = [0; BYTES];
    loop {
        let (length, _) = recv(&own, &mut packet[..], RecvFlags::empty())?;
        match length {
            0 => return caller.finish(),
            // Only counted.
            BYTES => {}
            length => drop(send(&own, &packet[..length], SendFlags::NOSIGNAL)?),
        }
    }
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    let socket = caller.descriptor(0)?;
    let mut packet = [0; 8];
    let mut ask = |number: u64| -> anyhow::Result<()> {
        send(&socket, &number.to_le_bytes(), SendFlags::NOSIGNAL)?;
        recv(&socket, &mut packet[..], RecvFlags::empty())?;
        Ok(())
    };
    let figures = match caller.pair.work {
        Work::OneWay => caller.pace.measure_bulk(|count| {
            for _ in 0..count {
                send(&socket, &[7; BYTES], SendFlags::NOSIGNAL)?;
            }
            ask(count)
        }),
        _ => caller.pace.measure(ask),
    }?;
    caller.report(&figures)
}
