//! All of the parent's code on one thread: the one that runs a test, which pumps.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use remote_object::{CallError, Callback, Exports, Remote};
use remote_parent::{Deadlines, DetachReason, Executor, FrameOptions, ParentOptions, Process, Restart, Task};
use tests::gate::Gate;
use tests::modules::pumped::{Desk, Paper};

use crate::harness::{Events, PATIENCE, Setup, every_process_transport, every_transport, heard};

pub(crate) struct Queue(pub(crate) Sender<Task>);

impl Executor for Queue {
    fn execute(&self, task: Task) {
        // When the test is over, nobody pumps.
        let _ = self.0.send(task);
    }
}

/// Runs what it is given, when it is asked to.
pub(crate) struct Pump(Receiver<Task>);

impl Pump {
    /// Pumps until there is something.
    #[track_caller]
    pub(crate) fn until<T>(&self, mut done: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(done) = done() {
                return done;
            }
            self.0.recv_timeout(PATIENCE).expect("there is something to do")();
        }
    }

    #[track_caller]
    pub(crate) fn next<T>(&self, events: &Events<T>) -> T {
        let mut so_far = Vec::new();
        self.until(|| {
            so_far.extend(events.so_far());
            so_far.pop()
        })
    }
}

pub(crate) fn pumped(setup: Setup, name: &str) -> (Setup, Pump) {
    let transport = setup.transport();
    drop(setup);
    let (tasks, queue) = channel();
    let options = ParentOptions::new().executor(Arc::new(Queue(tasks)));
    (Setup::with(name, transport, options), Pump(queue))
}

/// What happened, and on which thread.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(String, ThreadId)>>>);

impl Notes {
    fn push(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push((text.into(), thread::current().id()));
    }

    fn has(&self, text: &str) -> bool {
        self.0.lock().unwrap().iter().any(|(note, _)| note == text)
    }

    /// All of it was here.
    #[track_caller]
    fn take(&self) -> Vec<String> {
        let notes = std::mem::take(&mut *self.0.lock().unwrap());
        let here = thread::current().id();
        notes
            .into_iter()
            .map(|(text, thread)| {
                assert_eq!(thread, here, "`{text}`");
                text
            })
            .collect()
    }
}

struct Table {
    notes: Notes,
    kept: Mutex<Vec<Callback<String>>>,
}

impl Desk for Table {
    fn lend(&self) -> Result<Remote<dyn Paper>, CallError> {
        self.notes.push("lends");
        let paper: Arc<dyn Paper> = Arc::new(Sheet(self.notes.clone()));
        Ok(Remote::new(paper))
    }

    fn keep(&self, listener: Callback<String>) -> Result<(), CallError> {
        self.notes.push("keeps");
        self.kept.lock().unwrap().push(listener);
        Ok(())
    }
}

struct Sheet(Notes);

impl Paper for Sheet {
    fn read(&self) -> Result<String, CallError> {
        self.0.push("is read");
        Ok("a paper".to_owned())
    }
}

impl Drop for Sheet {
    fn drop(&mut self) {
        self.0.push("paper dropped");
    }
}

fn serve(setup: &Setup, notes: &Notes) -> (Exports, Arc<Table>) {
    let exports = Exports::new();
    let table = Arc::new(Table { notes: notes.clone(), kept: Mutex::default() });
    exports.module("desk", Arc::clone(&table) as Arc<dyn Desk>).unwrap();
    exports.serve(setup.parent()).unwrap();
    (exports, table)
}

/// Notes all that is told of processes and frames.
fn listen(setup: &Setup, notes: &Notes) {
    let (processes, frames) = (setup.parent().processes(), setup.parent().frames());
    let own = notes.clone();
    processes.on_attach(move |_process| own.push("attach"));
    let own = notes.clone();
    processes.on_detach(move |_process, reason| own.push(format!("detach {reason}")));
    let own = notes.clone();
    processes.on_error(move |_process, error| own.push(format!("error {error}")));
    let own = notes.clone();
    processes.port().on("said", move |_process, text: String| own.push(text));
    let own = notes.clone();
    frames.on_attach(move |frame| {
        own.push("frame attach");
        let own = own.clone();
        frame.on_detach(move |_frame| own.push("own frame detach"));
    });
    let own = notes.clone();
    frames.port().on("said", move |_frame, text: String| own.push(text));
    let own = notes.clone();
    frames.on_detach(move |_frame| own.push("frame detach"));
}

every_transport! {
    /// B6: an executor that is not pumped has few releases waiting, however many there are; when it is, all are handled.
    fn releases_do_not_pile_up_at_an_executor(setup) {
        let (setup, pump) = pumped(setup, module_path!());
        let objects = tests::objects::Objects::served(setup.parent());
        setup.require("releases");
        let child = setup.spawn();
        let answers = heard::<_, Result<(), String>>(&child.port(), "make and keep many: answer");
        let count = 2000;
        child.port().emit("make and keep many", &count).unwrap();
        assert_eq!(pump.next(&answers).1, Ok(()));
        let report = Gate::new();
        child.port().emit("drop one by one", &report.address()).unwrap();
        assert_eq!(report.arrival().text(), "dropped");
        let waiting: Vec<_> = pump.0.try_iter().collect();
        assert!(waiting.len() < 100, "{} are waiting", waiting.len());
        waiting.into_iter().for_each(|task| task());
        let mut dropped = 0;
        pump.until(|| {
            dropped += objects.dropped.try_iter().count();
            (dropped == count).then_some(())
        });
    }

    /// A5: with an executor, all of the application's code runs where it is pumped, and in the order in which it was sent.
    fn everything_runs_on_the_thread_that_pumps(setup) {
        let (setup, pump) = pumped(setup, "everything_runs_on_the_thread_that_pumps");
        let notes = Notes::default();
        let (_exports, table) = serve(&setup, &notes);
        setup.require("pumped");
        listen(&setup, &notes);
        let three = {
            let (tell, three) = Events::new("three");
            setup.parent().processes().port().on("said", move |_process, text: String| {
                if text == "three" {
                    tell.tell(());
                }
            });
            three
        };
        let child = setup.spawn();
        let own = notes.clone();
        child.on_detach(move |_process, _reason| own.push("own detach"));
        // Nobody has pumped.
        assert!(notes.take().is_empty());
        child.port().emit("go", &()).unwrap();
        pump.next(&three);
        let mut told = notes.take();
        // It may go back a moment earlier or later than what is sent next.
        let dropped = told.iter().position(|note| note == "paper dropped").unwrap_or(told.len());
        assert!(dropped >= told.len() - 3, "{told:?}");
        told.retain(|note| note != "paper dropped");
        assert_eq!(
            told,
            [
                "attach", "one", "lends", "two", "is read", "frame attach", "of a frame", "own frame detach",
                "frame detach", "keeps", "three",
            ]
        );
        let errors = setup.errors();
        child.port().emit("explode", &()).unwrap();
        pump.next(&errors);
        assert_eq!(notes.take().len(), 1);
        assert!(table.kept.lock().unwrap()[0].is_alive());
        let detached = setup.detaches();
        child.close();
        // Waiting does not wait for listeners.
        let _ = child.wait(PATIENCE);
        assert!(notes.take().is_empty());
        assert_eq!(pump.next(&detached).1, DetachReason::Closed);
        assert_eq!(notes.take(), ["own detach", "detach closed"]);
        assert!(!table.kept.lock().unwrap()[0].is_alive());
    }

    /// B6: what a process held is let go of where it is pumped, also when the process was killed.
    fn what_a_killed_process_held_is_let_go_of_on_the_thread_that_pumps(setup) {
        let (setup, pump) = pumped(setup, "what_a_killed_process_held_is_let_go_of_on_the_thread_that_pumps");
        let notes = Notes::default();
        let (_exports, _table) = serve(&setup, &notes);
        setup.require("pumped");
        listen(&setup, &notes);
        let child = setup.spawn();
        let report = Gate::new();
        // It calls, and is killed in the middle of it: it has been lent something, perhaps, and cannot give it back.
        child.port().emit("call and report", &report.address()).unwrap();
        pump.until(|| notes.has("lends").then_some(()));
        let detached = setup.detaches();
        child.kill();
        pump.next(&detached);
        pump.until(|| notes.has("paper dropped").then_some(()));
        let told = notes.take();
        assert_eq!(told[0], "attach");
        assert!(told.contains(&"paper dropped".to_owned()), "{told:?}");
    }

    /// B8: a child that calls waits until it is pumped, on its loop thread and on any other.
    fn a_child_that_calls_waits_until_it_is_pumped(setup) {
        let (setup, pump) = pumped(setup, "a_child_that_calls_waits_until_it_is_pumped");
        let notes = Notes::default();
        let (_exports, _table) = serve(&setup, &notes);
        setup.require("pumped");
        let child = setup.spawn();
        for how in ["call and report", "call on a thread and report"] {
            let report = Gate::new();
            child.port().emit(how, &report.address()).unwrap();
            let (tell, said) = channel();
            let reading = thread::spawn(move || tell.send(report.arrival().text()).expect("it is waited for"));
            assert!(said.recv_timeout(Duration::from_millis(200)).is_err());
            assert!(notes.take().is_empty());
            let text = loop {
                match said.try_recv() {
                    Ok(text) => break text,
                    // Something to do comes, or the child ends what it does.
                    Err(_) => drop(pump.0.recv_timeout(Duration::from_millis(10)).map(|task| task())),
                }
            };
            assert_eq!(text, "Ok(\"a paper\")");
            reading.join().unwrap();
            // What it was lent goes back.
            pump.until(|| notes.has("paper dropped").then_some(()));
            assert_eq!(notes.take(), ["lends", "is read", "paper dropped"]);
        }
    }

    /// A8: what blocks may be called on the thread that pumps, though nobody pumps meanwhile; in a listener too.
    fn what_blocks_does_not_wait_for_the_thread_that_pumps(setup) {
        let (setup, pump) = pumped(setup, "what_blocks_does_not_wait_for_the_thread_that_pumps");
        setup.require("pumped");
        let notes = Notes::default();
        listen(&setup, &notes);
        let [one, other] = [setup.spawn(), setup.spawn()];
        one.close();
        let _ = one.wait(PATIENCE);
        other.kill();
        let _ = other.wait(PATIENCE);
        let third = setup.spawn();
        third.port().emit("close yourself", &()).unwrap();
        setup.parent().wait();
        assert!(notes.take().is_empty());
        let options = setup.options();
        let (tell, ended) = Events::new("ended");
        setup.parent().processes().on_detach(move |process, _reason| tell.tell(process.clone()));
        let mut gone: Vec<Process> = Vec::new();
        pump.until(|| {
            gone.extend(ended.so_far());
            (gone.len() == 3).then_some(())
        });
        assert!([one, other, third].iter().all(|process| process.detached().is_some()));
        // In a listener.
        let (tell, told) = Events::new("told");
        let processes = setup.parent().processes();
        let frames = setup.parent().frames();
        setup.parent().processes().port().on("said", move |process, _: String| {
            let fresh = processes.spawn_with(options.clone()).expect("it starts");
            frames.open(&fresh, FrameOptions::new()).expect("it is there");
            fresh.close();
            let _ = fresh.wait(PATIENCE);
            process.close();
            let _ = process.wait(PATIENCE);
            tell.tell(());
        });
        let child = setup.spawn();
        child.port().emit("say", "something").unwrap();
        pump.next(&told);
        setup.close().unwrap();
    }

    /// A8: the parent may be closed with things left to pump, and they may be run, or dropped, after that.
    fn the_parent_may_be_closed_with_things_left_to_do(setup) {
        for runs in [true, false] {
            let transport = setup.transport();
            let (tasks, queue) = channel();
            let deadlines = Deadlines { start: PATIENCE, stop: PATIENCE, ..Deadlines::default() };
            let options = ParentOptions::new().executor(Arc::new(Queue(tasks))).deadlines(deadlines);
            let inner = Setup::impatient("the_parent_may_be_closed_with_things_left_to_do", transport, options);
            inner.require("pumped");
            let notes = Notes::default();
            listen(&inner, &notes);
            let (_exports, _table) = serve(&inner, &notes);
            let said = heard::<Process, String>(&inner.parent().processes().port(), "said");
            let child = inner.spawn();
            child.port().emit("go", &()).unwrap();
            // The child is in a call that nobody comes to serve: it is refused, and the child ends in good order.
            inner.close().unwrap();
            assert_eq!(child.detached(), Some(&DetachReason::Closed));
            assert!(notes.take().is_empty());
            said.none();
            if runs {
                while let Ok(task) = queue.try_recv() {
                    task();
                }
                notes.take();
            }
        }
    }
}

every_process_transport! {
    /// A21: a process that crashed is started again though nobody pumps, and whoever waits for the end of all of them waits for that one, too.
    fn a_process_is_started_again_while_nobody_pumps(transport) {
        const NAME: &str = "a_process_is_started_again_while_nobody_pumps";
        let (setup, _pump) = pumped(Setup::new(NAME, transport), NAME);
        let restart = Restart::OnCrash { limit: 1, within: Duration::from_secs(600) };
        let first = setup.parent().processes().spawn_with(setup.options().restart(restart)).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| setup.parent().wait());
            first.kill();
            let second = loop {
                let mut processes = setup.parent().processes().iter();
                match processes.find(|process| process.is_remote() && *process != first) {
                    Some(second) => break second,
                    None => thread::yield_now(),
                }
            };
            assert!(!waiting.is_finished());
            second.kill();
        });
        setup.close().unwrap();
    }
}
