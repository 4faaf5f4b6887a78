//! Calls that are answered later.

use std::future::poll_fn;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;

use remote_object::{CallError, Exports, Promise, Remote, Reply, Spawn, Task};
use remote_parent::{Parent, Process, Transport};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tests::gate::Gate;
use tests::interfaces::Item;
use tests::modules::promises::{Later, MOST, Office, block_on};

use crate::executor::pumped;
use crate::harness::{Events, PATIENCE, Setup, Teller, ask, every_transport, heard, sync};

type Question = (String, Reply<String, CallError>);
type Order = (String, Reply<Remote<dyn Item>, CallError>);
type HandedIn = (Remote<dyn Item>, Reply<(), CallError>);

/// What the office was asked, and what answers it.
struct Asked {
    questions: Events<Question>,
    orders: Events<Order>,
    handed_in: Events<HandedIn>,
    exports: Exports,
    dropped: Events<String>,
    tell_dropped: Arc<Teller<String>>,
}

struct Desk {
    questions: Teller<Question>,
    orders: Teller<Order>,
    handed_in: Teller<HandedIn>,
}

impl Office for Desk {
    fn ask(&self, question: &str) -> Promise<String, CallError> {
        let (promise, reply) = Promise::new();
        self.questions.tell((question.to_owned(), reply));
        promise
    }

    fn order(&self, name: &str) -> Later<Remote<dyn Item>> {
        let (promise, reply) = Promise::new();
        self.orders.tell((name.to_owned(), reply));
        promise
    }

    fn weigh(&self, load: &[u8]) -> Later<usize> {
        Promise::ready(Ok(load.len()))
    }

    fn hand_in(&self, item: Remote<dyn Item>) -> Later<()> {
        let (promise, reply) = Promise::new();
        self.handed_in.tell((item, reply));
        promise
    }

    fn known(&self, question: &str) -> Promise<String, CallError> {
        Promise::ready(Ok(question.to_uppercase()))
    }

    fn echo(&self, text: &str) -> Result<String, CallError> {
        Ok(text.to_owned())
    }

    fn panics(&self) -> Promise<(), CallError> {
        panic!("the method's own fault")
    }
}

/// Something an office made. It tells when it is dropped.
struct Made {
    name: String,
    dropped: Arc<Teller<String>>,
}

impl Item for Made {
    fn name(&self) -> Result<String, CallError> {
        Ok(self.name.clone())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.dropped.tell(self.name.clone());
    }
}

impl Asked {
    fn served(parent: &Parent) -> Self {
        let (tell_question, questions) = Events::new("question");
        let (tell_order, orders) = Events::new("order");
        let (tell_handed_in, handed_in) = Events::new("handed in");
        let (tell_dropped, dropped) = Events::new("dropped");
        let tell_dropped = Arc::new(tell_dropped);
        let office: Arc<dyn Office> =
            Arc::new(Desk { questions: tell_question, orders: tell_order, handed_in: tell_handed_in });
        let exports = Exports::new();
        exports.module("office", office).unwrap();
        exports.serve(parent).unwrap();
        Self { questions, orders, handed_in, exports, dropped, tell_dropped }
    }

    fn item(&self, name: &str) -> Remote<dyn Item> {
        let item: Arc<dyn Item> = Arc::new(Made { name: name.to_owned(), dropped: Arc::clone(&self.tell_dropped) });
        Remote::new(item)
    }

    /// Those of the next questions, which come in no order.
    fn sorted(&self, count: usize) -> Vec<Question> {
        let mut questions = self.questions.take(count);
        questions.sort_by(|(one, _), (other, _)| one.cmp(other));
        questions
    }
}

/// Answers with what a future gives, which waits for another answer.
struct Searching {
    tasks: Tasks,
    sources: Teller<Reply<String, CallError>>,
}

impl Office for Searching {
    fn ask(&self, question: &str) -> Promise<String, CallError> {
        let (source, reply) = Promise::new();
        self.sources.tell(reply);
        let question = question.to_owned();
        Promise::spawn(&self.tasks, async move { Ok(format!("{} {question}", source.await?)) })
    }

    fn order(&self, _name: &str) -> Later<Remote<dyn Item>> {
        Promise::new().0
    }

    fn weigh(&self, load: &[u8]) -> Later<usize> {
        Promise::ready(Ok(load.len()))
    }

    fn hand_in(&self, _item: Remote<dyn Item>) -> Later<()> {
        Promise::ready(Ok(()))
    }

    fn known(&self, question: &str) -> Promise<String, CallError> {
        Promise::ready(Ok(question.to_owned()))
    }

    fn echo(&self, text: &str) -> Result<String, CallError> {
        Ok(text.to_owned())
    }

    fn panics(&self) -> Promise<(), CallError> {
        Promise::ready(Ok(()))
    }
}

/// An executor: a thread that polls what is woken, until nobody can wake anything any more.
struct Tasks(Mutex<Sender<Arc<Runnable>>>);

struct Runnable {
    task: Mutex<Option<Task>>,
    queue: Mutex<Sender<Arc<Self>>>,
}

impl Tasks {
    fn start() -> (Self, thread::JoinHandle<()>) {
        let (queue, woken) = channel::<Arc<Runnable>>();
        let run = move || {
            for runnable in woken {
                let Some(mut task) = runnable.task.lock().unwrap().take() else { continue };
                let waker = Waker::from(Arc::clone(&runnable));
                if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                    *runnable.task.lock().unwrap() = Some(task);
                }
            }
        };
        (Self(Mutex::new(queue)), thread::spawn(run))
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: Task) {
        let queue = self.0.lock().unwrap().clone();
        Arc::new(Runnable { task: Mutex::new(Some(task)), queue: Mutex::new(queue) }).wake();
    }
}

impl Wake for Runnable {
    fn wake(self: Arc<Self>) {
        let queue = self.queue.lock().unwrap().clone();
        // The thread may have ended.
        let _ = queue.send(self);
    }
}

fn reply((question, reply): Question) {
    reply.send(Ok(question.to_uppercase()));
}

/// Waits until nobody waits for the answer.
fn wait_cancelled<T, E>(reply: &Reply<T, E>) {
    block_on(poll_fn(|context| reply.poll_cancelled(context)));
    assert!(reply.is_cancelled());
}

fn office(setup: &Setup) -> (Asked, Process) {
    let asked = Asked::served(setup.parent());
    setup.require("basics");
    setup.require("promises");
    (asked, setup.spawn())
}

/// Has a module do something that takes until the test has done something else.
fn begin<P: Serialize + ?Sized, R>(process: &Process, event: &str, payload: &P) -> Events<(Process, Result<R, String>)>
where
    R: DeserializeOwned + Send + 'static,
{
    let answers = heard(&process.port(), &tests::modules::answer_to(event));
    process.port().emit(event, payload).unwrap();
    answers
}

every_transport! {
    /// B19: answers come in any order and from any thread; other calls, of the thread that asked and of others, go on meanwhile, and so
    /// do events.
    fn answers_come_in_any_order_while_other_calls_go_on(setup) {
        let (asked, child) = office(&setup);
        let heard_asked = heard::<Process, ()>(&child.port(), "asked");
        let answers = begin::<_, Vec<String>>(&child, "ask all", &["one", "two", "three"]);
        heard_asked.next();
        let mut questions = asked.questions.take(3);
        assert_eq!(questions.iter().map(|(question, _)| question.as_str()).collect::<Vec<_>>(), ["one", "two", "three"]);
        answers.none();
        reply(questions.pop().unwrap());
        thread::spawn(move || questions.into_iter().rev().for_each(reply)).join().unwrap();
        assert_eq!(answers.next().1.unwrap(), ["ONE", "TWO", "THREE"]);
    }

    /// B19: the loop thread does not have to wait: it is there when the loop has come to it.
    fn a_child_takes_an_answer_when_it_is_there(setup) {
        let (asked, child) = office(&setup);
        for question in ["one", "two"] {
            ask::<(), _>(&child, "ask for later", question);
        }
        assert_eq!(ask::<usize, _>(&child, "done", &()), 0);
        let [one, two] = asked.questions.take(2).try_into().unwrap_or_else(|_| unreachable!());
        reply(two);
        // It was sent before.
        assert_eq!(ask::<usize, _>(&child, "done", &()), 1);
        reply(one);
        assert_eq!(ask::<Vec<String>, _>(&child, "take", &()), ["ONE", "TWO"]);
        assert_eq!(ask::<String, _>(&child, "ask what is known", "known"), "KNOWN");
    }

    /// B19: any thread of a child asks and waits, blocked or in a future.
    fn promises_are_made_and_kept_on_any_thread_of_a_child(setup) {
        let (asked, child) = office(&setup);
        let told = heard::<Process, Result<String, CallError>>(&child.port(), "told");
        child.port().emit("ask on threads", &()).unwrap();
        let questions = asked.sorted(4);
        let expected = ["awaited", "awaited twice", "called by a thread", "called by the loop"];
        assert_eq!(questions.iter().map(|(question, _)| question.as_str()).collect::<Vec<_>>(), expected);
        questions.into_iter().for_each(reply);
        reply(asked.questions.next());
        let mut told: Vec<_> = told.take(4).into_iter().map(|(_, told)| told.unwrap()).collect();
        told.sort();
        assert_eq!(told, ["AWAITED", "AWAITED TWICE AGAIN", "CALLED BY A THREAD", "CALLED BY THE LOOP"]);
    }

    /// B19: whoever has no interface starts calls by name, of methods that answer later and of others, and gives them up.
    fn calls_by_name_are_started_and_waited_for_later(setup) {
        let (asked, child) = office(&setup);
        for process in [child, setup.main()] {
            let answers = begin::<_, Vec<String>>(&process, "ask all by name", &["one", "two", "three"]);
            let mut questions = asked.questions.take(4);
            let (question, dropped) = questions.pop().unwrap();
            assert_eq!(question, "dropped");
            wait_cancelled(&dropped);
            questions.into_iter().rev().for_each(reply);
            assert_eq!(answers.next().1.unwrap(), ["ONE", "TWO", "THREE"]);
        }
    }

    /// B19: in the main process's own modules it is the object's own promise.
    fn a_promise_in_the_main_process_is_the_objects_own(setup) {
        let (asked, _child) = office(&setup);
        let main = setup.main();
        let answers = begin::<_, Vec<String>>(&main, "ask all", &["one", "two"]);
        asked.questions.take(2).into_iter().rev().for_each(reply);
        assert_eq!(answers.next().1.unwrap(), ["ONE", "TWO"]);
        let answers = begin::<_, CallError>(&main, "unanswered", "never");
        drop(asked.questions.next());
        let CallError::Unanswered { method } = answers.next().1.unwrap() else { panic!("nobody answered") };
        assert!(method.contains("promises.rs"), "{method}");
        let answers = begin::<_, ()>(&main, "ask and drop", "dropped");
        wait_cancelled(&asked.questions.next().1);
        answers.next().1.unwrap();
    }

    /// B19: a reply that is dropped is an error that names the method; so is one whose answer cannot be made.
    fn a_reply_that_is_dropped_is_an_error_at_the_caller(setup) {
        let (asked, child) = office(&setup);
        let answers = begin::<_, CallError>(&child, "unanswered", "never");
        drop(asked.questions.next());
        assert_eq!(answers.next().1.unwrap(), CallError::Unanswered { method: "ask".to_owned() });
        let answers = begin::<_, CallError>(&child, "unanswered", "failing");
        let failed = CallError::Panicked { method: "another".to_owned(), message: "why".to_owned(), location: None };
        asked.questions.next().1.send(Err(failed.clone()));
        assert_eq!(answers.next().1.unwrap(), failed);
        let panicked: (String, String) = ask(&child, "panic", &());
        assert_eq!(panicked, ("panics".to_owned(), "the method's own fault".to_owned()));
    }

    /// B19: a promise that is dropped, or given up at its deadline, cancels the reply.
    fn a_reply_is_cancelled_when_its_promise_is_given_up(setup) {
        let (asked, child) = office(&setup);
        ask::<(), _>(&child, "ask and drop", "dropped");
        let (_, dropped) = asked.questions.next();
        wait_cancelled(&dropped);
        // There is nobody to get it.
        dropped.send(Ok("too late".to_owned()));
        let answers = begin::<_, ()>(&child, "give up", "late");
        let replies = asked.questions.take(2);
        answers.next().1.unwrap();
        replies.iter().for_each(|(_, reply)| wait_cancelled(reply));
        drop(replies);
        let answers = begin::<_, String>(&child, "ask", "again");
        reply(asked.questions.next());
        assert_eq!(answers.next().1.unwrap(), "AGAIN");
    }

    /// B7: what an answer refers to that came too late, that nobody took, or that was not sent any more, is given back.
    fn references_in_an_answer_that_nobody_takes_are_given_back(setup) {
        let (asked, child) = office(&setup);
        let gate = Gate::new();
        let answers = begin::<_, ()>(&child, "order and drop", &("crossing", gate.address()));
        let waiting = gate.arrival();
        let (name, reply) = asked.orders.next();
        reply.send(Ok(asked.item(&name)));
        asked.dropped.none();
        waiting.let_go();
        answers.next().1.unwrap();
        assert_eq!(asked.dropped.next(), "crossing");
        let answers = begin::<_, String>(&child, "order two and take one", &("taken", "left"));
        for (name, reply) in asked.orders.take(2).into_iter().rev() {
            reply.send(Ok(asked.item(&name)));
        }
        assert_eq!(answers.next().1.unwrap(), "taken");
        let mut dropped = asked.dropped.take(2);
        dropped.sort();
        assert_eq!(dropped, ["left", "taken"]);
        let answers = begin::<_, ()>(&child, "order and drop", &("cancelled", gate.address()));
        gate.arrival().let_go();
        answers.next().1.unwrap();
        let (name, reply) = asked.orders.next();
        wait_cancelled(&reply);
        reply.send(Ok(asked.item(&name)));
        assert_eq!(asked.dropped.next(), "cancelled");
        sync(&child);
        // The office itself is held by nobody any more.
        while asked.exports.alive().objects > 0 {
            sync(&child);
        }
    }

    /// B7: an argument of a call that nobody is blocked in arrives, though its only reference in the child is dropped at once.
    fn what_a_promised_call_refers_to_arrives(setup) {
        let (asked, child) = office(&setup);
        let answers = begin::<_, ()>(&child, "hand in", "handed in");
        let (name, reply) = asked.orders.next();
        let made = asked.item(&name);
        reply.send(Ok(made.clone()));
        let (item, reply) = asked.handed_in.next();
        assert!(Arc::ptr_eq(Remote::as_arc(&item), Remote::as_arc(&made)));
        reply.send(Ok(()));
        answers.next().1.unwrap();
        drop((item, made));
        assert_eq!(asked.dropped.next(), "handed in");
    }

    /// B19: as many calls may be unanswered as the limit says; what is too much is an error, and later there is room again.
    fn calls_that_are_unanswered_are_limited(setup) {
        let (asked, child) = office(&setup);
        let full = heard::<Process, ()>(&child.port(), "full");
        let answers = begin::<_, Vec<String>>(&child, "fill", &());
        full.next();
        let questions = asked.questions.take(MOST);
        asked.questions.none();
        assert!(questions.iter().all(|(_, reply)| !reply.is_cancelled()));
        questions.into_iter().rev().for_each(reply);
        reply(asked.questions.next());
        let answers = answers.next().1.unwrap();
        assert_eq!((answers.len(), answers.last().unwrap().as_str()), (MOST, "ONE MORE"));
        ask::<(), _>(&child, "send long ones", &(9 << 20));
        // What is given up makes room as well.
        for round in 0..3 * MOST {
            ask::<(), _>(&child, "ask and drop", &round.to_string());
        }
        let cancelled = asked.questions.take(3 * MOST);
        cancelled.iter().for_each(|(_, reply)| wait_cancelled(reply));
    }

    /// B19: when a process is killed, replies to it are cancelled, and what did not answer is told; what it was to be lent goes.
    fn replies_to_a_process_that_is_killed_are_cancelled(setup) {
        let (asked, child) = office(&setup);
        let heard_asked = heard::<Process, ()>(&child.port(), "asked");
        let _answers = begin::<_, Vec<String>>(&child, "ask all", &["one", "two"]);
        let questions = asked.questions.take(2);
        heard_asked.next();
        let detached = setup.detaches();
        child.kill();
        detached.next();
        assert_eq!(child.last_heard().calls.iter().filter(|method| *method == "ask").count(), 2);
        questions.iter().for_each(|(_, reply)| wait_cancelled(reply));
        questions.into_iter().for_each(reply);
        assert_eq!(asked.exports.alive().objects, 0);
        // Others are not concerned.
        let other = setup.spawn();
        let answers = begin::<_, String>(&other, "ask", "another");
        reply(asked.questions.next());
        assert_eq!(answers.next().1.unwrap(), "ANOTHER");
    }

    /// B19: when the loop ends, whoever waits on another thread is told, before the handlers for unloading run.
    fn promises_end_with_the_loop(setup) {
        let (asked, child) = office(&setup);
        let report = Gate::new();
        child.port().emit("end while threads wait", &report.address()).unwrap();
        let arrival = report.arrival();
        let (_, reply) = asked.questions.next();
        child.close();
        assert_eq!(arrival.text(), r#"Disconnected { method: "ask" }"#);
        wait_cancelled(&reply);
        child.wait(PATIENCE).expect("it goes");
    }

    /// B19: a method answers with what a future gives; the future is dropped when nobody waits for it.
    fn a_future_answers(setup) {
        let (tasks, runner) = Tasks::start();
        let (tell, sources) = Events::new("source");
        let searching = Searching { tasks, sources: tell };
        let exports = Exports::new();
        exports.module::<dyn Office>("office", Arc::new(searching)).unwrap();
        exports.serve(setup.parent()).unwrap();
        setup.require("promises");
        let child = setup.spawn();
        let answers = begin::<_, Vec<String>>(&child, "ask all", &["one", "two"]);
        for source in sources.take(2) {
            source.send(Ok("found".to_owned()));
        }
        assert_eq!(answers.next().1.unwrap(), ["found one", "found two"]);
        ask::<(), _>(&child, "ask and drop", "three");
        // What the future waits for is given up with it.
        wait_cancelled(&sources.next());
        drop((exports, setup));
        runner.join().unwrap();
    }

    /// B19: with an executor, methods are served and replies cancelled where it is pumped; answers come from anywhere.
    fn promises_are_made_where_the_executor_is_pumped(setup) {
        let (setup, pump) = pumped(setup, "promises_are_made_where_the_executor_is_pumped");
        let (asked, child) = office(&setup);
        let answers = begin::<_, Vec<String>>(&child, "ask all", &["one", "two"]);
        let questions = [pump.next(&asked.questions), pump.next(&asked.questions)];
        let answering = thread::spawn(move || questions.into_iter().for_each(reply));
        assert_eq!(pump.next(&answers).1.unwrap(), ["ONE", "TWO"]);
        answering.join().unwrap();
        let answers = begin::<_, ()>(&child, "ask and drop", "dropped");
        let (_, dropped) = pump.next(&asked.questions);
        pump.next(&answers).1.unwrap();
        pump.until(|| dropped.is_cancelled().then_some(()));
        child.port().emit("ask for later", "never").unwrap();
        let (_, never) = pump.next(&asked.questions);
        child.kill();
        pump.until(|| never.is_cancelled().then_some(()));
    }
}

/// B19: when the parent is gone, whoever waits in a child is told, however it waits.
#[test]
fn promises_are_broken_when_the_parent_is_gone() {
    // What a process of its own says when it is killed, nobody hears.
    let setup = Setup::new(module_path!(), Transport::Memory);
    let (asked, child) = office(&setup);
    let report = Gate::new();
    child.port().emit("wait in vain", &report.address()).unwrap();
    let arrivals = [report.arrival(), report.arrival(), report.arrival()];
    let _questions = asked.questions.take(3);
    child.kill();
    let mut texts = arrivals.map(|arrival| arrival.text());
    texts.sort();
    let disconnected = |name: &str| format!(r#"{name}: Disconnected {{ method: "ask" }}"#);
    assert_eq!(texts, ["awaited", "blocked", "loop"].map(disconnected));
}
