//! On which processors the two processes run.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize)]
pub enum Placement {
    /// Wherever the system puts them.
    Free,
    /// Each on a processor of its own.
    Apart,
    /// Both on one processor.
    Together,
    /// Free, and each call after a pause.
    Idle,
}

impl Placement {
    pub const ALL: [Self; 4] = [Self::Free, Self::Apart, Self::Together, Self::Idle];

    /// How the command line names it.
    pub fn argument(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The pause before each call.
    pub fn pause(self) -> Option<Duration> {
        (self == Self::Idle).then_some(Duration::from_micros(300))
    }

    /// [`pin`](Self::pin), for all threads that there are.
    pub fn pin_all(self, side: Side) -> anyhow::Result<()> {
        let Some(set) = self.set(side)? else { return Ok(()) };
        for task in std::fs::read_dir("/proc/self/task")? {
            let thread = task?.file_name().to_string_lossy().parse()?;
            sched_setaffinity(rustix::thread::Pid::from_raw(thread), &set)?;
        }
        Ok(())
    }

    /// Puts this process, which must have one thread, where the caller or the one that is called belongs.
    pub fn pin(self, side: Side) -> anyhow::Result<()> {
        if let Some(set) = self.set(side)? {
            sched_setaffinity(None, &set)?;
        }
        Ok(())
    }

    /// `None` when it does not matter.
    fn set(self, side: Side) -> anyhow::Result<Option<CpuSet>> {
        let processor = match (self, side) {
            (Self::Free | Self::Idle, _) => return Ok(None),
            (Self::Apart, Side::Caller) => 1,
            (Self::Apart | Self::Together, _) => 0,
        };
        let mut set = CpuSet::new();
        set.set(processor);
        Ok(Some(set))
    }

    /// Lets this process run everywhere again: what it starts pins itself.
    pub fn unpin() -> anyhow::Result<()> {
        let mut set = CpuSet::new();
        (0..std::thread::available_parallelism().map_or(2, usize::from)).for_each(|index| set.set(index));
        Ok(sched_setaffinity(None, &set)?)
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Free => "free",
            Self::Apart => "own core each",
            Self::Together => "one core",
            Self::Idle => "after 300 µs idle",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Is called.
    Server,
    Caller,
}
