//! Times calls. What is timed is short, so that calls are timed in batches; a figure is a batch's mean.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How a piece of work went, in nanoseconds for each call.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub mean: f64,
    /// Calls that were timed.
    pub count: u64,
}

impl Figures {
    /// The percentiles of these times.
    pub fn of(mut nanos: Vec<f64>, count: u64) -> Self {
        nanos.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (nanos.len().saturating_sub(1) as f64 * share).round() as usize;
            nanos.get(index).copied().unwrap_or(f64::NAN)
        };
        let mean = nanos.iter().sum::<f64>() / nanos.len().max(1) as f64;
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), mean, count }
    }
}

/// How long and how often is measured.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub within: Duration,
    /// Pause before each call, which is then timed alone: the peer has gone to sleep.
    pub idle: Option<Duration>,
}

/// Calls in a batch.
const BATCH: u32 = 32;

impl Pace {
    /// Calls `call` until the time is over; a tenth of it is for warming up.
    pub fn measure(&self, mut call: impl FnMut(u64) -> anyhow::Result<()>) -> anyhow::Result<Figures> {
        let mut number = 0;
        let mut next = || {
            number += 1;
            number
        };
        let warm = Instant::now() + self.within / 10;
        while Instant::now() < warm {
            call(next())?;
        }
        let batch = if self.idle.is_some() { 1 } else { BATCH };
        let mut nanos = Vec::with_capacity(1 << 16);
        let end = Instant::now() + self.within;
        while Instant::now() < end {
            if let Some(idle) = self.idle {
                std::thread::sleep(idle);
            }
            let begin = Instant::now();
            for _ in 0..batch {
                call(next())?;
            }
            nanos.push(begin.elapsed().as_nanos() as f64 / f64::from(batch));
        }
        let count = nanos.len() as u64 * u64::from(batch);
        Ok(Figures::of(nanos, count))
    }

    /// [`measure`](Self::measure), each call timed alone.
    pub fn measure_each(&self, mut call: impl FnMut(u64) -> anyhow::Result<()>) -> anyhow::Result<Figures> {
        let mut nanos = Vec::new();
        let begin = Instant::now();
        for number in 0.. {
            let one = Instant::now();
            call(number)?;
            // The first tenth warms up.
            if begin.elapsed() > self.within / 10 {
                nanos.push(one.elapsed().as_nanos() as f64);
            }
            if begin.elapsed() > self.within {
                break;
            }
        }
        let count = nanos.len() as u64;
        Ok(Figures::of(nanos, count))
    }

    /// Has so many messages sent at once, again and again; the time of each is its share.
    pub fn measure_bulk(&self, mut send: impl FnMut(u64) -> anyhow::Result<()>) -> anyhow::Result<Figures> {
        let each = self.measure_each(|_| send(BULK))?;
        let share = |nanos: f64| nanos / BULK as f64;
        Ok(Figures {
            p50: share(each.p50),
            p90: share(each.p90),
            p99: share(each.p99),
            mean: share(each.mean),
            count: each.count * BULK,
        })
    }
}

/// Messages that are sent at once.
const BULK: u64 = 10_000;

/// Looks at every byte, a word at a time, as quickly as memory allows.
pub fn read_all(bytes: &[u8]) {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_ne_bytes(*word)));
    black_box(rest.iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte))));
}
