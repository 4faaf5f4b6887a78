use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use remote_protocol::link::Link;
use remote_transport::ipc;

use crate::driver::{Ended, Host, run};

/// The first argument of every child process; the second says how to reach the parent.
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
#[derive(Clone, Debug, Default)]
#[must_use = "nothing happens before `run`"]
pub struct Init {
    version: String,
}

impl Init {
    /// What [`init`] does.
    pub const fn new() -> Self {
        Self { version: String::new() }
    }

    /// The application's version, in any form. Parents start only children of their own version.
    pub fn version(self, version: &str) -> Self {
        Self { version: version.to_owned() }
    }

    /// See [`init`].
    pub fn run(self) {
        INITIALISED.store(true, Ordering::Release);
        let mut arguments = env::args_os().skip(1);
        if arguments.next().as_deref() != Some(OsStr::new(CHILD_ARGUMENT)) {
            return;
        }
        CHILD.store(true, Ordering::Release);
        let address = arguments.next();
        let code = match address.as_deref().and_then(OsStr::to_str) {
            Some(address) => self.run_child(address),
            None => {
                complain("started as a child without an address");
                exit::UNREACHABLE
            }
        };
        process::exit(code);
    }

    fn run_child(self, address: &str) -> i32 {
        die_with_parent();
        let link = match connect(address) {
            Ok(link) => link,
            Err(error) => {
                // The system's reason is not in the text of the error itself.
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                complain(&format!("{error}{cause}"));
                return exit::UNREACHABLE;
            }
        };
        end_when_closed(link.as_ref());
        match run(link, Host { application: self.version, shared: None }) {
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

/// The link to the parent that is reached in this way.
fn connect(address: &str) -> Result<Arc<dyn Link>, Box<dyn Error>> {
    #[cfg(target_os = "linux")]
    if address == remote_transport::lane::ADDRESS {
        return Ok(Arc::new(remote_transport::lane::connect()?));
    }
    let link = ipc::connect(address)?;
    // A child trusts its parent.
    link.set_inbox_bytes(usize::MAX);
    Ok(Arc::new(link))
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
fn die_with_parent() {
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
