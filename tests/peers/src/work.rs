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
    /// So many bytes go to the caller, which reads all of them.
    Buffer,
    /// 64 bytes to so many processes, and an answer from each.
    Broadcast,
    /// From starting a process to its first message.
    Spawn,
    /// Wake-ups and memory of so many idle processes.
    Idle,
    /// Calls per second of so many calling threads.
    Threads,
}

impl Work {
    /// What is measured beside calls, and in which sizes.
    pub const OTHERS: &[(Self, &[usize])] = &[
        (Self::Dynamic, &[0]),
        (Self::OneWay, &[0]),
        (Self::Buffer, &[64 << 10, 1 << 20, 64 << 20]),
        (Self::Broadcast, &[1, 4, 16, 64]),
        (Self::Spawn, &[0]),
        (Self::Idle, &[64]),
        (Self::Threads, &[1, 2]),
    ];

    /// What tables call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Call => "A synchronous call, u64 to u64",
            Self::Dynamic => "A synchronous call by name, with a dynamic value",
            Self::OneWay => "A one-way message of 64 bytes; the ring is the floor",
            Self::Buffer => "So many bytes to the caller, all of them read; memcpy is the floor",
            Self::Broadcast => "64 bytes to so many processes, and an answer from each; the futex is the floor",
            Self::Spawn => "From starting a process to its being there; running this program and exiting is the floor",
            Self::Idle => "So many idle processes",
            Self::Threads => "Calls of so many threads of one process",
        }
    }

    /// A size of it.
    pub fn size(self, size: usize) -> String {
        match self {
            Self::Buffer if size < 1 << 20 => format!("{} KiB", size >> 10),
            Self::Buffer => format!("{} MiB", size >> 20),
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
            Self::Broadcast => "broadcast",
            Self::Spawn => "spawn",
            Self::Idle => "idle",
            Self::Threads => "threads",
        })
    }
}
