//! What a process has of the system.

use std::error::Error;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// So much of each.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub descriptors: usize,
    pub threads: usize,
    pub kilobytes: u64,
    /// Children that nobody has waited for, and those that live.
    pub children: usize,
}

impl Held {
    /// Now.
    ///
    /// # Errors
    ///
    /// Where the system does not tell.
    pub fn now() -> Result<Self, Box<dyn Error>> {
        let status = fs::read_to_string("/proc/self/status")?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no size")?;
        let mut children = 0;
        for task in fs::read_dir("/proc/self/task")? {
            // A thread may have ended just now.
            let list = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
            children += list.split_whitespace().count();
        }
        Ok(Self {
            descriptors: fs::read_dir("/proc/self/fd")?.count(),
            threads: fs::read_dir("/proc/self/task")?.count(),
            kilobytes: memory.trim().trim_end_matches(" kB").parse()?,
            children,
        })
    }

    /// When it is what it was before, or for long has not been.
    ///
    /// # Errors
    ///
    /// As [`now`](Self::now).
    pub fn settled(before: Option<Self>) -> Result<Self, Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Self::now()?;
        let mut same = 0;
        loop {
            let enough = before.map_or(same >= 20, |before| last.counts() == before.counts());
            if enough || Instant::now() > deadline {
                return Ok(last);
            }
            thread::sleep(Duration::from_millis(10));
            let now = Self::now()?;
            same = if now.counts() == last.counts() { same + 1 } else { 0 };
            last = now;
        }
    }

    /// All but the memory: descriptors, threads, children.
    #[must_use]
    pub const fn counts(&self) -> (usize, usize, usize) {
        (self.descriptors, self.threads, self.children)
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
