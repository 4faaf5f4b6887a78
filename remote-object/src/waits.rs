//! What the parent's threads are in the midst of for one process: methods that they serve, and functions that they wait for. Only for
//! diagnostics, above all for the error of a wait that took too long.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread, ThreadId};

use remote_protocol::id::ProcessId;
use remote_protocol::payload::Location;

/// What is under way for one process; as much as it has lanes and functions that are waited for, at most.
#[derive(Default)]
pub(crate) struct UnderWay(Mutex<State>);

#[derive(Default)]
struct State {
    activities: Vec<Activity>,
    /// The thread that ended something last: mostly it begins something next.
    last: Option<Thread>,
}

/// Something that a thread does, within what it began before.
#[derive(Clone)]
pub(crate) struct Activity {
    /// Later ones have greater numbers.
    number: u64,
    thread: Thread,
    doing: Doing,
}

#[derive(Clone)]
enum Doing {
    /// Serves a method for the process.
    Serving(Cow<'static, str>),
    /// Waits for a function of the process, made there.
    Waiting(Location<'static>),
}

impl UnderWay {
    /// This thread begins to serve a method; gives what to [end](Self::end).
    pub(crate) fn serve(&self, method: Cow<'static, str>) -> u64 {
        self.begin(Doing::Serving(method))
    }

    /// This thread begins to wait for a function; gives what to [end](Self::end).
    pub(crate) fn wait(&self, made_at: &Location<'static>) -> u64 {
        self.begin(Doing::Waiting(made_at.clone()))
    }

    pub(crate) fn end(&self, number: u64) {
        let mut state = self.lock();
        // Mostly what began last.
        if let Some(index) = state.activities.iter().rposition(|activity| activity.number == number) {
            let Activity { thread, doing, .. } = state.activities.swap_remove(index);
            let before = state.last.replace(thread);
            drop(state);
            drop((before, doing));
        }
    }

    /// The methods that are being served.
    pub(crate) fn methods(&self) -> Vec<String> {
        let state = self.lock();
        let served = state.activities.iter().filter_map(|activity| match &activity.doing {
            Doing::Serving(method) => Some(method.clone().into_owned()),
            Doing::Waiting(_) => None,
        });
        served.collect()
    }

    pub(crate) fn activities(&self) -> Vec<Activity> {
        self.lock().activities.clone()
    }

    fn begin(&self, doing: Doing) -> u64 {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let this = THIS.with(|this| *this);
        let mut state = self.lock();
        let thread = state.last.take_if(|last| last.id() == this).unwrap_or_else(thread::current);
        state.activities.push(Activity { number, thread, doing });
        number
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// This thread.
    static THIS: ThreadId = thread::current().id();
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Says who waits for whom, from the wait with this number on: whose function it is, and what that process itself waits for, and so on.
pub(crate) fn chain(wait: u64, processes: &[(ProcessId, Vec<Activity>)]) -> String {
    let mut parts = Vec::new();
    let mut told = BTreeSet::new();
    let mut asked = VecDeque::new();
    let mut seen = BTreeSet::new();
    let mut next = Some(wait);
    loop {
        if let Some(number) = next.take()
            && let Some((process, activity)) = find(number, processes)
            && let Doing::Waiting(made_at) = &activity.doing
        {
            let server = innermost(&activity.thread, number, processes);
            told.extend(server.map(|(_, server)| server.number));
            let who = match server {
                Some((process, server)) => describe(process, server),
                None => format!("thread {}", thread_name(&activity.thread)),
            };
            parts.push(format!("{who} waits for the function made at {made_at} in process {process}"));
            if seen.insert(process) {
                asked.push_back(process);
            }
        }
        let Some(process) = asked.front().copied() else { break };
        let served = processes.iter().find(|(other, _)| *other == process).into_iter().flat_map(|(_, all)| all);
        let untold = served
            .filter(|activity| matches!(activity.doing, Doing::Serving(_)) && !told.contains(&activity.number))
            .min_by_key(|activity| activity.number);
        let Some(server) = untold.filter(|_| parts.len() < MOST_PARTS) else {
            asked.pop_front();
            continue;
        };
        told.insert(server.number);
        match waits_within(server, processes) {
            Some(wait) => next = Some(wait),
            None => parts.push(format!("{} has not returned", describe(process, server))),
        }
    }
    parts.join("; ")
}

fn find(number: u64, processes: &[(ProcessId, Vec<Activity>)]) -> Option<(ProcessId, &Activity)> {
    all(processes).find(|(_, activity)| activity.number == number)
}

/// What the thread did last before it began what has this number, if that is serving.
fn innermost<'a>(
    thread: &Thread,
    before: u64,
    processes: &'a [(ProcessId, Vec<Activity>)],
) -> Option<(ProcessId, &'a Activity)> {
    let earlier = all(processes).filter(|(_, other)| other.thread.id() == thread.id() && other.number < before);
    earlier.max_by_key(|(_, other)| other.number).filter(|(_, other)| matches!(other.doing, Doing::Serving(_)))
}

/// The wait that a method is in, if its thread does nothing else within it.
fn waits_within(server: &Activity, processes: &[(ProcessId, Vec<Activity>)]) -> Option<u64> {
    let later =
        all(processes).filter(|(_, other)| other.thread.id() == server.thread.id() && other.number > server.number);
    let (_, next) = later.min_by_key(|(_, other)| other.number)?;
    matches!(next.doing, Doing::Waiting(_)).then_some(next.number)
}

fn all(processes: &[(ProcessId, Vec<Activity>)]) -> impl Iterator<Item = (ProcessId, &Activity)> {
    processes.iter().flat_map(|(process, activities)| activities.iter().map(|activity| (*process, activity)))
}

fn describe(process: ProcessId, activity: &Activity) -> String {
    let method = if let Doing::Serving(method) = &activity.doing { method } else { "" };
    format!("method `{method}` for process {process} (thread {})", thread_name(&activity.thread))
}

fn thread_name(thread: &Thread) -> &str {
    thread.name().unwrap_or("without a name")
}

/// More would tell nothing more.
const MOST_PARTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_goes_from_process_to_process_and_ends() {
        let [one, other] = [1, 2].map(|serial| ProcessId::new(100 + serial, serial));
        let [of_one, of_other] = [UnderWay::default(), UnderWay::default()];
        let made = |line| Location { file: "src/x.rs".into(), line, column: 5 };
        let waits = thread::scope(|scope| {
            let first = thread::Builder::new().name("remote-101".into()).spawn_scoped(scope, || {
                of_one.serve("map".into());
                of_other.wait(&made(10))
            });
            let wait = first.unwrap().join().unwrap();
            let second = thread::Builder::new().name("remote-102".into()).spawn_scoped(scope, || {
                of_other.serve("fold".into());
                of_one.wait(&made(20));
            });
            second.unwrap().join().unwrap();
            let third =
                thread::Builder::new().name("remote-lane".into()).spawn_scoped(scope, || of_one.serve("sum".into()));
            third.unwrap().join().unwrap();
            wait
        });
        let text = chain(waits, &[(one, of_one.activities()), (other, of_other.activities())]);
        assert_eq!(
            text,
            "method `map` for process 101 (thread remote-101) waits for the function made at src/x.rs:10:5 in process 102; \
             method `fold` for process 102 (thread remote-102) waits for the function made at src/x.rs:20:5 in process 101; \
             method `sum` for process 101 (thread remote-lane) has not returned"
        );
        assert_eq!(of_one.methods(), ["map", "sum"]);
    }

    #[test]
    fn what_has_ended_is_not_told_of() {
        let under_way = UnderWay::default();
        let [outer, inner] = [under_way.serve("same".into()), under_way.serve("same".into())];
        under_way.end(outer);
        under_way.end(outer);
        assert_eq!(under_way.methods(), ["same"]);
        under_way.end(inner);
        assert!(under_way.activities().is_empty());
    }
}
