use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use remote_parent::{FrameOptions, Frames, Parent, Process, ProcessId, ProcessOptions, Processes, Sandbox};

use crate::fonts;
use crate::interfaces::PageError;
use crate::tab::Tab;

/// The content processes, where pages are parsed, laid out and drawn: what documents do there does not reach the
/// parent.
///
/// Each shows one page at a time, so that one that crashes takes no other page along. They are started as they are
/// needed, and used again.
pub(crate) struct Contents {
    processes: Processes,
    frames: Frames,
    most: usize,
    state: Mutex<State>,
}

struct State {
    idle: Vec<Process>,
    busy: Vec<(Process, Arc<Tab>)>,
    /// When a page was last opened or closed.
    changed: Instant,
}

impl Contents {
    pub(crate) fn new(parent: &Parent, most: usize) -> Arc<Self> {
        let state = State { idle: Vec::new(), busy: Vec::new(), changed: Instant::now() };
        Arc::new(Self { processes: parent.processes(), frames: parent.frames(), most, state: Mutex::new(state) })
    }

    /// How many pages may be open at once.
    pub(crate) const fn most(&self) -> usize {
        self.most
    }

    /// Opens a page, shown by `tab`.
    pub(crate) fn open(&self, tab: &Arc<Tab>) -> Result<(), PageError> {
        let idle = {
            let mut state = self.state();
            state.changed = Instant::now();
            if state.busy.len() >= self.most {
                return Err(PageError::Misused(format!("{} windows are open, the most there may be", self.most)));
            }
            state.idle.pop()
        };
        let process = idle.map_or_else(|| self.start(), Ok)?;
        self.open_in(process, tab)
    }

    /// Opens the page of a process that is gone again, in a new process.
    pub(crate) fn open_again(&self, tab: &Arc<Tab>) -> Result<(), PageError> {
        self.open_in(self.start()?, tab)
    }

    /// Sends something to the page that `tab` shows; whoever waits there hears of it when it cannot be sent.
    pub(crate) fn send<P: serde::Serialize>(&self, tab: &Arc<Tab>, event: &str, payload: &P) {
        // Looked for each time: the tab stays when its frame goes, and may have got another one.
        let sent = match self.frames.for_element(tab) {
            Some(frame) => frame.port().emit(event, payload).map_err(|error| error.to_string()),
            None => Err("the frame is gone".to_owned()),
        };
        if let Err(reason) = sent {
            tab.fail(PageError::NoContent(reason));
        }
    }

    /// Closes a page. The next one may have its process.
    pub(crate) fn close(&self, tab: &Arc<Tab>) {
        if let Some(frame) = self.frames.for_element(tab) {
            frame.close();
        }
        let mut state = self.state();
        if let Some(index) = state.busy.iter().position(|(_, other)| Arc::ptr_eq(other, tab)) {
            let (process, _) = state.busy.swap_remove(index);
            state.idle.push(process);
            state.changed = Instant::now();
        }
    }

    /// The tab of the page that is open in a process.
    pub(crate) fn tab(&self, process: ProcessId) -> Option<Arc<Tab>> {
        let state = self.state();
        state.busy.iter().find(|(busy, _)| busy.id() == process).map(|(_, tab)| Arc::clone(tab))
    }

    /// Forgets a process that is gone; gives the tab of the page that went with it.
    pub(crate) fn forget(&self, process: ProcessId) -> Option<Arc<Tab>> {
        let mut state = self.state();
        state.idle.retain(|idle| idle.id() != process);
        let index = state.busy.iter().position(|(busy, _)| busy.id() == process)?;
        Some(state.busy.swap_remove(index).1)
    }

    /// Ends the processes whose pages take too long.
    pub(crate) fn end_overdue(&self) {
        let overdue: Vec<_> = self.state().busy.extract_if(.., |(_, tab)| tab.waits_for() > PATIENCE).collect();
        for (process, tab) in overdue {
            tab.fail(PageError::TooSlow(PATIENCE));
            process.kill();
        }
    }

    /// How long no page has been opened or closed.
    pub(crate) fn unchanged_for(&self) -> Duration {
        self.state().changed.elapsed()
    }

    /// Ends all processes but the main one, and waits until they are gone.
    pub(crate) fn close_all(&self) {
        let children: Vec<_> = self.processes.iter().filter(Process::is_remote).collect();
        for child in &children {
            child.close();
        }
        for child in &children {
            // One that does not end by itself is killed before that.
            let _ = child.wait(END);
        }
    }

    fn start(&self) -> Result<Process, PageError> {
        let started = self.processes.spawn_with(content());
        started.map_err(|error| PageError::NoContent(error.to_string()))
    }

    fn open_in(&self, process: Process, tab: &Arc<Tab>) -> Result<(), PageError> {
        let opened = self.frames.open(&process, FrameOptions::tab().element(Arc::clone(tab)));
        opened.map_err(|error| PageError::NoContent(error.to_string()))?;
        self.state().busy.push((process, Arc::clone(tab)));
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a page may take to be shown, or to be drawn.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const END: Duration = Duration::from_secs(5);

/// Documents may come from anywhere: what draws them is locked in.
fn content() -> ProcessOptions {
    let options = ProcessOptions::new().name("content");
    if cfg!(target_os = "linux") {
        options.argument(fonts::DRAWS).sandbox(Sandbox::strict())
    } else {
        options.argument(fonts::DRAWS)
    }
}
