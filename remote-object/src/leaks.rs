use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use remote_protocol::id::FrameId;
use remote_protocol::payload::Location;
use serde::Serialize;

/// What is alive across process boundaries, process by process: it can be serialised, and prints as a few lines.
///
/// A count that grows and an age that does too are a leak; the place in the source and the method say whose. The modules of the main
/// process hold objects and pass callbacks as they are, so of them there is nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Leaks {
    /// The processes of which anything is alive, oldest first.
    pub processes: Vec<ProcessLeaks>,
}

/// What is alive between the parent and one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProcessLeaks {
    /// The operating system's process id.
    pub pid: u32,
    /// Its number among all processes of the parent.
    pub serial: u32,
    /// Callbacks and functions of the process that the parent holds, by where they were made; most first.
    pub callbacks: Vec<CallbackLeaks>,
    /// Objects and buffers of the parent that the process holds, by interface; most first.
    pub objects: Vec<ObjectLeaks>,
}

/// Callbacks, or functions, that were made at one place and passed to one method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CallbackLeaks {
    /// How many.
    pub count: usize,
    /// How many of them are dead: their closures are gone, and the parent holds them all the same.
    pub dead: usize,
    /// Where in the child's source they were made, `file:line:column`.
    pub made_at: String,
    /// The frame whose context they end with; `None` where it is the loader's.
    pub frame: Option<String>,
    /// The method they were passed to first.
    pub passed_to: String,
    /// How long ago the oldest of them came.
    pub oldest: Duration,
}

/// Objects of one interface that were lent by one method or export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ObjectLeaks {
    /// How many.
    pub count: usize,
    /// Their interface.
    pub interface: String,
    /// The method, export, callback or function by which they were lent first.
    pub lent_by: String,
    /// How long ago the oldest of them was lent, to a tenth of a second.
    pub oldest: Duration,
}

impl Leaks {
    /// Whether nothing is alive.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing is alive across process boundaries");
        }
        for ProcessLeaks { pid, callbacks, objects, .. } in &self.processes {
            writeln!(f, "process {pid}:")?;
            for CallbackLeaks { count, dead, made_at, frame, passed_to, oldest } in callbacks {
                let s = if *count == 1 { "" } else { "s" };
                write!(f, "  {count} callback{s} made at {made_at}")?;
                if let Some(frame) = frame {
                    write!(f, " for frame {frame}")?;
                }
                write!(f, ", passed to {passed_to}")?;
                if *dead > 0 {
                    write!(f, ", {dead} dead")?;
                }
                writeln!(f, ", oldest {:.1} s", oldest.as_secs_f64())?;
            }
            for ObjectLeaks { count, interface, lent_by, oldest } in objects {
                let s = if *count == 1 { "" } else { "s" };
                writeln!(f, "  {count} {interface} object{s} lent by {lent_by}, oldest {:.1} s", oldest.as_secs_f64())?;
            }
        }
        Ok(())
    }
}

/// By what something crossed the boundary first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Via {
    /// A method of an interface, as an argument or a result.
    Method(&'static str, &'static str),
    /// A member that has no [`Method`](crate::interface::Method), likewise.
    Member(Arc<str>, Arc<str>),
    /// An export that was asked for.
    Root(Arc<str>),
    /// A callback, as its argument.
    Callback(Arc<Place>),
    /// A function, as its result.
    Result,
}

impl Via {
    /// A method that is not known, and so keeps nothing.
    pub(crate) const fn unknown() -> Self {
        Self::Method("?", "?")
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(interface, method) => write!(f, "{interface}::{method}"),
            Self::Member(object, member) => write!(f, "{object}::{member}"),
            Self::Root(root) => f.write_str(root),
            Self::Callback(place) => write!(f, "the callback made at {}", place.made_at),
            Self::Result => f.write_str("the result of a function"),
        }
    }
}

/// A place in the source of one process, as long as callbacks that were made there are held.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) made_at: Location<'static>,
    live: AtomicUsize,
    /// Past this many it is worth a warning.
    enough: AtomicUsize,
}

/// Only the same place is equal to it: what is held is counted there.
impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self).hash(state);
    }
}

impl Place {
    pub(crate) const fn new(made_at: Location<'static>) -> Self {
        Self { made_at, live: AtomicUsize::new(0), enough: AtomicUsize::new(FIRST_WARNING) }
    }

    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// One more is held; gives how many when that is worth a warning. Under the lock of the table that has it.
    pub(crate) fn add(&self) -> Option<usize> {
        let live = self.live.fetch_add(1, Ordering::Relaxed) + 1;
        let enough = self.enough.load(Ordering::Relaxed);
        if live <= enough {
            return None;
        }
        self.enough.store(enough.saturating_mul(10), Ordering::Relaxed);
        Some(live)
    }

    /// One less is held; gives whether it was the last. Under the lock of the table that has it.
    pub(crate) fn remove(&self) -> bool {
        self.live.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

/// What is counted together of callbacks: where they were made, for which frame, and what they were passed to.
type Made = (String, Option<String>, String);

/// What one process has, before it is grouped.
#[derive(Default)]
pub(crate) struct Census {
    callbacks: BTreeMap<Made, (usize, usize, Instant)>,
    objects: BTreeMap<(String, String), (usize, Instant)>,
}

impl Census {
    pub(crate) fn add_callback(
        &mut self,
        place: &Place,
        frame: Option<FrameId>,
        via: &Via,
        since: Instant,
        dead: bool,
    ) {
        let key = (place.made_at.to_string(), frame.map(|frame| frame.to_string()), via.to_string());
        let (count, all_dead, oldest) = self.callbacks.entry(key).or_insert((0, 0, since));
        *count += 1;
        *all_dead += usize::from(dead);
        *oldest = since.min(*oldest);
    }

    pub(crate) fn add_object(&mut self, interface: &str, via: &Via, since: Instant) {
        let (count, oldest) = self.objects.entry((interface.to_owned(), via.to_string())).or_insert((0, since));
        *count += 1;
        *oldest = since.min(*oldest);
    }

    /// `None` when there is nothing.
    pub(crate) fn leaks(self, pid: u32, serial: u32, now: Instant) -> Option<ProcessLeaks> {
        if self.callbacks.is_empty() && self.objects.is_empty() {
            return None;
        }
        let callbacks = self.callbacks.into_iter().map(|((made_at, frame, passed_to), (count, dead, oldest))| {
            let oldest = now.saturating_duration_since(oldest);
            CallbackLeaks { count, dead, made_at, frame, passed_to, oldest }
        });
        let objects = self.objects.into_iter().map(|((interface, lent_by), (count, oldest))| {
            let oldest = now.saturating_duration_since(oldest);
            ObjectLeaks { count, interface, lent_by, oldest }
        });
        let (mut callbacks, mut objects): (Vec<_>, Vec<_>) = (callbacks.collect(), objects.collect());
        callbacks.sort_by_key(|callbacks| std::cmp::Reverse(callbacks.count));
        objects.sort_by_key(|objects| std::cmp::Reverse(objects.count));
        Some(ProcessLeaks { pid, serial, callbacks, objects })
    }
}

/// So many callbacks that were made at one place are worth a warning; then ten times as many.
const FIRST_WARNING: usize = 100;
