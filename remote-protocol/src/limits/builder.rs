use serde::{Deserialize, Serialize};

use super::{
    BUFFER_BYTES, CALLS, FRAMES, LANES, MESSAGE_BYTES, MESSAGE_COST, NESTED_FUNCTIONS, RECORD_BYTES, REFERENCES,
    RELEASE_BATCHES, RELEASE_BYTES, RELEASES, WINDOW_BYTES,
};

/// What one process may have, do and cost. The parent sets it, keeps to it and tells the child, so that an honest child waits or gets an
/// error where it reaches a limit; one that goes past it all the same is not honest, and is ended with a
/// [`Violation`](crate::state::Violation).
///
/// A value that is out of a setter's range becomes the nearest one within it. What is not here is the same for all and
/// cannot be changed, for both sides are built with it: a record has at most 64 KiB, because every transport hands that over in one piece;
/// values nest 32 deep, and have no more elements than their encoding has bytes, because whoever writes one checks that before it is known
/// where it goes; names have at most 1024 bytes, because they are written in source code.
///
/// ```
/// use remote_protocol::limits::Limits;
///
/// let limits = Limits::new().window(1 << 20).references(100).lanes(200);
/// assert_eq!(limits.max_references(), 100);
/// assert_eq!(limits.max_lanes(), 16); // there are no more
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Limits {
    window: u64,
    message_bytes: usize,
    references: usize,
    buffer_bytes: usize,
    calls: usize,
    nested_functions: usize,
    lanes: u8,
    frames: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Limits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            window: WINDOW_BYTES as u64,
            message_bytes: MESSAGE_BYTES,
            references: REFERENCES,
            buffer_bytes: BUFFER_BYTES,
            calls: CALLS,
            nested_functions: NESTED_FUNCTIONS,
            lanes: LANES,
            frames: FRAMES,
        }
    }

    /// Bytes of events and invocations of callbacks that may lie unhandled, each way; 8 MiB. From 1.
    ///
    /// So that neither side grows when the other one is slow. Past it, `emit` in the parent is an error, `Backlog`, and `emit` in the
    /// child waits, for the call deadline at most. The message that reaches the limit may go past it.
    pub const fn window(mut self, bytes: u64) -> Self {
        self.window = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// The length of the longest message, in bytes, each way, with all that it carries; 16 MiB. From 2 MiB, which has room for a piece of
    /// a buffer, to 1 GiB.
    ///
    /// So that a peer that sends a message in pieces and never the last one has an end. What is being joined on all lanes together has
    /// [`inbox_bytes`](Self::inbox_bytes). What is longer is an error where it is sent: of `emit`, of the call, or of the result.
    /// It belongs into a buffer, or into several messages.
    pub const fn message_bytes(mut self, bytes: usize) -> Self {
        self.message_bytes = clamp(bytes, 2 * 1024 * 1024, 1024 * 1024 * 1024);
        self
    }

    /// Objects and buffers of the parent that the process may have references to at any time, and callbacks and functions of it that the
    /// parent may hold; 16,384. Up to 4,294,967,295; with 0 it is given nothing.
    ///
    /// So that a process that lets go of nothing does not fill the parent's tables. Past it, what would send one more is an error that
    /// names the limit: of the process's call, or of the callback or function that was to be called with it.
    pub const fn references(mut self, references: usize) -> Self {
        self.references = clamp(references, 0, u32::MAX as usize);
        self
    }

    /// Bytes of buffers that the process may have references to at any time, together; 256 MiB. With 0 it is given none.
    ///
    /// So that it does not keep the parent's memory for ever. Past it, what would send one more is an error, as for
    /// [`references`](Self::references).
    pub const fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// Calls that are unanswered, each way: those of the process that nobody is blocked in, for their methods answer later; and functions
    /// of the process that the parent waits for, or has given up; 64. From 1 to 4096.
    ///
    /// So that neither side keeps something for calls without end. One more is an error, [`CallError::Busy`](crate::call::CallError::Busy).
    /// The arguments of the process's may take [`message_bytes`](Self::message_bytes) together. What a thread is blocked in is not counted
    /// here: it has a lane.
    pub const fn calls(mut self, calls: usize) -> Self {
        self.calls = clamp(calls, 1, 4096);
        self
    }

    /// How deep functions may nest, each called by a method that another one called; 16. From 1 to 64.
    ///
    /// So that no thread runs out of stack: each level has frames of both sides' and of the application's. One more is an error,
    /// [`CallError::TooDeep`](crate::call::CallError::TooDeep).
    pub const fn nested_functions(mut self, functions: usize) -> Self {
        self.nested_functions = clamp(functions, 1, 64);
        self
    }

    /// Lanes, one for the loop thread of the process, and one for each other thread that is in a call; 16. From 2 to 16.
    ///
    /// So that a process has few threads of the parent, which has one for each lane. Threads that find none wait, for the deadline of
    /// their calls at most.
    pub const fn lanes(mut self, lanes: u8) -> Self {
        self.lanes = clamp(lanes as usize, 2, LANES as usize) as u8;
        self
    }

    /// Frames that the process may have registered at any time; 4096. Up to 1,048,576; with 0 it may register none. Those that the
    /// parent opens are the parent's business.
    ///
    /// So that it does not fill the parent's lists, whose listeners are told of each. One more is an error where it is registered.
    pub const fn frames(mut self, frames: usize) -> Self {
        self.frames = clamp(frames, 0, 1024 * 1024);
        self
    }

    /// See [`window`](Self::window).
    #[must_use]
    pub const fn max_window(&self) -> u64 {
        self.window
    }

    /// See [`message_bytes`](Self::message_bytes).
    #[must_use]
    pub const fn max_message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// The longest payload of an event, a call, a result or a callback: what a message may have, less than what may come around it.
    #[must_use]
    pub const fn max_payload_bytes(&self) -> usize {
        self.message_bytes.saturating_sub(RECORD_BYTES)
    }

    /// See [`references`](Self::references).
    #[must_use]
    pub const fn max_references(&self) -> usize {
        self.references
    }

    /// See [`buffer_bytes`](Self::buffer_bytes).
    #[must_use]
    pub const fn max_buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// See [`calls`](Self::calls).
    #[must_use]
    pub const fn max_calls(&self) -> usize {
        self.calls
    }

    /// What the arguments of the process's unanswered [`calls`](Self::calls) may take together, in bytes: as much as one message, which may
    /// have it alone.
    #[must_use]
    pub const fn max_calls_bytes(&self) -> usize {
        self.message_bytes
    }

    /// How many callbacks and functions the process may have lent at a time: those that the parent [holds](Self::references), and those that it
    /// has given back and that are on their way. 81,920 by default. One more is an error of the call that would have lent it.
    #[must_use]
    pub const fn max_lent(&self) -> usize {
        self.references.saturating_add(RELEASE_BATCHES as usize * RELEASES)
    }

    /// See [`nested_functions`](Self::nested_functions).
    #[must_use]
    pub const fn max_nested_functions(&self) -> usize {
        self.nested_functions
    }

    /// See [`lanes`](Self::lanes).
    #[must_use]
    pub const fn max_lanes(&self) -> u8 {
        self.lanes
    }

    /// See [`frames`](Self::frames).
    #[must_use]
    pub const fn max_frames(&self) -> usize {
        self.frames
    }

    /// What may have arrived from the process and not be handled, in bytes: the window, which one message may go past; a call of the loop
    /// thread behind it; one long call of the other threads, which make them one at a time; their short ones; what is given back;
    /// calls that are answered later, with their being given up; and one message that is counted twice while a thread hands it to another.
    /// 93 MiB by default.
    ///
    /// A process that keeps to the limits does not get there. More is a [`Closure::Overflow`](crate::link::Closure::Overflow).
    #[must_use]
    pub const fn inbox_bytes(&self) -> usize {
        let releases = RELEASE_BATCHES as usize * (RELEASES * RELEASE_BYTES + 2 * MESSAGE_COST);
        let later = self.max_calls_bytes() + self.calls * 1024;
        let beyond = 4 * self.message_bytes + self.lanes as usize * 4 * RECORD_BYTES + releases + later;
        // A window that is longer than memory is no limit.
        if self.window > (usize::MAX / 2) as u64 { usize::MAX } else { self.window as usize + beyond }
    }
}

const fn clamp(value: usize, least: usize, most: usize) -> usize {
    if value < least {
        least
    } else if value > most {
        most
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_becomes_the_nearest_value_within() {
        let least = Limits::new().window(0).message_bytes(0).references(0).buffer_bytes(0).calls(0);
        let least = least.nested_functions(0).lanes(0).frames(0);
        assert_eq!((least.max_window(), least.max_message_bytes()), (1, 2 << 20));
        assert_eq!((least.max_references(), least.max_buffer_bytes(), least.max_frames()), (0, 0, 0));
        assert_eq!((least.max_calls(), least.max_nested_functions(), least.max_lanes()), (1, 1, 2));
        let (most, all) = (Limits::new().window(u64::MAX).message_bytes(usize::MAX), usize::MAX);
        let most = most.references(all).buffer_bytes(all).calls(all).nested_functions(all).lanes(u8::MAX).frames(all);
        assert_eq!((most.max_window(), most.max_message_bytes()), (u64::MAX, 1 << 30));
        assert_eq!((most.max_references(), most.max_buffer_bytes()), (u32::MAX as usize, all));
        assert_eq!((most.max_calls(), most.max_nested_functions(), most.max_lanes()), (4096, 64, LANES));
        assert_eq!((most.max_frames(), most.inbox_bytes()), (1 << 20, usize::MAX));
    }

    #[test]
    fn the_defaults_are_the_constants() {
        assert_eq!(Limits::default(), Limits::new());
        assert_eq!(Limits::new().max_window(), WINDOW_BYTES as u64);
        assert!(Limits::new().max_payload_bytes() < MESSAGE_BYTES);
    }
}
