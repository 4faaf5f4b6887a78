use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use remote_protocol::contain::contain_and_locate;

use super::{Broken, Promise, Reply};

/// What runs a task: polls it until it is done, on a thread of its own choice.
///
/// Every closure that takes a [`Task`] is one, so that an application hands over its runtime's own function:
/// `|task| drop(tokio::spawn(task))`.
pub trait Spawn {
    /// Runs a task by and by. It may be called on a thread that others wait for, and is not to block.
    fn spawn(&self, task: Task);
}

/// A future that an executor runs.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<F: Fn(Task) + ?Sized> Spawn for F {
    fn spawn(&self, task: Task) {
        self(task);
    }
}

impl<T: Send + 'static, E: Send + 'static> Promise<T, E> {
    /// A promise of what a future gives, which `executor` runs: so a method of an interface can be an `async` block.
    ///
    /// When nobody waits for the answer any more, the future is dropped, at the await it has come to. An executor that drops its task
    /// leaves the caller with [`CallError::Unanswered`](crate::CallError::Unanswered), and a future that panics with
    /// [`CallError::Panicked`](crate::CallError::Panicked).
    ///
    /// It does not wait for the future: the executor is called once, on this thread, and polls it where it likes.
    ///
    /// ```
    /// use remote_object::{CallError, Promise, Spawn};
    ///
    /// #[remote_object::interface]
    /// pub trait Search: Send + Sync {
    ///     fn find(&self, text: String) -> Promise<Vec<String>, CallError>;
    /// }
    ///
    /// struct Index<S>(S);
    ///
    /// impl<S: Spawn + Send + Sync> Search for Index<S> {
    ///     fn find(&self, text: String) -> Promise<Vec<String>, CallError> {
    ///         Promise::spawn(&self.0, async move { Ok(vec![read(&text).await]) })
    ///     }
    /// }
    ///
    /// async fn read(text: &str) -> String {
    ///     text.to_owned()
    /// }
    /// ```
    #[track_caller]
    pub fn spawn(
        executor: &(impl Spawn + ?Sized),
        future: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Self {
        let (promise, reply) = Self::new();
        executor.spawn(Box::pin(Answering { work: Some(Work { reply, future: Box::pin(future) }) }));
        promise
    }
}

/// Runs a future and answers with what it gives.
struct Answering<T, E, F> {
    /// `None` when it is done.
    work: Option<Work<T, E, F>>,
}

struct Work<T, E, F> {
    reply: Reply<T, E>,
    future: Pin<Box<F>>,
}

impl<T, E, F: Future<Output = Result<T, E>>> Future for Answering<T, E, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(Work { mut reply, mut future }) = self.work.take() else { return Poll::Ready(()) };
        if reply.poll_cancelled(context).is_ready() {
            // Its destructors are the application's, and so is the executor.
            drop(future);
            return Poll::Ready(());
        }
        match contain_and_locate(|| future.as_mut().poll(context)) {
            Ok(Poll::Pending) => {
                self.work = Some(Work { reply, future });
                Poll::Pending
            }
            Ok(Poll::Ready(result)) => {
                reply.send(result);
                Poll::Ready(())
            }
            Err(panic) => {
                reply.settle(Err(Broken::Panicked(panic)));
                Poll::Ready(())
            }
        }
    }
}
