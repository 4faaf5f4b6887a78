//! Calls that are answered later.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use remote_child::Child;
use remote_object::{CallError, ChildExt, Promise, Remote, interface};

use crate::gate::{self, Report};
use crate::interfaces::Item;
use crate::modules::answer;

/// Answers when the test does.
#[interface]
pub trait Office: Send + Sync {
    fn ask(&self, question: &str) -> Promise<String, CallError>;
    /// Makes an item of this name, in time.
    #[remote(constructor)]
    fn order(&self, name: &str) -> Later<Remote<dyn Item>>;
    /// Weighs what it is given.
    fn weigh(&self, load: &[u8]) -> Later<usize>;
    /// Keeps an item until it answers.
    fn hand_in(&self, item: Remote<dyn Item>) -> Later<()>;
    /// Answers at once.
    fn known(&self, question: &str) -> Promise<String, CallError>;
    /// Is no promise.
    fn echo(&self, text: &str) -> Result<String, CallError>;
    fn panics(&self) -> Promise<(), CallError>;
}

pub type Later<T> = Promise<T, CallError>;

/// Waits for a future on this thread, without a runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// As many calls as may be unanswered.
pub const MOST: usize = 64;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(30);

remote_child::register_module!(main);
fn main(child: &Child) {
    waiting(child);
    threads(child);
    giving_up(child);
    limits(child);
    ends(child);
}

fn office(child: &Child) -> Result<Remote<dyn Office>, CallError> {
    child.remote().require::<dyn Office>("office")
}

fn emit(child: &Child, event: &str) {
    child.process().port().emit(event, &()).expect("the parent is there");
}

fn waiting(child: &Child) {
    // Other calls go on while the answers are out, and events too.
    answer(child, "ask all", |child, questions: Vec<String>| {
        let office = office(child)?;
        let promises: Vec<_> = questions.iter().map(|question| office.ask(question)).collect();
        assert_eq!(office.echo("meanwhile")?, "meanwhile");
        let other = office.clone();
        let echoed = thread::spawn(move || other.echo("on a thread")).join().expect("it does not panic");
        assert_eq!(echoed?, "on a thread");
        emit(child, "asked");
        promises.into_iter().map(Promise::wait).collect::<Result<Vec<_>, _>>()
    });
    answer(child, "ask", |child, question: String| office(child)?.ask(&question).wait());
    // By name: methods that answer later, and any other.
    answer(child, "ask all by name", |child, questions: Vec<String>| {
        let office = child.remote().require_dynamic("office")?;
        let promises: Vec<Promise<String, CallError>> =
            questions.iter().map(|question| office.call_async("ask", (question,))).collect();
        let echoed: Promise<String, CallError> = office.call_async("echo", ("at once",));
        assert_eq!(echoed.wait()?, "at once");
        drop(office.call_async::<String>("ask", ("dropped",)));
        let wrong: Promise<u32, CallError> = office.call_async("echo", ("no number",));
        assert!(matches!(wrong.wait(), Err(CallError::Result { method, .. }) if method == "echo"));
        let nothing: Promise<(), CallError> = office.call_async("nothing", ());
        assert!(matches!(nothing.wait(), Err(CallError::NoSuchMember { .. })));
        promises.into_iter().map(Promise::wait).collect::<Result<Vec<_>, _>>()
    });
    answer(child, "ask what is known", |child, question: String| {
        let mut promise = office(child)?.known(&question);
        loop {
            // On the loop thread this looks at what has arrived.
            if let Some(answer) = promise.try_take() {
                assert_eq!(promise.try_take(), None);
                return answer;
            }
        }
    });
    // The loop goes on meanwhile: it is told by an event to look.
    let kept = Rc::new(RefCell::new(Vec::new()));
    let own = Rc::clone(&kept);
    answer(child, "ask for later", move |child, question: String| {
        own.borrow_mut().push(office(child)?.ask(&question));
        Ok::<_, CallError>(())
    });
    let own = Rc::clone(&kept);
    answer(child, "done", move |_child, ()| {
        Ok::<_, CallError>(own.borrow().iter().filter(|promise| promise.is_done()).count())
    });
    answer(child, "take", move |_child, ()| {
        let promises = kept.take();
        promises.into_iter().map(Promise::wait).collect::<Result<Vec<_>, CallError>>()
    });
    answer(child, "panic", |child, ()| {
        let Err(CallError::Panicked { method, message, .. }) = office(child)?.panics().wait() else {
            panic!("it panicked");
        };
        Ok::<_, CallError>((method, message))
    });
    answer(child, "unanswered", |child, question: String| {
        Ok::<_, CallError>(office(child)?.ask(&question).wait().expect_err("nobody answers"))
    });
}

fn threads(child: &Child) {
    // Called on the loop thread and on another, waited for on others: in a call that blocks, and as a future.
    let own = child.clone();
    child.process().port().on("ask on threads", move |_process, ()| {
        let office = office(&own).expect("it is exported");
        let waiting = office.ask("called by the loop");
        tell(&own, move || waiting.wait());
        let awaited = office.ask("awaited");
        tell(&own, move || block_on(awaited));
        let other = office.clone();
        tell(&own, move || other.ask("called by a thread").wait());
        tell(&own, move || {
            block_on(async {
                let (one, other) = (office.ask("awaited twice").await?, office.ask("again").await?);
                Ok(format!("{one} {other}"))
            })
        });
    });
}

/// Has a thread do something, and tells what came of it.
fn tell(child: &Child, act: impl FnOnce() -> Result<String, CallError> + Send + 'static) {
    let handle = child.handle();
    thread::spawn(move || {
        let told = act();
        let told = handle.run(move |child| child.process().port().emit("told", &told).expect("the parent is there"));
        told.expect("the loop runs");
    });
}

fn too_late(method: &str) -> CallError {
    CallError::Deadline { method: method.to_owned(), after: SHORT, waits: String::new() }
}

fn giving_up(child: &Child) {
    answer(child, "ask and drop", |child, question: String| {
        drop(office(child)?.ask(&question));
        Ok::<_, CallError>(())
    });
    answer(child, "give up", |child, question: String| {
        let remote = child.remote();
        let office = office(child)?;
        remote.set_call_deadline(SHORT);
        let promise = office.ask(&question);
        remote.set_call_deadline(LONG);
        let late = promise.wait().expect_err("nobody answers so soon");
        assert_eq!(late, too_late("ask"));
        let late = office.ask(&question).wait_within(SHORT).expect_err("nobody answers so soon");
        assert_eq!(late, too_late("ask"));
        Ok::<_, CallError>(())
    });
    // The answer is on its way when the call is given up.
    answer(child, "order and drop", |child, (name, gate): (String, String)| {
        let promise = office(child)?.order(&name);
        gate::wait_at(&gate);
        drop(promise);
        Ok::<_, CallError>(())
    });
    // Its answer is there, and nobody takes it.
    answer(child, "order two and take one", |child, (one, other): (String, String)| {
        let office = office(child)?;
        let (one, other) = (office.order(&one), office.order(&other));
        let name = one.wait()?.name()?;
        assert!(other.is_done());
        Ok::<_, CallError>(name)
    });
    // Its own reference is dropped before the parent has come to the call.
    answer(child, "hand in", |child, name: String| {
        let office = office(child)?;
        let item = office.order(&name).wait()?;
        let handed_in = office.hand_in(item);
        handed_in.wait()
    });
}

fn limits(child: &Child) {
    answer(child, "fill", |child, ()| {
        let office = office(child)?;
        let mut promises: Vec<_> = (0..MOST).map(|number| office.ask(&number.to_string())).collect();
        for _ in 0..3 {
            let refused = office.ask("too much").wait().expect_err("there are enough");
            assert!(matches!(&refused, CallError::Busy { method, .. } if method == "ask"), "{refused}");
        }
        // Calls that wait are not among them.
        office.echo("still")?;
        emit(child, "full");
        promises.pop().expect("there are some").wait()?;
        promises.push(office.ask("one more"));
        promises.into_iter().map(Promise::wait).collect::<Result<Vec<_>, _>>()
    });
    // Each of them may be sent alone.
    answer(child, "send long ones", |child, bytes: usize| {
        let office = office(child)?;
        let load = vec![7; bytes];
        let one = office.weigh(&load);
        let refused = office.weigh(&load).wait().expect_err("they are too long together");
        assert!(matches!(&refused, CallError::Busy { method, .. } if method == "weigh"), "{refused}");
        assert_eq!((one.wait()?, office.weigh(&load).wait()?), (bytes, bytes));
        Ok::<_, CallError>(())
    });
}

fn ends(child: &Child) {
    // Waits in all ways, for what will never come, and says what comes of it where there is no event any more.
    let own = child.clone();
    child.process().port().on("wait in vain", move |_process, report: String| {
        let office = office(&own).expect("it is exported");
        let say = |name: &'static str, report: &String, wait: Box<dyn FnOnce() -> Result<String, CallError> + Send>| {
            let mut report = Report::at(report);
            move || report.say(&format!("{name}: {:?}", wait().expect_err("nobody answers")))
        };
        let threads = [
            {
                let promise = office.ask("blocked");
                thread::spawn(say("blocked", &report, Box::new(move || promise.wait())))
            },
            {
                let promise = office.ask("awaited");
                thread::spawn(say("awaited", &report, Box::new(move || block_on(promise))))
            },
        ];
        let promise = office.ask("loop");
        say("loop", &report, Box::new(move || promise.wait()))();
        // They are told although this thread has not come back to the loop.
        threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    });
    // The loop ends while threads wait.
    let own = child.clone();
    child.process().port().on("end while threads wait", move |_process, report: String| {
        let promise = office(&own).expect("it is exported").ask("a thread");
        let mut report = Report::at(&report);
        let waiting = thread::spawn(move || report.say(&format!("{:?}", promise.wait().expect_err("nobody answers"))));
        own.on_unload(move |_reason| waiting.join().expect("it does not panic"));
    });
}
