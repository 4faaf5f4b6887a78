//! Limits, each with its reason. Those of one process can be configured, by [`Limits`]: then these are the defaults.

use std::time::{Duration, Instant};

mod builder;

pub use builder::Limits;

/// The longest record. Smaller than what every transport can hand over in one piece: ipc-channel begins to split, and
/// then to wait for its peer in the middle of a message, at about 200 KiB.
pub const RECORD_BYTES: usize = 64 * 1024;

/// The longest message. Anything larger has to be sent in several, or is a buffer.
pub const MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// How deep values may nest: deep enough for any document, and small enough for any thread's stack.
pub const DEPTH: u32 = 32;

/// Events and callbacks on their way to one process, sent but not yet handled, in bytes; and as many from it.
pub const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// What a message costs in a window beyond its bytes, so that empty ones are bounded too.
pub const MESSAGE_COST: usize = 64;

/// The lanes of one link, the main lane included. As many threads of a child can be in calls at once; more wait for a lane.
pub const LANES: u8 = 16;

/// The calls of one process that may be unanswered while nobody is blocked in them, and the functions of it that the parent waits for, or
/// has given up and the process has not answered: each keeps something on both sides until it is answered. As many as anybody follows up
/// at once; whoever has more to ask asks with a list.
pub const CALLS: usize = 64;

/// Objects lent to one process, and callbacks held of it, at any time.
pub const REFERENCES: usize = 16_384;

/// References given back by one message: enough that it costs little for each, and few enough that it is a short record, and that the
/// parent goes through them under a lock.
pub const RELEASES: usize = 1024;

/// Messages that give references back and are not acknowledged, so that a peer that does not come to them has no more. Some, for most
/// are short.
pub const RELEASE_BATCHES: u32 = 64;

/// What giving back one reference takes at most, encoded: an id, and a number of 32 bits.
const RELEASE_BYTES: usize = 13;

/// Callbacks that one message revokes: the parent goes through them under a lock. More take more messages.
pub const REVOKED: usize = 1024;

/// How deep functions may nest on one thread, each called by a method that another one called: enough for what people can follow, and
/// little enough for any thread's stack.
pub const NESTED_FUNCTIONS: usize = 16;

/// Bytes of buffers lent to one process, at any time: a child that never gives one back must not fill the memory of the parent.
pub const BUFFER_BYTES: usize = 256 * 1024 * 1024;

/// The longest buffer whose bytes travel along with each reference to it: they cost less than the trip to read them would.
pub const BUFFER_COPY_BYTES: usize = 4 * 1024;

/// The bytes of buffers that travel along with the references of one payload, together: it may refer to many.
pub const BUFFER_COPIES_BYTES: usize = RECORD_BYTES;

/// The shortest buffer that is put into memory which the child sees, where there is such memory: for a shorter one, the pages that it would
/// take cost more than its being sent.
pub const BUFFER_SHARED_BYTES: usize = 64 * 1024;

/// What one read of a buffer gives at most. A longer one takes several, so that what else is on its lane, and the memory for joining
/// messages, do not wait for it.
pub const BUFFER_PIECE_BYTES: usize = 1024 * 1024;

/// The longest name of an event, module, member or export, in bytes. Names are kept by whoever listens to them.
pub const NAME_BYTES: usize = 1024;

/// Frames that one process has registered; the parent may open more. Far more than anybody looks at, and few enough that the parent can tell
/// of each.
pub const FRAMES: usize = 4096;

/// Memory of its own that a sandboxed process may have: more than a document takes, and less than takes a machine along.
pub const SANDBOX_MEMORY: u64 = 4 * 1024 * 1024 * 1024;

/// Descriptors that a sandboxed process may have. It can make few but pipes.
pub const SANDBOX_DESCRIPTORS: u64 = 256;

/// Threads that a sandboxed process may have: more than a pool for a large machine takes.
pub const SANDBOX_THREADS: u64 = 256;

/// From starting a process to its accepted hello.
pub const START: Duration = Duration::from_secs(5);

/// From sending a call to its return; also how long a child waits for a parent it has outrun.
pub const CALL: Duration = Duration::from_secs(30);

/// When so much time has passed; one that is too far away for the clock is as good as the default.
#[must_use]
pub fn deadline(now: Instant, within: Duration) -> Instant {
    now.checked_add(within).unwrap_or_else(|| now + CALL)
}

/// How long something may lie unhandled in a process before it counts as unresponsive: longer than any healthy listener takes.
pub const UNRESPONSIVE: Duration = Duration::from_secs(3);

/// From asking a process to stop to killing it.
pub const STOP: Duration = Duration::from_secs(1);
