use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake};
use std::thread;

use super::*;

type Number = Promise<u32, CallError>;

/// Counts how often it is woken, and unparks a thread.
struct Alarm {
    rung: AtomicUsize,
    thread: thread::Thread,
}

impl Alarm {
    fn new() -> Arc<Self> {
        Arc::new(Self { rung: AtomicUsize::new(0), thread: thread::current() })
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let alarm = Alarm::new();
    let waker = Waker::from(Arc::clone(&alarm));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

const fn assert_send<T: Send>(_: &T) {}

/// B19
#[test]
fn an_answer_comes_from_any_thread_before_or_after_it_is_waited_for() {
    assert_eq!(Number::ready(Ok(1)).wait(), Ok(1));
    let (promise, reply) = Number::new();
    assert_send(&promise);
    assert_send(&reply);
    reply.send(Ok(2));
    assert!(promise.is_done());
    assert_eq!(promise.wait(), Ok(2));
    let (promise, reply) = Number::new();
    assert!(!promise.is_done());
    let answering = thread::spawn(move || reply.send(Ok(3)));
    assert_eq!(promise.wait(), Ok(3));
    answering.join().unwrap();
}

/// B19
#[test]
fn an_answer_is_awaited_without_a_runtime() {
    let (go, gone) = channel();
    let (promise, reply) = Number::new();
    let answering = thread::spawn(move || {
        gone.recv().unwrap();
        reply.send(Ok(4));
    });
    let both = async {
        go.send(()).unwrap();
        promise.await.unwrap() + Number::ready(Ok(5)).await.unwrap()
    };
    assert_eq!(block_on(both), 9);
    answering.join().unwrap();
}

#[test]
fn an_answer_is_taken_once() {
    let (mut promise, reply) = Number::new();
    assert_eq!(promise.try_take(), None);
    reply.send(Ok(6));
    assert_eq!(promise.try_take(), Some(Ok(6)));
    assert_eq!(promise.try_take(), None);
    assert!(matches!(promise.wait(), Err(CallError::Unanswered { .. })));
}

#[test]
fn a_reply_that_is_dropped_is_an_error_that_names_the_promise() {
    let (promise, reply) = Number::new();
    drop(reply);
    let Err(CallError::Unanswered { method }) = promise.wait() else { panic!("nobody answered") };
    assert!(method.contains("promise/tests.rs"), "{method}");
}

#[test]
fn a_promise_that_is_dropped_cancels_its_reply_and_wakes_who_asked() {
    let (promise, reply) = Number::new();
    let alarm = Alarm::new();
    let waker = Waker::from(Arc::clone(&alarm));
    let mut context = Context::from_waker(&waker);
    assert_eq!((reply.poll_cancelled(&mut context), reply.is_cancelled()), (Poll::Pending, false));
    drop(promise);
    assert_eq!((reply.poll_cancelled(&mut context), reply.is_cancelled()), (Poll::Ready(()), true));
    assert_eq!(alarm.rung.load(Ordering::SeqCst), 1);
    reply.send(Ok(7));
}

#[test]
fn a_promise_that_is_not_answered_in_time_is_given_up() {
    let (promise, reply) = Number::new();
    let within = Duration::from_millis(1);
    assert!(matches!(promise.wait_within(within), Err(CallError::Deadline { after, .. }) if after == within));
    assert!(reply.is_cancelled());
}

#[cfg(feature = "async")]
mod spawn {
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Keeps tasks until they are run.
    #[derive(Default)]
    struct Tasks(Mutex<Vec<Task>>);

    impl Spawn for Tasks {
        fn spawn(&self, task: Task) {
            self.0.lock().unwrap().push(task);
        }
    }

    impl Tasks {
        /// Polls every task once, and keeps those that are not done.
        fn turn(&self) -> usize {
            let mut tasks = std::mem::take(&mut *self.0.lock().unwrap());
            let alarm = Waker::from(Alarm::new());
            tasks.retain_mut(|task| task.as_mut().poll(&mut Context::from_waker(&alarm)).is_pending());
            self.0.lock().unwrap().extend(tasks);
            self.0.lock().unwrap().len()
        }
    }

    /// Ready when it is polled the second time; says when it is dropped.
    struct Second<'a> {
        polled: bool,
        dropped: &'a AtomicBool,
    }

    impl Future for Second<'_> {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.polled, true) { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    impl Drop for Second<'_> {
        fn drop(&mut self) {
            self.dropped.store(true, Ordering::SeqCst);
        }
    }

    /// B19
    #[test]
    fn what_a_future_gives_is_the_answer() {
        static DROPPED: AtomicBool = AtomicBool::new(false);
        let tasks = Tasks::default();
        let promise = Number::spawn(&tasks, async {
            Second { polled: false, dropped: &DROPPED }.await;
            Ok(8)
        });
        assert_eq!(tasks.turn(), 1);
        assert!(!promise.is_done());
        assert_eq!(tasks.turn(), 0);
        assert_eq!(promise.wait(), Ok(8));
    }

    #[test]
    fn a_future_whose_promise_is_dropped_is_dropped() {
        static DROPPED: AtomicBool = AtomicBool::new(false);
        let tasks = Tasks::default();
        let promise = Number::spawn(&tasks, async {
            Second { polled: false, dropped: &DROPPED }.await;
            Ok(9)
        });
        assert_eq!(tasks.turn(), 1);
        drop(promise);
        assert_eq!((tasks.turn(), DROPPED.load(Ordering::SeqCst)), (0, true));
    }

    #[test]
    fn a_future_that_panics_or_is_dropped_is_an_error() {
        let tasks = Tasks::default();
        let panics = Number::spawn(&tasks, async { panic!("the future's own fault") });
        assert_eq!(tasks.turn(), 0);
        assert!(
            matches!(panics.wait(), Err(CallError::Panicked { message, .. }) if message == "the future's own fault")
        );
        let dropped = Number::spawn(&|task: Task| drop(task), async { Ok(10) });
        assert!(matches!(dropped.wait(), Err(CallError::Unanswered { .. })));
    }
}
