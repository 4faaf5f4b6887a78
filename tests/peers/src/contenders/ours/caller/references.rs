//! What references cost: memory while they live, time when they come and go, wake-ups when they are given back.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use remote_child::{Child, Handle};
use remote_object::{ChildExt, Remote};

use crate::contenders::ours::{BATCH, BATCHES, Echo, FIGURES, Thing, resident};
use crate::measure::{Figures, Pace};
use crate::work::Releases;

/// Bytes of each of so many live references: in the parent as `p50`, and here as `mean`.
pub(super) fn live(echo: &dyn Echo, count: usize) -> anyhow::Result<Figures> {
    let mut held = Vec::with_capacity(count);
    // What is there once, whatever the number.
    drop(echo.things(0, BATCH)?);
    echo.echo(0)?;
    let (parent, here) = (echo.resident()?, resident()?);
    while held.len() < count {
        held.extend(echo.things(held.len(), BATCH)?);
    }
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 * 1024.0 / count as f64;
    let bytes = each(parent, echo.resident()?);
    let mean = each(here, resident()?);
    Ok(Figures { p50: bytes, p90: bytes, p99: bytes, mean, count: held.len() as u64 })
}

/// The time that a call which brings a new object takes beyond one that brings none; some of both are timed in turn.
pub(super) fn proxy(echo: &dyn Echo, pace: &Pace) -> anyhow::Result<Figures> {
    let mut nanos = Vec::new();
    let begin = Instant::now();
    let timed = |call: &dyn Fn() -> anyhow::Result<()>| {
        let begin = Instant::now();
        (0..CALLS).try_for_each(|_| call())?;
        anyhow::Ok(begin.elapsed().as_nanos() as f64 / f64::from(CALLS))
    };
    while begin.elapsed() < pace.within {
        let without = timed(&|| Ok(echo.nothing()?))?;
        let with = timed(&|| {
            drop(black_box(echo.thing()?));
            Ok(())
        })?;
        // The first tenth warms up.
        if begin.elapsed() > pace.within / 10 {
            nanos.push(with - without);
        }
    }
    let count = nanos.len() as u64 * u64::from(CALLS);
    Ok(Figures::of(nanos, count))
}

/// Calls that are timed together.
const CALLS: u32 = 200;

/// Drops proxies, in batches, and tells the parent the figures: its wake-ups for each batch as `p50`, and those of this process as `mean`.
pub(super) fn releases(child: &Child, who: usize) {
    let echo = child.remote().require::<dyn Echo>("echo");
    let handle = child.handle();
    thread::spawn(move || {
        let figures = echo.map_err(anyhow::Error::from).and_then(|echo| wake_ups(&*echo, &handle, who));
        let figures = figures.map_err(|error| format!("{error:#}"));
        let told = handle.run(move |child| child.process().port().emit(FIGURES, &figures).expect("the parent waits"));
        told.expect("the loop runs");
    });
}

fn wake_ups(echo: &dyn Echo, handle: &Handle, who: usize) -> anyhow::Result<Figures> {
    let held: Vec<Vec<Remote<dyn Thing>>> =
        (0..BATCHES).map(|batch| echo.things(batch * BATCH, BATCH)).collect::<Result<_, _>>()?;
    // Asking wakes somebody, too.
    let asking = echo.wake_ups()?;
    thread::sleep(PAUSE);
    let (parent, here) = (echo.wake_ups()?, crate::contenders::ours::switches()?);
    let asking = parent - asking;
    for batch in held {
        if who == Releases::ByLoop as usize {
            handle.run(move |_| drop(batch))?;
        } else {
            drop(batch);
        }
        thread::sleep(PAUSE);
    }
    // This thread's own waking is one for each.
    let here = crate::contenders::ours::switches()?.saturating_sub(here + BATCHES as u64);
    let parent = echo.wake_ups()?.saturating_sub(parent + asking);
    let each = |wake_ups: u64| wake_ups as f64 / BATCHES as f64;
    Ok(Figures { p50: each(parent), p90: each(parent), p99: each(parent), mean: each(here), count: BATCHES as u64 })
}

/// Long enough for everybody to fall asleep.
const PAUSE: Duration = Duration::from_millis(10);
