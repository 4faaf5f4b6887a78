//! The parent's way to a link.

use std::env;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use ipc_channel::IpcError;
use ipc_channel::ipc::IpcOneShotServer;

use super::bootstrap::{ADDRESS_IS_PATH, Bootstrap, Channels, PATH_BYTES, into_io};
use super::link::IpcLink;
use super::release::Release;
use crate::lock::{lock, wait};

/// Where one child can connect, once.
pub struct Server {
    server: IpcOneShotServer<Bootstrap>,
    address: String,
}

impl Server {
    /// Makes a server. On Linux and its like that is a socket in a temporary directory of its own, which goes with
    /// the server or the end of its acceptance.
    ///
    /// # Errors
    ///
    /// Those of the system; and `InvalidInput` if a socket in the directory for temporary files would have a
    /// path that is too long or not Unicode.
    pub fn new() -> io::Result<Self> {
        if ADDRESS_IS_PATH {
            let directory = env::temp_dir();
            let fits = directory.to_str().is_some_and(|path| path.len() + SOCKET_NAME_BYTES <= PATH_BYTES);
            if !fits {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "no socket fits into the temporary directory"));
            }
        }
        let (server, address) = IpcOneShotServer::new()?;
        Ok(Self { server, address })
    }

    /// What the child gives to [`connect`](super::connect).
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Starts the thread that accepts the child.
    ///
    /// # Errors
    ///
    /// The system gave no thread, or no descriptor for what [aborts](Acceptance::abort) the acceptance.
    pub fn listen(self) -> io::Result<Acceptance> {
        let Self { server, address } = self;
        let state = State::Waiting(Release::new()?);
        let slot = Arc::new(Slot { state: Mutex::new(state), settled: Condvar::new() });
        let thread_slot = Arc::clone(&slot);
        thread::Builder::new().name("remote-accept".to_owned()).spawn(move || {
            // A deceitful message panics inside ipc-channel; nothing of ours is left half done by that.
            let accepted = panic::catch_unwind(AssertUnwindSafe(|| server.accept()));
            thread_slot.settle(match accepted {
                Ok(Ok((_, Bootstrap::Channels(channels)))) => Ok(channels),
                Ok(Ok((_, Bootstrap::Abandoned))) => Err(AcceptError::Aborted),
                Ok(Err(IpcError::Disconnected)) => Err(AcceptError::HungUp),
                Ok(Err(IpcError::SerializationError(_))) | Err(_) => Err(AcceptError::Malformed),
                Ok(Err(error)) => Err(AcceptError::Accept(into_io(error))),
            });
        })?;
        Ok(Acceptance { pending: Arc::new(Pending { slot, address }) })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The one child that a [`Server`] waits for. Clones are the same acceptance; dropping the last one aborts it.
#[derive(Clone, Debug)]
pub struct Acceptance {
    pending: Arc<Pending>,
}

impl Acceptance {
    /// Waits for the child and gives the parent's end of the link. Whatever comes of it ends the acceptance.
    ///
    /// # Blocking
    ///
    /// Until the child has connected, or something else did; until [`abort`](Self::abort); until `deadline` at
    /// the latest.
    ///
    /// # Errors
    ///
    /// [`AcceptError`].
    pub fn wait(&self, deadline: Instant) -> Result<IpcLink, AcceptError> {
        let slot = &self.pending.slot;
        let mut state = lock(&slot.state);
        while matches!(*state, State::Waiting(_)) {
            if deadline <= Instant::now() {
                drop(state);
                self.abort();
                return Err(AcceptError::TimedOut);
            }
            state = wait(&slot.settled, state, Some(deadline));
        }
        let ended = mem::replace(&mut *state, State::Over);
        drop(state);
        match ended {
            State::Settled(result) => IpcLink::start(result?).map_err(AcceptError::Thread),
            State::Waiting(_) | State::Over => Err(AcceptError::Aborted),
        }
    }

    /// Ends the acceptance, for example because the child has died. Callable from any thread; does not block.
    ///
    /// The accepting thread ends soon, and with it the server. Only if somebody has connected and said nothing
    /// does it stay until that connection closes: kill the child first, or right after.
    pub fn abort(&self) {
        self.pending.abort();
    }
}

/// Why there is no link to the child.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The deadline passed.
    #[error("the child did not connect in time")]
    TimedOut,
    /// The acceptance was aborted, or its link was taken before.
    #[error("the child is no longer waited for")]
    Aborted,
    /// The child connected and was gone before it had said which channels to use.
    #[error("the child hung up while it connected")]
    HungUp,
    /// Something connected that did not speak like a child.
    #[error("what connected is not a child of ours")]
    Malformed,
    /// The system did not let the child in.
    #[error("cannot accept the child")]
    Accept(#[source] io::Error),
    /// The system gave no thread.
    #[error("cannot start the threads of the link")]
    Thread(#[source] io::Error),
}

/// What all clones of an acceptance share, and the accepting thread does not.
struct Pending {
    slot: Arc<Slot>,
    address: String,
}

impl Pending {
    fn abort(&self) {
        let ended = mem::replace(&mut *lock(&self.slot.state), State::Over);
        self.slot.settled.notify_all();
        let State::Waiting(release) = ended else { return };
        if let Err(error) = release.connect_and_hang_up(&self.address) {
            // Most likely a child was accepted in this moment, and the server is gone.
            tracing::debug!(%error, "the accepting thread was not released");
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.abort();
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("address", &self.address).finish_non_exhaustive()
    }
}

struct Slot {
    state: Mutex<State>,
    settled: Condvar,
}

impl Slot {
    fn settle(&self, result: Result<Channels, AcceptError>) {
        let mut state = lock(&self.state);
        if matches!(*state, State::Waiting(_)) {
            *state = State::Settled(result);
        }
        drop(state);
        self.settled.notify_all();
    }
}

enum State {
    Waiting(Release),
    Settled(Result<Channels, AcceptError>),
    Over,
}

/// The length of `/.tmpXXXXXX/socket`.
const SOCKET_NAME_BYTES: usize = 18;
