use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use remote_protocol::call::CallError;
use remote_protocol::limits::{self, CALL};

use crate::calling::{Answered, Started};
use crate::interface::FromCallError;

mod cell;
#[cfg(feature = "async")]
mod spawn;

pub(crate) use cell::{Broken, Cancellation, Settled};
use cell::{Cell, Origin};
#[cfg(feature = "async")]
pub use spawn::{Spawn, Task};

/// An answer that may come later: what a method of an interface returns in place of a `Result<T, E>` when it does not want to
/// hold up its caller.
///
/// It is the same trait on both sides. **The object** makes a promise and a [`Reply`] with [`new`](Self::new), returns the one, and
/// answers through the other when it can, from any thread; meanwhile the other calls and the events of the process that called go on. **The
/// caller** gets a promise at once. It can [wait](Self::wait) for it, [ask](Self::try_take) whether it is there, or `.await` it: it is a
/// future, for any executor or none. Dropping it gives the call up: the object sees that its reply [is cancelled](Reply::is_cancelled), and
/// what the answer refers to is given back.
///
/// A process may have 64 calls unanswered that it was promised an answer to, and 16 MiB of arguments in them, unless the
/// parent's limits say otherwise; what is called beyond that is answered at once with [`CallError::Busy`].
///
/// In the main process's own modules a call is direct, so what they get is the object's own promise.
///
/// ```
/// use std::thread;
///
/// use remote_object::{CallError, Promise};
///
/// #[remote_object::interface]
/// pub trait Printer: Send + Sync {
///     /// Gives the number of pages.
///     fn print(&self, text: String) -> Promise<usize, CallError>;
/// }
///
/// struct Laser;
///
/// impl Printer for Laser {
///     fn print(&self, text: String) -> Promise<usize, CallError> {
///         let (promise, reply) = Promise::new();
///         thread::spawn(move || reply.send(Ok(text.len().div_ceil(2000))));
///         promise
///     }
/// }
///
/// // In a child, `printer` would be a `Remote<dyn Printer>`; what follows is the same.
/// let printer = Laser;
/// let (one, other) = (printer.print("a".repeat(3000)), printer.print("b".repeat(300)));
/// assert_eq!(other.wait()?, 1);
/// assert_eq!(one.wait()?, 2);
/// # Ok::<_, CallError>(())
/// ```
#[must_use = "a promise that is dropped gives the call up"]
pub struct Promise<T, E> {
    source: Source<T, E>,
}

enum Source<T, E> {
    /// Known already.
    Ready(Result<T, E>),
    /// To be answered by a reply of this process.
    Here(Waiting<T, E>),
    /// To be answered by the parent.
    Parent(Call<T, E>),
    /// It has been given.
    Taken,
}

/// A call that the parent will answer, and how the answer is read.
struct Call<T, E> {
    started: Arc<Started>,
    read: fn(&Started, Answered) -> Result<T, E>,
}

/// Answers a [`Promise`], once, from any thread.
///
/// When it is dropped without an answer, the caller gets [`CallError::Unanswered`].
#[must_use = "a reply that is dropped leaves the call without an answer"]
pub struct Reply<T, E> {
    /// `None` once it has answered.
    cell: Option<Arc<Cell<T, E>>>,
}

/// The receiving end of a cell; dropping it cancels the reply.
struct Waiting<T, E>(Arc<Cell<T, E>>);

impl<T, E> Promise<T, E> {
    /// A promise, and what answers it.
    #[track_caller]
    pub fn new() -> (Self, Reply<T, E>) {
        Self::with_origin(Origin::MadeAt(Location::caller()))
    }

    /// A promise of what a method answers that is called within this process.
    pub(crate) fn of_method(name: &str) -> (Self, Reply<T, E>) {
        Self::with_origin(Origin::Method(name.to_owned()))
    }

    fn with_origin(origin: Origin) -> (Self, Reply<T, E>) {
        let cell = Arc::new(Cell::new(origin));
        let promise = Self { source: Source::Here(Waiting(Arc::clone(&cell))) };
        (promise, Reply { cell: Some(cell) })
    }

    /// A promise of what is known already.
    pub const fn ready(result: Result<T, E>) -> Self {
        Self { source: Source::Ready(result) }
    }

    pub(crate) const fn of_call(started: Arc<Started>, read: fn(&Started, Answered) -> Result<T, E>) -> Self {
        Self { source: Source::Parent(Call { started, read }) }
    }

    /// Whether the answer is there, so that taking it does not wait; also once it has been [taken](Self::try_take).
    ///
    /// # Blocking
    ///
    /// Not for the answer. On the loop thread of a child this looks for it among what has arrived, and so takes all of that in: functions
    /// that were called run at once, here. On other threads it is there when the loop has come to it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.source {
            Source::Ready(_) | Source::Taken => true,
            Source::Here(waiting) => waiting.0.is_settled(),
            Source::Parent(call) => call.started.look(),
        }
    }

    /// What the promise is taken apart into where it is to be answered to another process.
    pub(crate) fn into_parts(self) -> Parts<T, E> {
        match self.source {
            Source::Ready(result) => Parts::Ready(result),
            Source::Here(waiting) => Parts::Here(Forward(waiting)),
            Source::Parent(_) | Source::Taken => Parts::Foreign,
        }
    }
}

impl<T, E: FromCallError> Promise<T, E> {
    /// Waits for the answer.
    ///
    /// # Blocking
    ///
    /// Until the answer is there, at most for the [call deadline](crate::Context::set_call_deadline), counted from the call; where the
    /// answer is this process's own, 30 s from when the promise was made. On the loop thread of a child nothing but answers and functions is
    /// handled meanwhile, as in any call. On another thread of a child the answer comes by way of the loop thread, which has to be free
    /// for it.
    ///
    /// # Errors
    ///
    /// The method's own, or one made from a [`CallError`]: [`Deadline`](CallError::Deadline) when there was no answer in time; the call is
    /// given up then. [`Unanswered`](CallError::Unanswered) when the reply was dropped, and also when the answer has been
    /// [taken](Self::try_take) before. [`Busy`](CallError::Busy) when the call was one too many, and
    /// [`Disconnected`](CallError::Disconnected) when the parent is gone.
    #[inline]
    pub fn wait(self) -> Result<T, E> {
        match self.source {
            // Of every call that was waited for: it asks for no time.
            Source::Ready(result) => result,
            source => Self { source }.wait_for_answer(),
        }
    }

    fn wait_for_answer(self) -> Result<T, E> {
        let (until, within) = match &self.source {
            Source::Ready(_) | Source::Taken => (Instant::now(), Duration::ZERO),
            Source::Here(waiting) => (limits::deadline(waiting.0.made, CALL), CALL),
            Source::Parent(call) => call.started.deadline(),
        };
        self.wait_until(until, within)
    }

    /// Waits for the answer, no longer than this from now; otherwise as [`wait`](Self::wait).
    ///
    /// # Blocking
    ///
    /// As [`wait`](Self::wait), for `within` at most.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_within(self, within: Duration) -> Result<T, E> {
        self.wait_until(limits::deadline(Instant::now(), within), within)
    }

    /// The answer, if it is there. It is given once.
    ///
    /// # Blocking
    ///
    /// Not for the answer; on the loop thread of a child functions may run, as in [`is_done`](Self::is_done).
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), but for the deadline: that is for those who wait.
    pub fn try_take(&mut self) -> Option<Result<T, E>> {
        match &self.source {
            Source::Taken => None,
            Source::Parent(call) if !call.started.look() => None,
            Source::Here(waiting) if !waiting.0.is_settled() => None,
            Source::Ready(_) | Source::Parent(_) | Source::Here(_) => {
                Some(Self { source: self.take() }.wait_until(Instant::now(), Duration::ZERO))
            }
        }
    }

    fn wait_until(self, until: Instant, within: Duration) -> Result<T, E> {
        match self.source {
            Source::Ready(result) => result,
            Source::Here(waiting) => match waiting.0.wait(until) {
                Some(settled) => {
                    settled.unwrap_or_else(|broken| Err(E::from_call_error(broken.error(waiting.0.name()))))
                }
                None => Err(E::from_call_error(deadline(waiting.0.name(), within))),
            },
            Source::Parent(Call { started, read }) => match started.wait(until) {
                Some(answered) => {
                    answered.map_or_else(|error| Err(E::from_call_error(error)), |answered| read(&started, answered))
                }
                None => Err(E::from_call_error(deadline(started.name().to_owned(), within))),
            },
            Source::Taken => {
                Err(E::from_call_error(CallError::Unanswered { method: "a promise whose answer was taken".to_owned() }))
            }
        }
    }

    const fn take(&mut self) -> Source<T, E> {
        std::mem::replace(&mut self.source, Source::Taken)
    }
}

/// Completes with the answer. It has no deadline of its own: dropping it gives the call up.
///
/// In a child the answer comes by way of the loop thread. So an executor must not put *that* thread to sleep for it, in the middle of
/// a listener; [`wait`](Promise::wait) there. Any other thread will do. Polled on the loop thread, it looks for the answer as
/// [`is_done`](Promise::is_done) does.
///
/// # Panics
///
/// When it is polled after it has given its answer.
impl<T, E: FromCallError> Future for Promise<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &self.source {
            Source::Ready(_) => {}
            Source::Here(waiting) => waiting.0.register(context.waker()),
            Source::Parent(call) => call.started.register(context.waker()),
            Source::Taken => panic!("a promise was polled after it had given its answer"),
        }
        // What came before the waker was registered is there now; what comes after wakes it.
        self.try_take().map_or(Poll::Pending, Poll::Ready)
    }
}

/// Nothing in it is pinned.
impl<T, E> Unpin for Promise<T, E> {}

impl<T, E> Reply<T, E> {
    /// Answers. A caller that has given the call up or is gone gets nothing, and the result is dropped.
    ///
    /// Where the caller is another process, the result is encoded and sent on this thread. It does not wait for the caller; a waker that
    /// the caller left in this process is called here.
    pub fn send(mut self, result: Result<T, E>) {
        self.settle(Ok(result));
    }

    /// Whether nobody waits for the answer any more: the promise was dropped, given up at its deadline, or its process is gone.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cell.as_ref().is_none_or(|cell| cell.cancellation().is_cancelled())
    }

    /// Is ready when nobody waits for the answer any more; `context` is woken then. For work that is to end with its caller. Only the waker
    /// of the last poll is woken.
    pub fn poll_cancelled(&self, context: &mut Context<'_>) -> Poll<()> {
        self.cell.as_ref().map_or(Poll::Ready(()), |cell| cell.cancellation().poll(context))
    }

    /// Whether anybody still waits for it.
    pub(crate) fn cancellation(&self) -> Arc<Cancellation> {
        self.cell.as_ref().map_or_else(Arc::default, |cell| Arc::clone(cell.cancellation()))
    }

    fn settle(&mut self, settled: Settled<T, E>) {
        if let Some(cell) = self.cell.take() {
            cell.settle(settled);
        }
    }
}

impl<T, E> Drop for Reply<T, E> {
    fn drop(&mut self) {
        self.settle(Err(Broken::Unanswered));
    }
}

impl<T, E> Drop for Waiting<T, E> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// A promise where it is to be answered to another process.
pub(crate) enum Parts<T, E> {
    Ready(Result<T, E>),
    Here(Forward<T, E>),
    /// It is another process's to answer.
    Foreign,
}

/// A promise that something is to be done with when it is answered.
pub(crate) struct Forward<T, E>(Waiting<T, E>);

impl<T, E> Forward<T, E> {
    /// How the reply is told that nobody waits for it.
    pub(crate) fn cancellation(&self) -> &Arc<Cancellation> {
        self.0.0.cancellation()
    }

    /// Calls `then` with the answer, on the thread that gives it; now, if it is there.
    pub(crate) fn to(self, then: impl FnOnce(Settled<T, E>) + Send + 'static) {
        self.0.0.forward(Box::new(then));
    }
}

impl<T, E> fmt::Debug for Promise<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, done) = match &self.source {
            Source::Ready(_) => (None, true),
            Source::Here(waiting) => (Some(waiting.0.name()), waiting.0.is_settled()),
            Source::Parent(call) => (Some(call.started.name().to_owned()), call.started.is_settled()),
            Source::Taken => return f.write_str("Promise(taken)"),
        };
        f.debug_struct("Promise").field("method", &method).field("is_done", &done).finish()
    }
}

impl<T, E> fmt::Debug for Reply<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

const fn deadline(method: String, after: Duration) -> CallError {
    CallError::Deadline { method, after, waits: String::new() }
}

/// Wakes a task; its waker is the application's code.
pub(crate) fn wake(waker: Option<Waker>) {
    if let Err(panic) = remote_protocol::contain::contain(|| waker.map(Waker::wake)) {
        tracing::error!(%panic, "a waker panicked");
    }
}

#[cfg(test)]
mod tests;
