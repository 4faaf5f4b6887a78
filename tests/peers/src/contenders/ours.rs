//! remote: a child calls an object of its parent, and they send each other events.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use remote_object::{CallError, Exports, Remote, RemoteBuffer};
use remote_parent::{Event, Limits, Parent, ParentOptions, Process, ProcessOptions, Sandbox, Transport, this_module};
use serde::{Deserialize, Serialize};

use crate::measure::Figures;
use crate::pair::{Pair, print};
use crate::placement::Side;
use crate::work::{REFERENCES, Work};

mod caller;

/// What is called.
#[remote_object::interface]
pub trait Echo: Send + Sync {
    fn echo(&self, number: u64) -> Result<u64, CallError>;
    /// Takes 10 µs.
    fn work(&self, number: u64) -> Result<u64, CallError>;
    fn buffer(&self) -> Result<RemoteBuffer, CallError>;
    /// A new object.
    fn thing(&self) -> Result<Remote<dyn Thing>, CallError>;
    /// Makes one as well, and keeps it to itself.
    fn nothing(&self) -> Result<(), CallError>;
    /// Some of the objects that there are from the beginning.
    fn things(&self, from: usize, count: usize) -> Result<Vec<Remote<dyn Thing>>, CallError>;
    /// The memory of this process, in KiB.
    fn resident(&self) -> Result<u64, CallError>;
    /// How often threads of this process were woken.
    fn wake_ups(&self) -> Result<u64, CallError>;
}

/// What references refer to.
#[remote_object::interface]
pub trait Thing: Send + Sync {
    fn number(&self) -> Result<u64, CallError>;
}

struct Numbered(u64);

impl Thing for Numbered {
    fn number(&self) -> Result<u64, CallError> {
        Ok(self.0)
    }
}

struct Plain {
    bytes: Arc<[u8]>,
    /// The one that is given again and again; without it, each is a new one.
    buffer: Option<RemoteBuffer>,
    things: Vec<Arc<dyn Thing>>,
}

impl Echo for Plain {
    fn echo(&self, number: u64) -> Result<u64, CallError> {
        Ok(number)
    }

    fn work(&self, number: u64) -> Result<u64, CallError> {
        let end = Instant::now() + Duration::from_micros(10);
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        Ok(number)
    }

    fn buffer(&self) -> Result<RemoteBuffer, CallError> {
        Ok(self.buffer.clone().unwrap_or_else(|| Arc::clone(&self.bytes).into()))
    }

    fn thing(&self) -> Result<Remote<dyn Thing>, CallError> {
        let thing: Arc<dyn Thing> = Arc::new(Numbered(0));
        Ok(thing.into())
    }

    fn nothing(&self) -> Result<(), CallError> {
        let thing: Arc<dyn Thing> = Arc::new(Numbered(0));
        drop(std::hint::black_box(thing));
        Ok(())
    }

    fn things(&self, from: usize, count: usize) -> Result<Vec<Remote<dyn Thing>>, CallError> {
        Ok(self.things.iter().skip(from).take(count).cloned().map(Remote::from).collect())
    }

    fn resident(&self) -> Result<u64, CallError> {
        Ok(resident().unwrap_or(0))
    }

    fn wake_ups(&self) -> Result<u64, CallError> {
        Ok(switches().unwrap_or(0))
    }
}

/// What the caller is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    work: Work,
    size: usize,
    millis: u64,
    placement: crate::placement::Placement,
}

/// 64 bytes, a number among them.
type Load = (u64, [u64; 7]);

const ORDER: Event<Order> = Event::new("order");
const FIGURES: Event<Result<Figures, String>> = Event::new("figures");
const ONE_WAY: Event<Load> = Event::new("one-way");
/// To call without end.
const FLOOD: Event<()> = Event::new("flood");

pub fn serve(pair: &Pair, transport: Transport) -> anyhow::Result<()> {
    match pair.work {
        Work::Broadcast => broadcast(pair, transport),
        Work::Spawn => spawn(pair, ProcessOptions::new().transport(transport)),
        Work::StrictSpawn => spawn(pair, ProcessOptions::new().transport(transport).sandbox(Sandbox::strict())),
        Work::Idle => idle(pair, transport),
        _ => called(pair, transport),
    }
}

/// The child does the work, and times it.
fn called(pair: &Pair, transport: Transport) -> anyhow::Result<()> {
    let stage = Stage::new(transport)?;
    let exports = Exports::new();
    let bytes: Arc<[u8]> = match pair.work {
        Work::Buffer | Work::BufferAgain | Work::FirstByte => vec![7; pair.size].into(),
        _ => Arc::default(),
    };
    let buffer = (pair.work != Work::Buffer).then(|| Arc::clone(&bytes).into());
    let things = match pair.work {
        Work::References => pair.size,
        Work::Releases => BATCHES * BATCH,
        _ => 0,
    };
    let things = (0..things as u64).map(|number| Arc::new(Numbered(number)) as Arc<dyn Thing>).collect();
    exports.module::<dyn Echo>("echo", Arc::new(Plain { bytes, buffer, things }))?;
    exports.serve(&stage.parent)?;
    let (tell, told) = channel();
    stage.parent.processes().port().on(FIGURES, move |_process, figures| drop(tell.send(figures)));
    stage.parent.processes().port().on(ONE_WAY, |_process, load: Load| _ = std::hint::black_box(load));
    let child = stage.spawn()?;
    let others = if pair.work == Work::Witness { pair.size } else { 0 };
    let others: Vec<_> = (0..others).map(|_| stage.spawn()).collect::<Result<_, _>>()?;
    others.iter().try_for_each(|other| other.port().emit(FLOOD, &()))?;
    let Pair { work, size, millis, placement, .. } = pair.clone();
    child.port().emit(ORDER, &Order { work, size, millis, placement })?;
    let figures = told.recv()?.map_err(anyhow::Error::msg)?;
    print(&figures)?;
    // They would not end by themselves.
    others.iter().for_each(Process::kill);
    Ok(stage.parent.close()?)
}

/// To all children at once, and an answer from each; who waits is told of the last one.
fn broadcast(pair: &Pair, transport: Transport) -> anyhow::Result<()> {
    let stage = Stage::new(transport)?;
    let (tell, told) = channel();
    let missing = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&missing);
    stage.parent.processes().port().on(ONE_WAY, move |_process, (number, _): Load| {
        if counted.fetch_sub(1, Ordering::Relaxed) == 1 {
            let _ = tell.send(number);
        }
    });
    let children: Vec<_> = (0..pair.size).map(|_| stage.spawn()).collect::<Result<_, _>>()?;
    let figures = pair.pace().measure_each(|number| {
        missing.store(pair.size, Ordering::Relaxed);
        for child in &children {
            child.port().emit(ONE_WAY, &(number, [7; 7]))?;
        }
        anyhow::ensure!(told.recv()? == number, "an answer of another round");
        Ok(())
    })?;
    print(&figures)?;
    Ok(stage.parent.close()?)
}

/// From asking for a child to its being attached. Its end is not timed.
fn spawn(pair: &Pair, options: ProcessOptions) -> anyhow::Result<()> {
    let parent = Parent::new()?;
    let end = Instant::now() + pair.pace().within;
    let mut nanos = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        let child = parent.processes().spawn_with(options.clone())?;
        nanos.push(begin.elapsed().as_nanos() as f64);
        child.close();
        child.wait(Duration::from_secs(5)).context("it ends")?;
    }
    let count = nanos.len() as u64;
    print(&Figures::of(nanos, count))?;
    Ok(parent.close()?)
}

/// Wake-ups a second of the parent, as `p50`, and the memory that each child adds to it in KiB, as `mean`.
fn idle(pair: &Pair, transport: Transport) -> anyhow::Result<()> {
    let stage = Stage::new(transport)?;
    let _first = stage.spawn()?;
    let before = resident()?;
    let _children: Vec<_> = (0..pair.size).map(|_| stage.spawn()).collect::<Result<_, _>>()?;
    // What they said at their start has been handled.
    std::thread::sleep(Duration::from_millis(500));
    let each = (resident()?.saturating_sub(before)) as f64 / pair.size.max(1) as f64;
    let (begin, asleep) = (Instant::now(), switches()?);
    std::thread::sleep(pair.pace().within);
    // This thread's own waking is one.
    let woken = switches()?.saturating_sub(asleep + 1) as f64 / begin.elapsed().as_secs_f64();
    print(&Figures { p50: woken, p90: woken, p99: woken, mean: each, count: pair.size as u64 })?;
    Ok(stage.parent.close()?)
}

struct Stage {
    parent: Parent,
    transport: Transport,
    ready: Receiver<()>,
}

impl Stage {
    fn new(transport: Transport) -> anyhow::Result<Self> {
        let parent = Parent::with_options(ParentOptions::new().limits(Limits::new().references(2 * REFERENCES)))?;
        parent.processes().on_error(|process, error| eprintln!("process {}: {error}", process.id()));
        let (tell, ready) = channel();
        parent.processes().port().on("ready", move |process: &Process, ()| {
            if process.is_remote() {
                let _ = tell.send(());
            }
        });
        parent.remote_require("peers::contenders::ours::caller", this_module!())?;
        Ok(Self { parent, transport, ready })
    }

    /// A child whose module is loaded.
    fn spawn(&self) -> anyhow::Result<Process> {
        let child = self.parent.processes().spawn_with(ProcessOptions::new().transport(self.transport))?;
        self.ready.recv()?;
        Ok(child)
    }
}

/// In KiB.
fn resident() -> anyhow::Result<u64> {
    number(&fs::read_to_string("/proc/self/status")?, "VmRSS:")
}

/// How often the threads of this process went to sleep and were woken.
fn switches() -> anyhow::Result<u64> {
    let mut all = 0;
    for task in fs::read_dir("/proc/self/task")? {
        all += number(&fs::read_to_string(task?.path().join("status"))?, "voluntary_ctxt_switches:")?;
    }
    Ok(all)
}

fn number(status: &str, name: &str) -> anyhow::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    Ok(line.split_whitespace().next().context("a number")?.parse()?)
}

/// Proxies that are dropped at once, and how often.
const BATCH: usize = 1000;
const BATCHES: usize = 50;

/// Where the threads of the child belong.
const SIDE: Side = Side::Caller;
