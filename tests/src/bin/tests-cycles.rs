//! A parent of its own, whose children are this same program or one that is none: it starts them, lets them die in all ways, and says
//! what is left of them.

use std::env;
use std::error::Error;
use std::io::{Write, stdout};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use remote_parent::{DetachReason, FrameOptions, Parent, ProcessOptions, this_module};
use tests::held::Held;

fn main() -> Result<(), Box<dyn Error>> {
    remote_child::init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [cycles, misfit] = arguments.as_slice() else { panic!("say how many cycles, and what is no child") };
    let cycles: usize = cycles.parse()?;
    let parent = Parent::new()?;
    for module in ["mortal", "basics", "frames"] {
        parent.remote_require(&format!("tests::modules::{module}"), this_module!())?;
    }
    // What is made once stays, and so does what the allocator keeps.
    run(&parent, cycles / 4, misfit)?;
    let before = Held::settled(None)?;
    run(&parent, cycles, misfit)?;
    let after = Held::settled(Some(before))?;
    let left = (parent.processes().len(), parent.frames().len(), parent.snapshot().processes.len());
    parent.close()?;
    writeln!(
        stdout(),
        "{} {} {}",
        after.descriptors == before.descriptors,
        after.threads == before.threads,
        after.children == before.children
    )?;
    writeln!(stdout(), "{}", i128::from(after.kilobytes) - i128::from(before.kilobytes))?;
    writeln!(stdout(), "{left:?}")?;
    writeln!(stdout(), "{before:?} {after:?}")?;
    Ok(())
}

/// So many, on two threads.
fn run(parent: &Parent, cycles: usize, misfit: &str) -> Result<(), Box<dyn Error>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= cycles {
                return Ok(());
            }
            cycle(parent, number, misfit).map_err(|error| format!("cycle {number}: {error}"))?;
        }
    };
    let results = thread::scope(|scope| {
        let [one, other] = [scope.spawn(work), scope.spawn(work)];
        [one.join(), other.join()]
    });
    for result in results {
        result.map_err(|_| "a panic")??;
    }
    Ok(())
}

/// Starts a child that dies in one of the ways.
fn cycle(parent: &Parent, number: usize, misfit: &str) -> Result<(), Box<dyn Error>> {
    let processes = parent.processes();
    let way = number % 6;
    if way == 0 {
        // It dies before it has said hello.
        let how = if number.is_multiple_of(12) { "exits" } else { "aborts" };
        let started = processes.spawn_with(ProcessOptions::new().program(misfit).argument(how));
        return if started.is_err() { Ok(()) } else { Err("it started".into()) };
    }
    let ways = ["", "aborts", "exits", "", "", ""];
    let process = processes.spawn_with(ProcessOptions::new().argument(ways[way]))?;
    match way {
        // In its module, perhaps while this is done.
        1 | 2 => drop(parent.frames().open(&process, FrameOptions::tab())),
        3 => process.kill(),
        4 => process.close(),
        _ => {
            parent.frames().open(&process, FrameOptions::new())?;
            process.port().emit("discard", &vec![7u8; 10_000])?;
            process.kill();
        }
    }
    let reason = process.wait(PATIENCE).ok_or("it does not go")?;
    let expected = match way {
        1 => reason == DetachReason::Killed { signal: 6 },
        2 => reason == DetachReason::Exited { code: 7 },
        4 => reason == DetachReason::Closed,
        _ => reason == DetachReason::Killed { signal: 9 },
    };
    if expected { Ok(()) } else { Err(format!("{reason}").into()) }
}

const PATIENCE: Duration = Duration::from_secs(20);
