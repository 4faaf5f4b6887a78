//! Who is compared. Each serves in one process and calls from another.

use anyhow::bail;
use remote_parent::Transport;

use crate::pair::{Caller, Pair};
use crate::placement::Placement;
use crate::work::Work;

mod capnp;
mod floors;
mod iceoryx;
mod ipc;
mod ours;
mod remoc;
mod rmi;
mod seqpacket;
mod shared;
mod socket;
mod tarpc;
mod tonic;
mod zbus;

/// A contender, by what it is called.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    pub name: &'static str,
    /// What tables call it.
    pub title: &'static str,
    serve: fn(&Pair) -> anyhow::Result<()>,
    call: fn(&Caller) -> anyhow::Result<()>,
    /// Whether it does this work, so placed.
    does: fn(Work, Placement) -> bool,
}

fn not_asked(_: &Caller) -> anyhow::Result<()> {
    bail!("its callers are started otherwise")
}

fn calls(work: Work, _: Placement) -> bool {
    work == Work::Call
}

fn calls_apart(work: Work, placement: Placement) -> bool {
    work == Work::Call && matches!(placement, Placement::Free | Placement::Apart)
}

fn everything(_: Work, _: Placement) -> bool {
    true
}

pub const ALL: &[Contender] = &[
    Contender {
        name: "spinning",
        title: "shared memory, both spinning (limit)",
        serve: shared::serve_spinning,
        call: shared::call_spinning,
        does: calls_apart,
    },
    Contender {
        name: "futex",
        title: "shared memory + futex, memcpy (floor)",
        serve: |pair| if pair.work == Work::Call { shared::serve_futex(pair) } else { floors::serve(pair) },
        call: |caller| if caller.pair.work == Work::Call { shared::call_futex(caller) } else { floors::call(caller) },
        does: |work, _| {
            use Work::{Broadcast, Buffer, BufferAgain, Call, OneWay, Spawn};
            matches!(work, Call | OneWay | Buffer | BufferAgain | Broadcast | Spawn)
        },
    },
    Contender {
        name: "remote-lane",
        title: "remote, shared memory",
        serve: |pair| ours::serve(pair, Transport::Lane),
        call: not_asked,
        does: everything,
    },
    Contender {
        name: "remote-ipc",
        title: "remote, portable transport",
        serve: |pair| ours::serve(pair, Transport::Ipc),
        call: not_asked,
        does: everything,
    },
    Contender {
        name: "remote-memory",
        title: "remote, in memory",
        serve: |pair| ours::serve(pair, Transport::Memory),
        call: not_asked,
        does: |work, _| matches!(work, Work::Call | Work::OneWay),
    },
    Contender {
        name: "seqpacket",
        title: "Unix seqpacket, raw",
        serve: seqpacket::serve,
        call: seqpacket::call,
        does: |work, _| matches!(work, Work::Call | Work::OneWay),
    },
    Contender {
        name: "ipc-channel",
        title: "ipc-channel, open channels",
        serve: |pair| if pair.work == Work::Call { ipc::serve_open(pair) } else { ipc::others::serve(pair) },
        call: |caller| if caller.pair.work == Work::Call { ipc::call_open(caller) } else { ipc::others::call(caller) },
        does: |work, _| matches!(work, Work::Call | Work::OneWay | Work::Buffer),
    },
    Contender {
        name: "ipc-channel-each",
        title: "ipc-channel, a channel for each call",
        serve: ipc::serve_each,
        call: ipc::call_each,
        does: calls,
    },
    Contender {
        name: "iceoryx2-polling",
        title: "iceoryx2, looking all the time",
        serve: |pair| if pair.work == Work::Call { iceoryx::serve_polling(pair) } else { iceoryx::others::serve(pair) },
        call: |caller| {
            if caller.pair.work == Work::Call { iceoryx::call_polling(caller) } else { iceoryx::others::call(caller) }
        },
        does: |work, placement| match work {
            Work::Call => placement != Placement::Together,
            Work::OneWay | Work::Buffer => true,
            _ => false,
        },
    },
    Contender {
        name: "iceoryx2-events",
        title: "iceoryx2, waiting for events",
        serve: iceoryx::serve_events,
        call: iceoryx::call_events,
        does: calls,
    },
    Contender { name: "tarpc", title: "tarpc, Unix socket", serve: tarpc::serve, call: tarpc::call, does: calls },
    Contender {
        name: "capnp-rpc",
        title: "capnp-rpc, Unix socket",
        serve: capnp::serve,
        call: capnp::call,
        does: calls,
    },
    Contender { name: "remoc", title: "remoc, Unix socket", serve: remoc::serve, call: remoc::call, does: calls },
    Contender { name: "zbus", title: "zbus, peer to peer", serve: zbus::serve, call: zbus::call, does: calls },
    Contender { name: "tonic", title: "tonic, Unix socket", serve: tonic::serve, call: tonic::call, does: calls },
    Contender { name: "rmi", title: "Java RMI", serve: rmi::serve, call: rmi::call, does: calls },
];

impl Contender {
    pub fn named(name: &str) -> anyhow::Result<&'static Self> {
        match ALL.iter().find(|contender| contender.name == name) {
            Some(contender) => Ok(contender),
            None => bail!("there is no contender `{name}`"),
        }
    }

    /// Why it cannot be measured on this machine, if so.
    pub fn missing(&self) -> Option<String> {
        (self.name == "rmi").then(rmi::missing).flatten()
    }

    pub fn does(&self, work: Work, placement: Placement) -> bool {
        (self.does)(work, placement)
    }

    pub fn serve(&self, pair: &Pair) -> anyhow::Result<()> {
        (self.serve)(pair)
    }

    pub fn call(&self, caller: &Caller) -> anyhow::Result<()> {
        (self.call)(caller)
    }
}
