//! The nine goals, and whether this run held them.

use std::fmt::{self, Write as _};

use crate::placement::Placement;
use crate::report::number;
use crate::run::Results;
use crate::work::{REFERENCES, Releases, Work};

/// Ours, as it is by default.
const OURS: &str = "remote-lane";
const PORTABLE: &str = "remote-ipc";

/// A measurable part of a goal.
struct Part {
    goal: u8,
    what: String,
    found: Option<f64>,
    /// At most, or at least.
    target: f64,
    at_least: bool,
    unit: &'static str,
}

impl Part {
    fn verdict(&self) -> &'static str {
        match self.found {
            None => "not measured",
            Some(found) if (found <= self.target) != self.at_least || (found - self.target).abs() < f64::EPSILON => {
                "held"
            }
            Some(_) => "missed",
        }
    }
}

pub fn write(text: &mut String, results: &Results) -> fmt::Result {
    writeln!(text, "\nThe nine goals\n")?;
    for part in parts(results) {
        let found = part.found.map_or_else(|| "–".to_owned(), |found| format!("{}{}", number(found), part.unit));
        let bound = if part.at_least { "at least" } else { "at most" };
        writeln!(
            text,
            "{} {:68} {found:>12}  {bound:8} {:>8}  {}",
            part.goal,
            part.what,
            format!("{}{}", number(part.target), part.unit),
            part.verdict()
        )?;
    }
    Ok(())
}

fn parts(results: &Results) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut part = |goal, what: &str, found, target, unit| {
        parts.push(Part { goal, what: what.to_owned(), found, target, at_least: false, unit });
    };
    let call = |reference, placement| results.ratio(OURS, reference, Work::Call, 0, placement);
    let median = |name, placement| results.median(name, Work::Call, 0, placement);
    let other = |name, work, size| results.median(name, work, size, Placement::Free);
    let quotient = |one: Option<f64>, other: Option<f64>| Some(one? / other?);

    part(1, "call, own core each, to the spinning limit", call("spinning", Placement::Apart), 1.5, "×");
    let polling = quotient(median(OURS, Placement::Free), median("iceoryx2-polling", Placement::Free));
    part(1, "call, free, to iceoryx2 looking all the time", polling, 1.0, "×");
    part(1, "call, one core, to the futex floor", call("futex", Placement::Together), 1.2, "×");
    part(1, "call, after idle, to the futex floor", call("futex", Placement::Idle), 1.2, "×");
    for placement in Placement::ALL {
        let what = format!("call, {placement}, to ipc-channel with open channels");
        part(1, &what, call("ipc-channel", placement), 1.0, "×");
    }
    for name in ["tarpc", "capnp-rpc", "zbus", "tonic", "remoc", "rmi"] {
        let what = format!("call, free, to {name}");
        part(1, &what, quotient(median(OURS, Placement::Free), median(name, Placement::Free)), 1.0 / 15.0, "×");
    }
    for placement in Placement::ALL {
        let what = format!("call over the portable transport, {placement}, to ipc-channel");
        part(1, &what, results.ratio(PORTABLE, "ipc-channel", Work::Call, 0, placement), 1.15, "×");
    }
    let dynamic = quotient(other(OURS, Work::Dynamic, 0), median(OURS, Placement::Free));
    part(2, "dynamic call, to the typed one", dynamic, 2.0, "×");
    let floor = |work, size| results.ratio(OURS, "futex", work, size, Placement::Free);
    part(3, "one-way event, to the ring", floor(Work::OneWay, 0), 3.0, "×");
    for (work, what) in [(Work::Buffer, "64 MiB"), (Work::BufferAgain, "64 MiB that were given before")] {
        part(4, &format!("{what}, all of it read, to memcpy"), floor(work, 64 << 20), 1.5, "×");
    }
    let first = other(OURS, Work::FirstByte, 64 << 20).map(|nanos| nanos / 1e3);
    part(4, "64 MiB that were given before, first byte", first, 20.0, " µs");
    part(5, "broadcast to 64 and all answers, to the futex floor", floor(Work::Broadcast, 64), 1.5, "×");
    let growth =
        quotient(other(OURS, Work::Broadcast, 64), other(OURS, Work::Broadcast, 4)).map(|growth| growth / 16.0);
    part(5, "broadcast, a child's share among 64 to that among 4", growth, 1.0, "×");
    part(6, "spawn to attached, to running the program and exiting", floor(Work::Spawn, 0), 1.2, "×");
    part(7, "a live reference, of 1,000,000", other(OURS, Work::References, REFERENCES), 100.0, " B");
    part(7, "making and dropping a proxy, beyond its call", other(OURS, Work::Proxy, 0), 100.0, " ns");
    for (who, what) in [(Releases::ByLoop, "the loop"), (Releases::ByThread, "another thread")] {
        let what = format!("wake-ups for a batch of releases, by {what}");
        part(7, &what, other(OURS, Work::Releases, who as usize), 1.0, "");
    }
    let idle = results.get(OURS, Work::Idle, 64, Placement::Free);
    let wakes = idle.and_then(|measured| crate::run::median(measured.rounds.iter().map(|figures| figures.p50)));
    part(8, "wake-ups of an idle parent with 64 children", wakes, 0.0, "/s");
    let memory = idle.and_then(|measured| crate::run::median(measured.rounds.iter().map(|figures| figures.mean)));
    part(8, "memory that an idle child adds to its parent", memory, 256.0, " KiB");
    for (work, what) in [(Work::Threads, "do nothing"), (Work::WorkingThreads, "are 10 µs of work")] {
        parts.push(Part {
            goal: 9,
            what: format!("calls per second of two threads, to one; calls {what}"),
            found: quotient(other(OURS, work, 1), other(OURS, work, 2)),
            target: 1.0,
            at_least: true,
            unit: "×",
        });
    }
    parts
}
