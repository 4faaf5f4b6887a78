//! Gates for children that can make no connections any more: the tests make them and hand them over.

use std::io::{self, BufRead, BufReader, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// Where children of this process find its switchboard, which is there from the first time on that this is asked.
///
/// # Panics
///
/// When there are no sockets.
pub fn name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let name = format!("remote-tests-switchboard-{}", std::process::id());
        let listener = UnixListener::bind_addr(&address(&name)).expect("nobody else has this name");
        thread::spawn(move || {
            for child in listener.incoming() {
                thread::spawn(move || serve(&child.expect("the listener listens")));
            }
        });
        name
    })
}

/// Joins the switchboard of this name, while this process still can.
///
/// # Panics
///
/// When it is not there.
pub fn join(name: &str) {
    let joined = UnixStream::connect_addr(&address(name)).expect("the switchboard is there");
    assert!(JOINED.set(Mutex::new(joined)).is_ok(), "this is done once");
}

/// A connection with this address; `None` in a process that has not joined a switchboard.
pub(crate) fn connect(address: &str) -> Option<TcpStream> {
    let mut switchboard = JOINED.get()?.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(switchboard, "{address}").expect("the switchboard is there");
    let stream = receive(&switchboard).expect("the switchboard is there");
    Some(stream.expect("the gate is there").into())
}

/// Connects a child to wherever it wants.
fn serve(child: &UnixStream) {
    for address in BufReader::new(child).lines() {
        // It ends like any connection, with an error perhaps.
        let Ok(address) = address else { return };
        if send(child, TcpStream::connect(address).ok()).is_err() {
            return;
        }
    }
}

fn send(child: &UnixStream, stream: Option<TcpStream>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = stream.as_ref().map(AsFd::as_fd);
    if let Some(descriptor) = &descriptors {
        ancillary.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(descriptor)));
    }
    sendmsg(child, &[IoSlice::new(b"x")], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(switchboard: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(switchboard, &mut [IoSliceMut::new(&mut [0])], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let stream = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(stream)
}

fn address(name: &str) -> SocketAddr {
    SocketAddr::from_abstract_name(name).expect("a short name")
}

static JOINED: OnceLock<Mutex<UnixStream>> = OnceLock::new();
