//! What contenders do.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize)]
pub enum Work {
    /// A synchronous call, u64 to u64.
    Call,
    /// A synchronous call by name, with a dynamic value.
    Dynamic,
    /// One-way messages of 64 bytes; the peer does nothing with them but count.
    OneWay,
    /// So many bytes go to the caller, which reads all of them. They are others each time.
    Buffer,
    /// So many bytes that the caller has been given before, read by it once more.
    BufferAgain,
    /// 64 bytes to so many processes, and an answer from each.
    Broadcast,
    /// A synchronous call, while so many other processes call the same one without end.
    Witness,
    /// From starting a process to its first message.
    Spawn,
    /// From starting a process in a strict sandbox to its first message.
    StrictSpawn,
    /// Wake-ups and memory of so many idle processes.
    Idle,
    /// Calls per second of so many calling threads.
    Threads,
    /// The same, of calls that take the other process 10 µs of work each.
    WorkingThreads,
    /// The first byte of a buffer of so many bytes that the caller has been given before.
    FirstByte,
    /// What each of so many live references takes in the parent's memory, and in the child's.
    References,
    /// Making and dropping a proxy, beyond a call.
    Proxy,
    /// Wake-ups for each batch of references that are dropped at once.
    Releases,
}

impl Work {
    /// What is measured beside calls, and in which sizes.
    pub const OTHERS: &[(Self, &[usize])] = &[
        (Self::Dynamic, &[0]),
        (Self::OneWay, &[0]),
        (Self::Buffer, &[64 << 10, 1 << 20, 64 << 20]),
        (Self::BufferAgain, &[64 << 10, 1 << 20, 64 << 20]),
        (Self::Broadcast, &[1, 4, 16, 64]),
        (Self::Witness, &[1, 4, 16]),
        (Self::Spawn, &[0]),
        (Self::StrictSpawn, &[0]),
        (Self::Idle, &[64]),
        (Self::Threads, &[1, 2]),
        (Self::WorkingThreads, &[1, 2]),
        (Self::FirstByte, &[64 << 10, 1 << 20, 64 << 20]),
        (Self::References, &[REFERENCES]),
        (Self::Proxy, &[0]),
        (Self::Releases, &[Releases::ByLoop as usize, Releases::ByThread as usize]),
    ];

    /// What tables call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Call => "A synchronous call, u64 to u64",
            Self::Dynamic => "A synchronous call by name, with a dynamic value",
            Self::OneWay => "A one-way message of 64 bytes; the ring is the floor",
            Self::Buffer => "So many bytes to the caller, others each time, all of them read; memcpy is the floor",
            Self::BufferAgain => "The same bytes to the caller again, all of them read; memcpy is the floor",
            Self::Broadcast => "64 bytes to so many processes, and an answer from each; the futex is the floor",
            Self::Witness => "A synchronous call, while so many other processes call without end",
            Self::Spawn => "From starting a process to its being there; running this program and exiting is the floor",
            Self::StrictSpawn => "The same, of a process in a strict sandbox",
            Self::Idle => "So many idle processes",
            Self::Threads => "Calls of so many threads of one process, which do nothing",
            Self::WorkingThreads => "Calls of so many threads of one process, which are 10 µs of work each",
            Self::FirstByte => "A buffer that was given before is given again, and its first byte read",
            Self::References => "So many live references: what each takes",
            Self::Proxy => "An object is made, given to the caller and dropped there: what that takes beyond a call",
            Self::Releases => "1,000 proxies are dropped at once: wake-ups of the process that they came from",
        }
    }

    /// A size of it.
    pub fn size(self, size: usize) -> String {
        match self {
            Self::Buffer | Self::BufferAgain | Self::FirstByte if size < 1 << 20 => format!("{} KiB", size >> 10),
            Self::Buffer | Self::BufferAgain | Self::FirstByte => format!("{} MiB", size >> 20),
            Self::Releases if size == Releases::ByLoop as usize => "by the loop".to_owned(),
            Self::Releases => "by a thread".to_owned(),
            _ => size.to_string(),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call => "call",
            Self::Dynamic => "dynamic",
            Self::OneWay => "one-way",
            Self::Buffer => "buffer",
            Self::BufferAgain => "buffer-again",
            Self::Broadcast => "broadcast",
            Self::Witness => "witness",
            Self::Spawn => "spawn",
            Self::StrictSpawn => "strict-spawn",
            Self::Idle => "idle",
            Self::Threads => "threads",
            Self::WorkingThreads => "working-threads",
            Self::FirstByte => "first-byte",
            Self::References => "references",
            Self::Proxy => "proxy",
            Self::Releases => "releases",
        })
    }
}

/// Live references.
pub const REFERENCES: usize = 1_000_000;

/// Who drops proxies: the sizes of [`Work::Releases`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Releases {
    /// The thread of the child's event loop, in a turn of it.
    ByLoop,
    /// Another one, while that sleeps.
    ByThread,
}
