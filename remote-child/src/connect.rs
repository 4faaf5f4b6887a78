use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use remote_protocol::link::Link;
use remote_protocol::sandbox::{Report, Sandbox};
use remote_transport::ipc;

use crate::driver::{Ended, Host, run};
use crate::lockdown::lock_down;

/// The first argument of every child process; the second says how to reach the parent. To be locked in, a child is told by its first
/// argument, behind a `=`.
///
/// An argument, and not an environment variable: what a child starts itself would inherit that, and take itself for a child.
pub const CHILD_ARGUMENT: &str = "--remote-child";

/// Makes this process a child if a parent started it as one; then it never returns. Otherwise does nothing but remember that the program can be
/// started as a child.
///
/// Call it first thing in `main`, before threads are started and arguments are read.
pub fn init() {
    Init::new().run();
}

/// [`init`] with options.
#[derive(Default)]
#[must_use = "nothing happens before `run`"]
pub struct Init {
    version: String,
    before_lockdown: Option<Box<dyn FnOnce()>>,
}

impl Init {
    /// What [`init`] does.
    pub const fn new() -> Self {
        Self { version: String::new(), before_lockdown: None }
    }

    /// The application's version, in any form. Parents start only children of their own version.
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// What a child process does before it is locked in, in every process that becomes a child, sandboxed or not: this is the time to open
    /// files that are needed later, to read fonts and time zones, to ask for the names of things. What it opens stays open.
    ///
    /// It must not start a thread: most of the walls would not be around that, and where they are [required](Sandbox::require), the process
    /// is not started. If it panics, the process is not started either.
    ///
    /// ```
    /// use std::sync::OnceLock;
    ///
    /// static HOSTS: OnceLock<String> = OnceLock::new();
    ///
    /// remote_child::Init::new()
    ///     .before_lockdown(|| {
    ///         HOSTS.get_or_init(|| std::fs::read_to_string("/etc/hosts").unwrap_or_default());
    ///     })
    ///     .run();
    /// ```
    pub fn before_lockdown(mut self, open: impl FnOnce() + 'static) -> Self {
        self.before_lockdown = Some(Box::new(open));
        self
    }

    /// See [`init`].
    pub fn run(self) {
        INITIALISED.store(true, Ordering::Release);
        let mut arguments = env::args_os().skip(1);
        let Some(mark) = arguments.next().as_deref().and_then(OsStr::to_str).and_then(Mark::of) else { return };
        CHILD.store(true, Ordering::Release);
        let address = arguments.next();
        let code = match (mark, address.as_deref().and_then(OsStr::to_str)) {
            (Mark::Child(sandbox), Some(address)) => self.run_child(address, sandbox.as_ref()),
            (Mark::Unreadable, _) => {
                complain("started as a child in a sandbox that is not known here");
                exit::UNREACHABLE
            }
            (_, None) => {
                complain("started as a child without an address");
                exit::UNREACHABLE
            }
        };
        process::exit(code);
    }

    fn run_child(self, address: &str, sandbox: Option<&Sandbox>) -> i32 {
        #[cfg(target_os = "linux")]
        crate::inherited::close_descriptors();
        die_with_parent();
        let prepare = || {
            if let Some(open) = self.before_lockdown {
                open();
            }
            // From here on nothing is read that anybody but the parent has written, and no thread is there yet.
            sandbox.map(lock_down).unwrap_or_default()
        };
        let (link, sandbox) = match connect(address, prepare) {
            Ok(connected) => connected,
            Err(error) => {
                // The system's reason is not in the text of the error itself.
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                complain(&format!("{error}{cause}"));
                return exit::UNREACHABLE;
            }
        };
        end_when_closed(link.as_ref());
        match run(link, Host { application: self.version, shared: None, sandbox }) {
            Ended::Closed => exit::CLOSED,
            Ended::Disconnected => exit::DISCONNECTED,
            Ended::Refused { child, parent } => {
                complain(&format!("this child is of {child}, its parent of {parent}"));
                exit::VERSION
            }
            Ended::Violation(violation) => {
                complain(&format!("the parent broke the protocol: {violation}"));
                exit::VIOLATION
            }
        }
    }
}

impl fmt::Debug for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Init")
            .field("version", &self.version)
            .field("has_before_lockdown", &self.before_lockdown.is_some())
            .finish()
    }
}

/// What the first argument makes of a process.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    /// A child, and the sandbox it is to lock itself in.
    Child(Option<Sandbox>),
    /// A child in a sandbox that this version does not know.
    Unreadable,
}

impl Mark {
    /// `None` where it makes nothing of it.
    fn of(argument: &str) -> Option<Self> {
        let rest = argument.strip_prefix(CHILD_ARGUMENT)?;
        if rest.is_empty() {
            return Some(Self::Child(None));
        }
        let sandbox = Sandbox::from_argument(rest.strip_prefix('=')?);
        Some(sandbox.map_or(Self::Unreadable, |sandbox| Self::Child(Some(sandbox))))
    }
}

/// Whether this process is a child that a parent started.
#[must_use]
pub fn is_child() -> bool {
    CHILD.load(Ordering::Acquire)
}

/// Whether [`init`] has run in this process, so that its program can be started as a child.
#[must_use]
pub fn is_initialised() -> bool {
    INITIALISED.load(Ordering::Acquire)
}

/// What a child process's exit code tells. Those that are not success are from `sysexits.h`, far from what applications use.
pub mod exit {
    /// It was asked to end, or closed itself.
    pub const CLOSED: i32 = 0;
    /// The parent broke the protocol.
    pub const VIOLATION: i32 = 65;
    /// The parent could not be reached.
    pub const UNREACHABLE: i32 = 68;
    /// The parent went.
    pub const DISCONNECTED: i32 = 69;
    /// The parent has other versions: starting the same program again is of no use.
    pub const VERSION: i32 = 76;
}

/// The link to the parent that is reached in this way, and what came of preparing this process: that is done when everything is open that
/// the link needs, and before a thread is started for it.
fn connect(address: &str, prepare: impl FnOnce() -> Report) -> Result<(Arc<dyn Link>, Report), Box<dyn Error>> {
    #[cfg(target_os = "linux")]
    if address == remote_transport::lane::ADDRESS {
        let reached = remote_transport::lane::reach()?;
        let report = prepare();
        return Ok((Arc::new(reached.start()?), report));
    }
    let reached = ipc::reach(address)?;
    let report = prepare();
    let link = reached.start()?;
    // A child trusts its parent.
    link.set_inbox_bytes(usize::MAX);
    Ok((Arc::new(link), report))
}

/// A child that its parent can no longer reach must not stay because its loop thread is busy.
fn end_when_closed(link: &dyn Link) {
    link.on_close(Box::new(|_closure| {
        let last = || {
            thread::sleep(GRACE);
            process::exit(exit::DISCONNECTED);
        };
        // The loop ends first, with an exit code of its own, unless it is busy.
        if thread::Builder::new().name("remote-grace".into()).spawn(last).is_err() {
            process::exit(exit::DISCONNECTED);
        }
    }));
}

/// How long the loop may take to notice that the parent is gone and unload its modules.
const GRACE: Duration = Duration::from_millis(500);

#[cfg(target_os = "linux")]
pub(crate) fn die_with_parent() {
    use rustix::process::{Signal, set_parent_process_death_signal};

    // Should the kernel refuse, the end of the link does the same, later.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent() {}

fn complain(text: &str) {
    tracing::error!("{text}");
    eprintln!("remote: {text}");
}

static INITIALISED: AtomicBool = AtomicBool::new(false);
static CHILD: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_argument_makes_a_child() {
        let sandbox = Sandbox::read_only(["/usr/share"]);
        let locked = format!("{CHILD_ARGUMENT}={}", sandbox.to_argument().expect("the path is Unicode"));
        assert_eq!(Mark::of(CHILD_ARGUMENT), Some(Mark::Child(None)));
        assert_eq!(Mark::of(&locked), Some(Mark::Child(Some(sandbox))));
        assert_eq!(Mark::of(&locked[..locked.len() - 1]), Some(Mark::Unreadable));
        assert_eq!(Mark::of(&format!("{CHILD_ARGUMENT}=")), Some(Mark::Unreadable));
        for nothing in ["", "--remote", "--remote-children", "--help", "--remote-child --"] {
            assert_eq!(Mark::of(nothing), None, "{nothing}");
        }
    }
}
