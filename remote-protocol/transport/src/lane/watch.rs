//! The thread that waits for the end, and for what happens seldom.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use remote_protocol::id::LaneId;
use remote_protocol::limits::LANES;
use remote_protocol::link::Closure;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::end::Shared;
use super::layout::Side;

/// What watches one end of a link: it sees the end of the peer, hears of new lanes, and puts into the rings what found no room before.
///
/// Each end needs a thread that [runs](Self::run) it. At the parent that may be the thread that waits for the process anyway.
#[must_use = "a link that nobody watches never ends"]
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
}

impl Watch {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Watches until the link is closed. It closes, if nothing else does it, when the peer's end of the socket is closed, or when
    /// `process`, which has to be a descriptor of the peer's process, says that that has ended: others may have inherited the socket.
    ///
    /// # Blocking
    ///
    /// For the link's whole life.
    pub fn run(self, process: Option<BorrowedFd<'_>>) {
        let _close = CloseOnDrop(&self.shared);
        loop {
            let is_over = wait(self.shared.socket().as_fd(), process);
            // What was said before the end comes before it.
            match self.hear() {
                Heard::Nothing if is_over => return,
                Heard::Nothing => {}
                Heard::End => return,
            }
        }
    }

    /// Does what the peer's bytes say, as far as that is not without end: who has inherited the socket may write as quickly as we read.
    fn hear(&self) -> Heard {
        let mut bytes = [0; 64];
        for _ in 0..HEARD_AT_ONCE {
            match recv(self.shared.socket(), &mut bytes, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Heard::End,
                Ok((length, _)) => {
                    for byte in bytes.into_iter().take(length) {
                        if !self.obey(byte) {
                            return Heard::End;
                        }
                    }
                }
                Err(Errno::AGAIN) => return Heard::Nothing,
                Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::debug!(%error, "nothing more will be heard");
                    return Heard::End;
                }
            }
        }
        Heard::Nothing
    }

    /// Gives whether to go on.
    fn obey(&self, byte: u8) -> bool {
        let lane = LaneId(byte & LANE);
        match byte & !LANE {
            ROOM => {
                self.shared.room(lane);
                true
            }
            ANNOUNCEMENT if self.shared.side() == Side::Parent => self.announce(lane),
            _ if byte == OVERFLOW && self.shared.side() == Side::Parent => {
                self.shared.overflown();
                false
            }
            _ => {
                self.shared.close(Closure::Corrupted { what: "a byte that says nothing" });
                false
            }
        }
    }

    /// The peer has sent the first record on a lane.
    fn announce(&self, lane: LaneId) -> bool {
        let announce = self.shared.handlers().announce();
        let length = self.shared.first_length(lane).unwrap_or_default();
        match announce {
            Some(announce) if lane != LaneId::MAIN && self.shared.open(lane).is_ok() => {
                announce(lane);
                true
            }
            _ => {
                self.shared.close(Closure::Misused { length });
                false
            }
        }
    }
}

/// What came of listening.
enum Heard {
    /// There was nothing more, or enough for now.
    Nothing,
    /// There will be nothing more.
    End,
}

/// Waits for one of the two. Gives whether the process has ended.
fn wait(socket: BorrowedFd<'_>, process: Option<BorrowedFd<'_>>) -> bool {
    let mut descriptors =
        [PollFd::from_borrowed_fd(socket, PollFlags::IN), PollFd::from_borrowed_fd(socket, PollFlags::IN)];
    let count = match process {
        Some(process) => {
            descriptors[1] = PollFd::from_borrowed_fd(process, PollFlags::IN);
            2
        }
        None => 1,
    };
    match poll(&mut descriptors[..count], None) {
        Ok(_) => count == 2 && !descriptors[1].revents().is_empty(),
        Err(Errno::INTR) => false,
        Err(error) => {
            tracing::error!(%error, "a link cannot be watched");
            true
        }
    }
}

/// Closes the link, also if a handler panics, and sees that everybody notices.
struct CloseOnDrop<'a>(&'a Shared);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close(Closure::Ended);
        // A peer that lives on can make a receiver of ours miss that, by raising again the flag that was lowered to wake it. Once is
        // enough where the peer is honest.
        while Shared::all_lanes().filter(|lane| self.0.rouse(*lane)).count() > 0 {
            thread::sleep(AGAIN);
        }
    }
}

/// How often to read before it is looked whether the process has ended: an honest one has never said so much at once.
const HEARD_AT_ONCE: usize = 16;

/// How long to give receivers to wake up.
const AGAIN: Duration = Duration::from_millis(1);

/// Says that there is a lane.
pub(super) const fn announcement(lane: LaneId) -> u8 {
    ANNOUNCEMENT | lane.0
}

/// Says that there is room on a lane.
pub(super) const fn room(lane: LaneId) -> u8 {
    ROOM | lane.0
}

/// Says that the child has more to say than it may.
pub(super) const OVERFLOW: u8 = 0x40;

const ANNOUNCEMENT: u8 = 0x10;
const ROOM: u8 = 0x20;
const LANE: u8 = 0x0f;

const _: () = assert!(LANES as usize == LANE as usize + 1, "a byte has room for a lane");
