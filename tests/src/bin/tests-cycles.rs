//! A parent of its own, whose children are this same program or one that is none: it starts them, lets them die in all ways and attack
//! it in some, and says what is left of them.

use std::env;
use std::error::Error;
use std::io::{Write, stdout};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use remote_parent::{DetachReason, FrameOptions, Parent, ProcessOptions, Transport, this_module};
use remote_protocol::call::{Release, ToParent as ObjectToParent};
use remote_protocol::id::{FrameId, LentId, LoaderId};
use remote_protocol::message::ToParent;
use tests::held::Held;
use tests::puppet::{Command, script};

fn main() -> Result<(), Box<dyn Error>> {
    remote_child::init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [cycles, transport, misfit, puppet] = arguments.as_slice() else {
        panic!("say how many cycles, over what, what is no child, and what attacks")
    };
    let cycles: usize = cycles.parse()?;
    #[cfg(target_os = "linux")]
    let transport = if transport == "lane" { Transport::Lane } else { Transport::Ipc };
    #[cfg(not(target_os = "linux"))]
    let transport = if transport == "lane" { return Err("not here".into()) } else { Transport::Ipc };
    let bad = Bad { transport, misfit, puppet };
    let parent = Parent::new()?;
    for module in ["mortal", "basics", "frames"] {
        parent.remote_require(&format!("tests::modules::{module}"), this_module!())?;
    }
    // What is made once stays, and so does what the allocator keeps.
    run(&parent, cycles / 4, &bad)?;
    let before = Held::settled(None)?;
    run(&parent, cycles, &bad)?;
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
fn run(parent: &Parent, cycles: usize, bad: &Bad<'_>) -> Result<(), Box<dyn Error>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= cycles {
                return Ok(());
            }
            cycle(parent, number, bad).map_err(|error| format!("cycle {number}: {error}"))?;
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

/// What to start that is no good.
struct Bad<'a> {
    transport: Transport,
    misfit: &'a str,
    puppet: &'a str,
}

/// Starts a child that dies in one of the ways.
fn cycle(parent: &Parent, number: usize, bad: &Bad<'_>) -> Result<(), Box<dyn Error>> {
    let processes = parent.processes();
    let options = ProcessOptions::new().transport(bad.transport);
    let way = number % 12;
    if way == 0 {
        // It dies before it has said hello.
        let how = if number.is_multiple_of(24) { "exits" } else { "aborts" };
        let started = processes.spawn_with(options.program(bad.misfit).argument(how));
        return if started.is_err() { Ok(()) } else { Err("it started".into()) };
    }
    if let Some(attack) = way.checked_sub(6) {
        let script = script(&[Command::Greet, attacks(bad.transport, attack)]);
        let process = processes.spawn_with(options.program(bad.puppet).argument("script").argument(script))?;
        let reason = process.wait(PATIENCE).ok_or("it does not go")?;
        return match reason {
            DetachReason::Violation(_) => Ok(()),
            other => Err(other.to_string().into()),
        };
    }
    let ways = ["", "aborts", "exits", "", "", ""];
    let process = processes.spawn_with(options.argument(ways[way]))?;
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

/// What a child is ended for.
fn attacks(transport: Transport, number: usize) -> Command {
    let release = vec![Release { id: LentId { slot: 7, generation: 0 }, count: 1 }];
    let message = match number {
        0 => ToParent::Object(ObjectToParent::Release(release.into())),
        1 => ToParent::Handled { cost: u64::MAX },
        2 => ToParent::Unloaded { loader: LoaderId(7) },
        3 => ToParent::FrameClosed { frame: FrameId::opened(7) },
        4 => return Command::Say { lane: 0, record: vec![0, 0xff, 0xff], times: 1 },
        _ if transport == Transport::Ipc => return Command::Say { lane: 0, record: Vec::new(), times: 1 },
        _ => return Command::Tell(vec![0xff]),
    };
    Command::Say { lane: 0, record: tests::raw::short(&message), times: 1 }
}

const PATIENCE: Duration = Duration::from_secs(20);
