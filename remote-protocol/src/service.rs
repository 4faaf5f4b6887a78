//! The seam between a side and the remote objects it serves or calls.
//!
//! A side knows how to move messages and when; what an object, a reference or a callback is, it does not know. The object
//! layer gives each side something to hand its messages to, and gets something to send and wait with.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::{Invoke, Outcome, Release, Request, Return, Run, ShortCall, ToParent};
use crate::endpoint::OutletError;
use crate::id::{CallId, LentId, ProcessId};
use crate::limits::Limits;
use crate::link::{BufferSpace, BufferView};
use crate::payload::{Encoding, Payload};

/// What the parent serves objects with.
pub trait Serve: Send + Sync {
    /// Begins to serve a process, which keeps to `limits`; called once for each, when it starts or when serving begins. A lock of the parent is
    /// held: it must not call the parent.
    fn open(&self, process: ProcessId, limits: Limits, child: Arc<dyn Notify>) -> Arc<dyn Service>;
}

/// The parent's objects, as one process sees them.
pub trait Service: Send + Sync {
    /// Handles one message on the thread of the lane it came by, or where the parent's executor runs it; a call is answered through `answer`, once.
    ///
    /// # Errors
    ///
    /// [`Abuse`] when no honest child sends such a message; the process is ended.
    fn handle(&self, message: ToParent<'_>, answer: &mut dyn Answer) -> Result<(), Abuse>;

    /// Handles a call that is a short one, as [`handle`](Self::handle) does.
    ///
    /// # Errors
    ///
    /// As [`handle`](Self::handle).
    fn call(&self, call: ShortCall<'_>, answer: &mut dyn Answer) -> Result<(), Abuse> {
        self.handle(ToParent::Call(call.into()), answer)
    }

    /// What is alive between the parent and the process, for diagnostics.
    fn alive(&self) -> Alive;

    /// Takes the outcome of a function before anything that the child said after it is handled: what it refers to is resolved now, for it may
    /// be given back next. On the thread that receives, so it must neither block nor call the application.
    ///
    /// Whoever called the function gets what this gives, from [`Notify::run`]; if nobody waits any more, it is dropped.
    fn arrived(&self, outcome: Outcome<'_>) -> ArrivedOutcome;

    /// The methods that are being served at this moment, for diagnostics.
    fn under_way(&self) -> Vec<String>;

    /// The link to the process is closed: it holds nothing from now on, and nothing is lent to it any more. On any thread, with a lock of the
    /// parent held perhaps, so it must neither block nor call the parent or the application: what is let go of is dropped by
    /// [`close`](Self::close), for which alone this may be left out.
    fn disconnect(&self);

    /// The process is gone, and all that it said has been handled: drops what it held. Called once. Calls that were begun may end after it.
    fn close(&self);
}

/// What is alive between the parent and one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alive {
    /// How many objects of the parent the process has, by interface.
    pub objects: BTreeMap<String, usize>,
    /// How many callbacks of the process the parent has, by where they were made.
    pub callbacks: BTreeMap<String, usize>,
}

/// The outcome of a function, as the object layer keeps it. Dropping it may run code of the application.
pub type ArrivedOutcome = Box<dyn Any + Send>;

/// Sends the return of a call on the lane the call came by.
pub trait Answer {
    /// Sends it.
    ///
    /// # Errors
    ///
    /// [`OutletError`]; nothing was sent. When the link is closed, nobody waits.
    fn send(&mut self, answer: Return<'_>) -> Result<(), OutletError>;

    /// The same way to answer, for an answer that comes later and from any thread.
    fn later(&self) -> Box<dyn Answer + Send>;
}

/// Sends a child of the parent what it has not asked for. Never blocks.
pub trait Notify: fmt::Debug + Send + Sync {
    /// Calls a callback.
    ///
    /// # Errors
    ///
    /// [`NotifyError`]; nothing was sent.
    fn invoke(&self, invoke: Invoke<'_>) -> Result<(), NotifyError>;

    /// Calls a function and waits for its result; gives what [`Service::arrived`] made of it.
    ///
    /// # Blocking
    ///
    /// Until the result is there, the process is gone or `deadline` has passed. Meanwhile this thread serves the calls that the function
    /// makes.
    ///
    /// # Errors
    ///
    /// [`RunError`].
    fn run(
        &self,
        function: LentId,
        form: Encoding,
        argument: Payload<'_>,
        deadline: Instant,
    ) -> Result<ArrivedOutcome, RunError>;

    /// How long to wait for a function when nothing is said.
    fn call_deadline(&self) -> Duration;

    /// Gives callbacks back. A process that is gone is no error.
    fn release(&self, release: Release);

    /// Where buffers are put for the child to see. `None` where the link has no such memory, or is gone.
    fn buffer_space(&self) -> Option<Arc<dyn BufferSpace>> {
        None
    }
}

/// Why a child was not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// The process is gone.
    #[error("the process is gone")]
    Gone,
    /// It is too long for a message.
    #[error("{length} bytes, at most {limit}")]
    TooLong {
        /// Its length.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Too much lies unhandled in the process.
    #[error(transparent)]
    Backlog(#[from] crate::window::Full),
}

/// Why a function has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Nothing was sent.
    #[error(transparent)]
    Unsent(#[from] NotifyError),
    /// Nothing was sent: so many functions of the process are unanswered.
    #[error("{limit} functions of the process are unanswered")]
    Busy {
        /// How many may be.
        limit: usize,
    },
    /// Nothing was sent: so many functions are waited for on this thread.
    #[error("functions nest at most {limit} deep")]
    TooDeep {
        /// How many may be.
        limit: usize,
    },
    /// The process went.
    #[error("disconnected")]
    Disconnected,
    /// No result came in time; one that comes later is dropped.
    #[error("no result in time")]
    Deadline,
}

/// A message about objects that no honest child sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Abuse {
    /// More references were given back than had been lent.
    #[error("released {count} references to {id}, {lent} were lent")]
    Release {
        /// What was given back.
        id: LentId,
        /// How many.
        count: u32,
        /// How many it had.
        lent: u32,
    },
    /// More references were given back at once than a message may name.
    #[error("gave {count} references back at once, at most {limit} may be")]
    Releases {
        /// How many.
        count: usize,
        /// How many may be.
        limit: usize,
    },
    /// Something was asked for by a longer name than anything can have.
    #[error("asked for a name of {length} bytes, at most {limit} may be")]
    Name {
        /// The length of the name.
        length: usize,
        /// How long one may be.
        limit: usize,
    },
    /// More callbacks were revoked at once than a message may name.
    #[error("revoked {count} callbacks at once, at most {limit} may be")]
    Revoked {
        /// How many.
        count: usize,
        /// How many may be.
        limit: usize,
    },
}

/// How the object layer of a child calls the parent. From any thread.
pub trait Caller: fmt::Debug + Send + Sync {
    /// Sends `request` on the calling thread's lane and gives its outcome to `take`, once, on the calling thread.
    ///
    /// # Blocking
    ///
    /// Until the return is there, the link is closed or `within` has passed. On the loop thread nothing but
    /// that, functions, credit and late returns is handled meanwhile.
    ///
    /// # Errors
    ///
    /// [`CallFailure`]; `take` was not called.
    fn call(
        &self,
        request: Request<'_>,
        within: Duration,
        take: &mut dyn FnMut(Outcome<'_>),
    ) -> Result<(), CallFailure>;

    /// Gives objects back. Never blocks; a parent that is gone is no error.
    fn release(&self, release: Release);

    /// Tells the parent that callbacks are dead, in order with all that is said on the main lane. At most
    /// [`REVOKED`](crate::limits::REVOKED) at once. Never blocks; a parent that is gone is no error.
    fn revoke(&self, callbacks: Vec<LentId>);

    /// What this process may have and do.
    fn limits(&self) -> Limits;

    /// The id of a call that is about to be [started](Self::start).
    fn next_call(&self) -> CallId;

    /// Sends a call on the main lane and does not wait: its return goes to [`LateReturns::late`]. Never blocks.
    ///
    /// # Errors
    ///
    /// [`CallFailure`]; nothing was sent.
    fn start(&self, call: CallId, request: Request<'_>) -> Result<(), CallFailure>;

    /// Tells the parent that nobody waits for a call that was started. Never blocks; a parent that is gone is no error.
    fn cancel(&self, call: CallId);

    /// Receives what arrives for the loop thread, if this is it, until `settled`, `deadline` or the end of the link. `false` when this is
    /// another thread.
    ///
    /// # Blocking
    ///
    /// On the loop thread, as [`call`](Self::call).
    fn pump(&self, deadline: Instant, settled: &dyn Fn() -> bool) -> bool;

    /// Where buffers of the parent are seen. `None` where the link has no such memory.
    fn buffer_view(&self) -> Option<Arc<dyn BufferView>> {
        None
    }
}

/// Why a call has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallFailure {
    /// The link is closed.
    #[error("disconnected")]
    Disconnected,
    /// No return came in time; when it comes, [`LateReturns::late`] is told.
    #[error("no answer in time")]
    Deadline(CallId),
    /// All lanes were taken until the deadline; nothing was sent.
    #[error("no lane became free in time")]
    Busy,
    /// The request is too long to be sent.
    #[error("{length} bytes are more than a message may have")]
    TooLong {
        /// The length of the message.
        length: usize,
    },
    /// The request could not be encoded.
    #[error("the request cannot be encoded")]
    Unencodable,
}

/// What a child's loop hands the messages of the parent to that concern its callbacks and functions. All on the loop thread.
pub trait Callbacks {
    /// Calls a callback.
    fn invoke(&self, invoke: Invoke<'_>);

    /// Calls a function, and answers with its outcome, once. Functions nest: while one waits in a call, another may be called.
    fn run(&self, run: Run<'_>, answer: Respond<'_>);

    /// Answers that a function is not called, for functions are `limit` deep already.
    fn refuse(&self, run: Run<'_>, limit: usize, answer: Respond<'_>);

    /// The parent gives callbacks back.
    fn release(&self, release: Release);
}

/// Sends the outcome of a function. An error says that nothing was sent.
pub type Respond<'a> = &'a mut dyn FnMut(Outcome<'_>) -> Result<(), OutletError>;

/// Told of returns that no thread is blocked for, on the thread that found them: of calls that were given up, or [started](Caller::start).
/// What they refer to has to be given back.
pub trait LateReturns: fmt::Debug + Send + Sync {
    /// `call` has been given up at its deadline; its return may come later, and then [`late`](Self::late) is told.
    fn given_up(&self, call: CallId);

    /// The return of `call` came after its deadline, or the call was [started](Caller::start).
    fn late(&self, call: CallId, outcome: Outcome<'_>);

    /// The link is closed, or the loop ends: calls that were started do not return any more. May be told more than once.
    fn disconnected(&self);
}
