use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use remote_protocol::call;
use remote_protocol::contain::contain;
use remote_protocol::endpoint::Pause;
use remote_protocol::id::{LaneId, LoaderId};
use remote_protocol::limits;
use remote_protocol::link::Link;
use remote_protocol::message::{ToChild, Trouble, Versions};
use remote_protocol::sandbox::Report;
use remote_protocol::state::Violation;
use remote_protocol::state::child::{Received, Session, Settings};

use crate::child::UnloadReason;
use crate::core::Core;
use crate::lanes::Lanes;

/// Runs the loop of a child on this thread until it ends. [`init`](crate::init) does so in a process of its own; this is for hosting a
/// child on a thread of another process, over a link in memory.
///
/// # Blocking
///
/// For the child's whole life.
pub fn run(link: Arc<dyn Link>, host: Host) -> Ended {
    let Ok(main) = link.open(LaneId::MAIN) else { return Ended::Disconnected };
    let (lanes, rx) = Lanes::new(Arc::clone(&link), main);
    let session = Session::new(Settings { application: host.application, sandbox: host.sandbox });
    let core = Core::new(session, host.shared, lanes, rx);
    Core::set_this_thread(Some(Rc::clone(&core)));
    let ended = run_core(&core);
    finish(&core, &ended);
    Core::set_this_thread(None);
    link.flush(Instant::now() + limits::STOP);
    link.close();
    ended
}

/// What a hosted child is given.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Host {
    /// The application's version: the parent's has to be the same.
    pub application: String,
    /// What the parent shares with its own modules; see [`Child::host`](crate::Child::host).
    pub shared: Option<HostShared>,
    /// The walls around this process.
    pub sandbox: Report,
}

/// Asks the parent for what it shares with its own modules, which may be later than the start of the main process.
pub type HostShared = Arc<dyn Fn() -> Option<Arc<dyn Any + Send + Sync>> + Send + Sync>;

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("application", &self.application).finish_non_exhaustive()
    }
}

/// Why a child's loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The parent asked it to, or it closed itself.
    Closed,
    /// The parent is gone.
    Disconnected,
    /// The parent has other versions.
    Refused {
        /// The child's.
        child: Versions<'static>,
        /// The parent's.
        parent: Versions<'static>,
    },
    /// The parent broke the protocol.
    Violation(Violation),
}

fn run_core(core: &Rc<Core>) -> Ended {
    core.session().borrow_mut().greet(std::process::id());
    let hello = core.session().borrow_mut().poll();
    core.send(hello);
    loop {
        // Only those that are there now: one that posts itself again must not keep messages waiting.
        for _ in 0..core.lanes.task_count() {
            if core.is_closing() {
                break;
            }
            let Some(task) = core.lanes.next_task() else { break };
            if let Err(message) = contain(|| task(core)) {
                core.report(LoaderId::FIRST, Trouble::TaskPanicked { message });
            }
        }
        if core.is_closing() {
            return Ended::Closed;
        }
        let step = match core.inlet().next_deferred() {
            Some(message) => handle_contained(core, &message),
            None => receive(core),
        };
        match step {
            Ok(Step::On) => {}
            Ok(Step::End(ended)) => return ended,
            Err(violation) => return Ended::Violation(violation),
        }
    }
}

enum Step {
    On,
    End(Ended),
}

/// Handles the next message, or waits for it.
fn receive(core: &Rc<Core>) -> Result<Step, Violation> {
    let next = match core.inlet().now() {
        None => {
            let message = core.session().borrow_mut().idle();
            core.send(message);
            let gathered = core.lanes.rest_or_gather();
            core.inlet().receive(gathered)
        }
        Some(next) => next,
    };
    match core.inlet().handle(next, |message| handle_contained(core, message)) {
        Ok(step) => step,
        Err(Pause::Woken | Pause::TimedOut) => Ok(Step::On),
        Err(Pause::Closed) => Ok(Step::End(Ended::Disconnected)),
        Err(Pause::Violation(violation)) => Err(violation),
    }
}

/// Listeners and the like are contained one by one; what is left are destructors of the application.
fn handle_contained(core: &Rc<Core>, message: &[u8]) -> Result<Step, Violation> {
    let mut cost = 0;
    let handled = contain(|| handle(core, message, &mut cost)).unwrap_or_else(|panic| {
        tracing::error!(%panic, "a destructor of the application panicked");
        Ok(Step::On)
    });
    // Also where a destructor panicked: else the window would be full in the end.
    if cost > 0 {
        let message = core.session().borrow_mut().handled(cost);
        core.send(message);
    }
    handled
}

fn contained(code: impl FnOnce()) {
    if let Err(panic) = contain(code) {
        tracing::error!(%panic, "a destructor of the application panicked");
    }
}

fn handle(core: &Rc<Core>, message: &[u8], cost: &mut u64) -> Result<Step, Violation> {
    let message = ToChild::decode(message)?;
    *cost = message.cost();
    let received = core.session().borrow_mut().receive(message)?;
    match received {
        Received::Ready(welcome) => core.welcomed(welcome),
        Received::Refused { child, parent } => return Ok(Step::End(Ended::Refused { child, parent })),
        Received::OpenLoader { loader } => core.open_loader(loader),
        Received::Unload { loader, reason } => core.unload(loader, &UnloadReason::Unloaded(reason.into_owned())),
        Received::Require { loader, module } => {
            core.loader(loader).ok_or(Violation::NoSuchLoader(loader))?.load(&module);
        }
        Received::Event(event) => {
            core.loader(event.loader).ok_or(Violation::NoSuchLoader(event.loader))?.tell(&event);
        }
        Received::FrameOpened { frame, tab } => drop(core.attach_frame(frame, tab, None)),
        Received::CloseFrame { frame } => core.close_frame(frame),
        Received::Object(call::ToChild::Return(answer)) => core.lanes.late(answer.call, answer.outcome),
        Received::Object(call::ToChild::Invoke(invoke)) => {
            if let Some(callbacks) = core.callbacks() {
                callbacks.invoke(invoke);
            }
        }
        Received::Object(call::ToChild::Run(run)) => core.run(run),
        Received::Object(call::ToChild::Release(releases)) => {
            if let Some(callbacks) = core.callbacks() {
                releases.iter().for_each(|release| callbacks.release(*release));
            }
            let message = core.session().borrow_mut().released();
            core.send(message);
        }
        Received::Object(call::ToChild::Released { batches }) => core.lanes.acknowledged(batches)?,
        Received::Close => return Ok(Step::End(Ended::Closed)),
        Received::Nothing => {}
    }
    Ok(Step::On)
}

/// Unloads everything, in the order that modules rely on: frames, handlers, then what they registered.
fn finish(core: &Rc<Core>, ended: &Ended) {
    let reason = match ended {
        Ended::Closed => UnloadReason::Shutdown,
        Ended::Disconnected | Ended::Refused { .. } | Ended::Violation(_) => UnloadReason::Disconnected,
    };
    core.set_ending();
    // The handlers that run now may wait for a thread that waits for a return, and nobody receives it any more.
    core.lanes.disconnected();
    contained(|| core.close_all_frames());
    for loader in core.all_loaders() {
        contained(|| loader.unload(&reason));
    }
    contained(|| core.extensions.end());
    contained(|| drop(core.lanes.end()));
    if *ended == Ended::Closed {
        let bye = core.session().borrow_mut().end();
        core.send(bye);
    }
    contained(|| drop(core.loaders.take()));
}
