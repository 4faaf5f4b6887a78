//! A parent of its own, whose children are this same program, that does nothing for a while, and says which threads do.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{Write, stdout};
use std::sync::mpsc::channel;
use std::time::Duration;

use remote_parent::{Deadlines, Parent, ParentOptions, Process, this_module};
use tests::gate::Gate;
use tests::modules::answer_to;

fn main() -> Result<(), Box<dyn Error>> {
    remote_child::init();
    let deadlines =
        Deadlines { unresponsive: Duration::from_millis(200), start: PATIENCE, stop: PATIENCE, ..Deadlines::default() };
    let parent = Parent::with_options(ParentOptions::new().deadlines(deadlines))?;
    for module in ["basics", "ending", "frames"] {
        parent.remote_require(&format!("tests::modules::{module}"), this_module!())?;
    }
    let children = (0..4).map(|_| parent.processes().spawn()).collect::<Result<Vec<Process>, _>>()?;
    for child in &children {
        parent.frames().open(child, remote_parent::FrameOptions::tab())?;
        sync(child)?;
    }
    let gate = Gate::new();
    children[0].port().emit("get stuck", &gate.address())?;
    let waiting = gate.arrival();
    let watching = busy(&[])?.keys().any(|thread| thread.contains("watchdog"));
    writeln!(stdout(), "{} while something is outstanding", if watching { "busy" } else { "quiet" })?;
    waiting.let_go();
    sync(&children[0])?;
    // What was under way comes to an end, sooner or later; what runs by the clock does not.
    let mut busy_now = BTreeMap::new();
    for _ in 0..5 {
        busy_now = busy(&children)?;
        if busy_now.is_empty() {
            break;
        }
    }
    writeln!(
        stdout(),
        "{} afterwards",
        if busy_now.is_empty() { "quiet".to_owned() } else { format!("{busy_now:?}") }
    )?;
    Ok(parent.close()?)
}

/// The threads that run within a second, in this process, but for this one, and in its children; and how often they do.
fn busy(children: &[Process]) -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let own = std::process::id();
    let pids: Vec<u32> = children.iter().map(|child| child.id().pid()).chain([own]).collect();
    let before = switches(&pids)?;
    let (tell, nothing) = channel::<()>();
    assert!(nothing.recv_timeout(Duration::from_secs(1)).is_err(), "nobody says anything");
    drop(tell);
    let mut after = switches(&pids)?;
    for (thread, count) in &mut after {
        *count -= before.get(thread).copied().unwrap_or(0);
    }
    after.retain(|thread, count| *count > 0 && !thread.starts_with(&format!("{own}/{own} ")));
    Ok(after)
}

fn switches(pids: &[u32]) -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let mut switches = BTreeMap::new();
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?;
            // It may have ended just now.
            let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let name = field("Name:").unwrap_or("unnamed");
            let count = field("voluntary_ctxt_switches:").ok_or("no count of switches")?.parse()?;
            switches.insert(format!("{pid}/{} {name}", task.file_name().to_string_lossy()), count);
        }
    }
    Ok(switches)
}

fn sync(process: &Process) -> Result<(), Box<dyn Error>> {
    let (tell, answered) = channel();
    process.port().once(&answer_to("sync"), move |_process, _: Result<(), String>| tell.send(()).unwrap_or(()));
    process.port().emit("sync", &())?;
    Ok(answered.recv_timeout(PATIENCE)?)
}

const PATIENCE: Duration = Duration::from_secs(20);
