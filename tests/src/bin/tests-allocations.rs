//! A parent and a child, this same program, that count what they allocate while the one calls the other.

use std::alloc::System;
use std::error::Error;
use std::io::{Write, stdout};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use remote_child::Child;
use remote_object::{CallError, ChildExt, Exports};
use remote_parent::{Event, Parent, this_module};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[remote_object::interface]
trait Counter: Send + Sync {
    fn add(&self, one: u64, other: u64) -> Result<u64, CallError>;
    /// How often the parent has allocated something.
    fn allocations(&self) -> Result<u64, CallError>;
}

struct Adding;

impl Counter for Adding {
    fn add(&self, one: u64, other: u64) -> Result<u64, CallError> {
        Ok(one + other)
    }

    fn allocations(&self) -> Result<u64, CallError> {
        Ok(allocations())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    remote_child::init();
    let parent = Parent::new()?;
    let exports = Exports::new();
    exports.module::<dyn Counter>("counter", Arc::new(Adding))?;
    exports.serve(&parent)?;
    let (tell, counted) = channel();
    parent.processes().port().on(COUNTED, move |_process, counts| tell.send(counts).unwrap_or(()));
    parent.remote_require("tests_allocations", this_module!())?;
    let _child = parent.processes().spawn()?;
    let (child, parents) = counted.recv_timeout(PATIENCE)?;
    writeln!(stdout(), "{child} in the child, {parents} in the parent")?;
    Ok(parent.close()?)
}

remote_child::register_module!(count);
fn count(child: &Child) -> Result<(), Box<dyn Error>> {
    let process = child.process();
    if !process.is_remote() {
        return Ok(());
    }
    let counter = child.remote().require::<dyn Counter>("counter")?;
    // Buffers have grown by then to what they need.
    call(&*counter, 100)?;
    // What runs beside the calls, at the start of a process, may allocate: once it does not, it is known that calls do not.
    let mut fewest = (u64::MAX, u64::MAX);
    for _ in 0..20 {
        let (parents, own) = (counter.allocations()?, allocations());
        call(&*counter, 1000)?;
        fewest = fewest.min((allocations() - own, counter.allocations()? - parents));
    }
    process.port().emit(COUNTED, &fewest)?;
    Ok(())
}

fn call(counter: &dyn Counter, times: u64) -> Result<(), CallError> {
    (0..times).try_for_each(|number| counter.add(number, u64::MAX / 2).map(drop))
}

fn allocations() -> u64 {
    let stats = ALLOCATOR.stats();
    (stats.allocations + stats.reallocations) as u64
}

/// In the child, and in the parent.
const COUNTED: Event<(u64, u64)> = Event::new("counted");

const PATIENCE: Duration = Duration::from_secs(20);
