//! Ids: newtypes named from the point of view of who holds them.
//!
//! What lives in a table whose slots are reused is named by slot and generation, so that an id that outlived its
//! entry names nothing instead of something else. What is counted up and never reused needs no generation.
//!
//! On the wire a call and what is lent have ids of a fixed length, so that the beginning of a short call has one, too.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The number of a lane of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LaneId(pub u8);

impl LaneId {
    /// The lane of the child's loop thread; the only one that carries anything but calls.
    pub const MAIN: Self = Self(0);
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A process as one parent knows it: the operating system's process id, and a serial number that no other process of
/// this parent ever had or will have.
///
/// It prints as the operating system's id and can be compared with it. The serial number tells processes apart
/// when the system gives an id again, and children that live in the parent's own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    pid: u32,
    serial: u32,
}

impl ProcessId {
    /// The process `pid`, the `serial`th one of its parent.
    #[must_use]
    pub const fn new(pid: u32, serial: u32) -> Self {
        Self { pid, serial }
    }

    /// The operating system's process id.
    #[must_use]
    pub const fn pid(self) -> u32 {
        self.pid
    }

    /// The number of the process among all that its parent ever had; the main process is number 0.
    #[must_use]
    pub const fn serial(self) -> u32 {
        self.serial
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pid.fmt(f)
    }
}

impl PartialEq<u32> for ProcessId {
    fn eq(&self, pid: &u32) -> bool {
        self.pid == *pid
    }
}

/// A loader: one set of modules, listeners and ports over all processes of a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LoaderId(pub u32);

impl LoaderId {
    /// The loader every parent starts with.
    pub const FIRST: Self = Self(0);
}

impl fmt::Display for LoaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A frame: the same value on both sides, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FrameId {
    /// 0 for a frame the parent opened; else one more than the serial number of the process that registered it.
    origin: u32,
    number: u32,
}

impl FrameId {
    /// The `number`th frame that the parent opened.
    #[must_use]
    pub const fn opened(number: u32) -> Self {
        Self { origin: 0, number }
    }

    /// The `number`th frame that `process` registered.
    #[must_use]
    pub const fn registered(process: ProcessId, number: u32) -> Self {
        Self { origin: process.serial.wrapping_add(1), number }
    }

    /// The frame that these say.
    pub(crate) const fn of(origin: u32, number: u32) -> Self {
        Self { origin, number }
    }

    pub(crate) const fn origin(self) -> u32 {
        self.origin
    }

    pub(crate) const fn number(self) -> u32 {
        self.number
    }

    /// Whether `process` may have registered this frame itself.
    #[must_use]
    pub const fn is_from(self, process: ProcessId) -> bool {
        self.origin == process.serial.wrapping_add(1)
    }
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.origin, self.number)
    }
}

/// One call or lookup of a child, until its return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallId(#[serde(with = "fixed")] pub u32);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One run of a child's function that the parent waits for, until its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InvocationId(pub u32);

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something lent to the peer: a slot of the lender's table, and which of the slot's successive tenants is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LentId {
    /// The slot.
    #[serde(with = "fixed")]
    pub slot: u32,
    /// How many tenants the slot had before this one.
    #[serde(with = "fixed")]
    pub generation: u32,
}

impl fmt::Display for LentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.slot, self.generation)
    }
}

/// Four bytes, the lowest first, whatever the number.
mod fixed {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[inline]
    pub(super) fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        number.to_le_bytes().serialize(serializer)
    }

    #[inline]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        Deserialize::deserialize(deserializer).map(u32::from_le_bytes)
    }
}
