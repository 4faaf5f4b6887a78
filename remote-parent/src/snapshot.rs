use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use remote_protocol::sandbox::Report;
use serde::Serialize;

use crate::detach::DetachReason;
use crate::hub::Hub;
use crate::process;

/// The processes, frames and loaders of a parent at one moment, for diagnostics: it can be serialised, and prints as a few lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The processes, the main process first.
    pub processes: Vec<ProcessSnapshot>,
    /// The frames in them.
    pub frames: Vec<FrameSnapshot>,
    /// The loaders.
    pub loaders: Vec<LoaderSnapshot>,
    /// The processes that went last, at most 16, the last one last.
    pub gone: Vec<GoneSnapshot>,
}

/// What a snapshot has of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProcessSnapshot {
    /// The operating system's process id.
    pub pid: u32,
    /// Its number among all processes of the parent.
    pub serial: u32,
    /// What it was called.
    pub name: Option<String>,
    /// Whether it is a child; `false` for the main process.
    pub remote: bool,
    /// The walls around it, where it was asked to lock itself in.
    pub sandbox: Option<Report>,
    /// Whether it handles what it is sent.
    pub responsive: bool,
    /// What it was sent and is not known to have handled, in bytes.
    pub unhandled: u64,
    /// What it was sent and has handled, ever, in bytes.
    pub handled: u64,
    /// The last message of it that was handled.
    pub last_message: Option<&'static str>,
    /// How many remote objects it holds, by interface.
    pub objects: BTreeMap<String, usize>,
    /// How many callbacks of it are held, by where in its source they were made.
    pub callbacks: BTreeMap<String, usize>,
}

/// What a snapshot has of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FrameSnapshot {
    /// Its id.
    pub id: String,
    /// The process it is in, by its operating system's id.
    pub process: u32,
    /// Whether it is a tab.
    pub tab: bool,
}

/// What a snapshot has of a loader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoaderSnapshot {
    /// What it was called.
    pub name: String,
    /// The modules it has required, in order.
    pub modules: Vec<String>,
    /// How many listeners its lists' ports have.
    pub listeners: usize,
    /// Whether it has been asked to unload.
    pub unloading: bool,
}

/// What a snapshot has of a process that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GoneSnapshot {
    /// The operating system's process id that it had.
    pub pid: u32,
    /// Its number among all processes of the parent.
    pub serial: u32,
    /// What it was called.
    pub name: Option<String>,
    /// Why it went, as [`DetachReason`] says it.
    pub reason: String,
}

impl GoneSnapshot {
    pub(crate) fn new(process: &process::Shared, reason: &DetachReason) -> Self {
        let (id, name) = (process.id(), process.options().name.clone());
        Self { pid: id.pid(), serial: id.serial(), name, reason: reason.to_string() }
    }
}

impl Snapshot {
    pub(crate) fn of(hub: &Arc<Hub>) -> Self {
        let processes = hub.all_processes().into_iter().map(|process| {
            let connection = process.connection();
            let (unhandled, handled) = connection.with_session(|session| (session.unhandled(), session.progress()));
            let alive = connection.service().map(|service| service.alive()).unwrap_or_default();
            ProcessSnapshot {
                pid: process.id().pid(),
                serial: process.id().serial(),
                name: process.options().name.clone(),
                remote: process.is_remote(),
                sandbox: process.sandbox().cloned(),
                responsive: connection.is_responsive(),
                unhandled,
                handled,
                last_message: connection.last_heard().message,
                objects: alive.objects,
                callbacks: alive.callbacks,
            }
        });
        let frames = hub.all_frames().into_iter().map(|frame| FrameSnapshot {
            id: frame.id().to_string(),
            process: frame.process().id().pid(),
            tab: frame.is_tab(),
        });
        let loaders = hub.all_loaders().into_iter().map(|loader| LoaderSnapshot {
            name: loader.name.clone(),
            modules: loader.modules().iter().map(ToString::to_string).collect(),
            listeners: loader.listener_count(),
            unloading: loader.is_unloading(),
        });
        Self {
            processes: processes.collect(),
            frames: frames.collect(),
            loaders: loaders.collect(),
            gone: hub.gone_last(),
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for process in &self.processes {
            let ProcessSnapshot { pid, name, responsive, unhandled, last_message, objects, callbacks, sandbox, .. } =
                process;
            let name = name.as_deref().unwrap_or("unnamed");
            let state = if *responsive { "responsive" } else { "unresponsive" };
            let last = last_message.unwrap_or("nothing");
            write!(f, "process {pid} ({name}): {state}, {unhandled} bytes unhandled, last heard {last}")?;
            let (objects, callbacks): (usize, usize) = (objects.values().sum(), callbacks.values().sum());
            writeln!(f, ", {objects} objects, {callbacks} callbacks")?;
            if let Some(sandbox) = sandbox {
                writeln!(f, "  sandbox: {sandbox}")?;
            }
        }
        for FrameSnapshot { id, process, tab } in &self.frames {
            writeln!(f, "frame {id} in process {process}{}", if *tab { ", a tab" } else { "" })?;
        }
        for LoaderSnapshot { name, modules, listeners, .. } in &self.loaders {
            writeln!(f, "loader {name}: {} modules, {listeners} listeners", modules.len())?;
        }
        for GoneSnapshot { pid, name, reason, .. } in &self.gone {
            writeln!(f, "process {pid} ({}) is gone: {reason}", name.as_deref().unwrap_or("unnamed"))?;
        }
        Ok(())
    }
}
