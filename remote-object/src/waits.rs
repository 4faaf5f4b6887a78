//! What the parent's threads are in the midst of for one process: methods that they serve, and functions that they wait for. Only for
//! diagnostics, above all for the error of a wait that took too long.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread, ThreadId};

use remote_protocol::id::ProcessId;
use remote_protocol::payload::Location;

/// What is under way for one process; as much as it has lanes and functions that are waited for, at most.
#[derive(Default)]
pub(crate) struct UnderWay {
    /// Those that have ended are in it until something takes their place.
    places: Mutex<Vec<Activity>>,
    /// What ended last in each place of the first, so that ending something takes no lock.
    ended: [AtomicU64; PLACES],
}

/// Something that a thread does, within what it began before.
#[derive(Clone)]
pub(crate) struct Activity {
    /// Later ones of a thread have greater numbers, and no two have the same.
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

/// What has begun and is to be ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Under {
    pub(crate) number: u64,
    place: usize,
}

impl UnderWay {
    /// This thread begins to serve a method; gives what to [end](Self::end).
    pub(crate) fn serve(&self, method: Cow<'static, str>) -> Under {
        self.begin(Doing::Serving(method))
    }

    /// This thread begins to wait for a function; gives what to [end](Self::end).
    pub(crate) fn wait(&self, made_at: &Location<'static>) -> Under {
        self.begin(Doing::Waiting(made_at.clone()))
    }

    pub(crate) fn end(&self, Under { number, place }: Under) {
        match self.ended.get(place) {
            Some(ended) => ended.store(number, Ordering::Release),
            // So many at once are rare.
            None => self.lock().retain(|activity| activity.number != number),
        }
    }

    /// The methods that are being served.
    pub(crate) fn methods(&self) -> Vec<String> {
        let served = self.activities().into_iter().filter_map(|activity| match activity.doing {
            Doing::Serving(method) => Some(method.into_owned()),
            Doing::Waiting(_) => None,
        });
        served.collect()
    }

    pub(crate) fn activities(&self) -> Vec<Activity> {
        let places = self.lock();
        let under_way = places.iter().enumerate().filter(|(place, activity)| !self.has_ended(*place, activity));
        under_way.map(|(_, activity)| activity.clone()).collect()
    }

    fn begin(&self, doing: Doing) -> Under {
        let (this, number) = THIS.with(|this| (this.id, this.next()));
        let mut places = self.lock();
        let free = places.iter().enumerate().position(|(place, activity)| self.has_ended(place, activity));
        let place = free.unwrap_or(places.len());
        let before = match places.get_mut(place) {
            Some(activity) => {
                activity.number = number;
                // Mostly it is the thread that was here before.
                let thread =
                    (activity.thread.id() != this).then(|| mem::replace(&mut activity.thread, thread::current()));
                Some((mem::replace(&mut activity.doing, doing), thread))
            }
            None => {
                places.push(Activity { number, thread: thread::current(), doing });
                None
            }
        };
        drop(places);
        drop(before);
        Under { number, place }
    }

    /// Whether what is in a place has ended.
    fn has_ended(&self, place: usize, activity: &Activity) -> bool {
        self.ended.get(place).is_some_and(|ended| ended.load(Ordering::Acquire) == activity.number)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Activity>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread, and the numbers that it gives to what it does.
struct This {
    id: ThreadId,
    next: Cell<u64>,
}

impl This {
    fn next(&self) -> u64 {
        let mut next = self.next.get();
        if next.is_multiple_of(NUMBERS) {
            // So threads of many processes do not count on one word.
            next = BLOCKS.fetch_add(1, Ordering::Relaxed) * NUMBERS + 1;
        }
        self.next.set(next + 1);
        next
    }
}

thread_local! {
    /// This thread.
    static THIS: This = This { id: thread::current().id(), next: Cell::new(0) };
}

/// How many numbers a thread takes at a time.
const NUMBERS: u64 = 1 << 16;

/// How often any has.
static BLOCKS: AtomicU64 = AtomicU64::new(0);

/// Twice as many as a process has lanes.
const PLACES: usize = 32;

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
        let text = chain(waits.number, &[(one, of_one.activities()), (other, of_other.activities())]);
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
