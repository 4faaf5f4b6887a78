use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remote_protocol::limits::{self, Limits};
use remote_protocol::sandbox::Sandbox;

/// How a [`Parent`](crate::Parent) is made.
#[derive(Clone)]
#[must_use]
pub struct ParentOptions {
    pub(crate) version: String,
    pub(crate) deadlines: Deadlines,
    pub(crate) limits: Limits,
    pub(crate) executor: Option<Arc<dyn Executor>>,
}

impl Default for ParentOptions {
    fn default() -> Self {
        Self { version: String::new(), deadlines: Deadlines::default(), limits: Limits::new(), executor: None }
    }
}

impl ParentOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The application's version, in any form: children have to give the same to [`remote_child::Init::version`].
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// How long things may take.
    pub const fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// What each process may have, do and cost.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where all of the parent's listeners, and the methods of the objects it serves, are run, instead of on a thread for each process and each
    /// of its calling threads. Listeners that `for_every` calls at once are the exception: they run on the thread that calls it.
    ///
    /// Where this is one thread, and it waits for a function of a child, it serves what that calls. All else waits for it, calls of further
    /// threads of the child too: a function that waits for one of those meets its deadline.
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = Some(executor);
        self
    }
}

impl fmt::Debug for ParentOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, deadlines, limits, executor } = self;
        f.debug_struct("ParentOptions")
            .field("version", version)
            .field("deadlines", deadlines)
            .field("limits", limits)
            .field("has_executor", &executor.is_some())
            .finish()
    }
}

/// Runs an application's listeners on a thread of the application's choosing, such as that of its user interface.
///
/// A call of this crate that blocks never waits for a listener then: it may be made on that very thread.
///
/// ```
/// use std::sync::mpsc::{Receiver, Sender, channel};
///
/// use remote_parent::{Executor, Task};
///
/// /// Queues tasks for whoever pumps the other end.
/// struct Queue(Sender<Task>);
///
/// impl Executor for Queue {
///     fn execute(&self, task: Task) {
///         self.0.send(task).ok();
///     }
/// }
///
/// let (tasks, queue): (Sender<Task>, Receiver<Task>) = channel();
/// Queue(tasks).execute(Box::new(|| println!("on the thread that pumps")));
/// queue.try_iter().for_each(|task| task());
/// ```
pub trait Executor: Send + Sync {
    /// Has `task` run, after those that were given before it. Must not block, and need not keep tasks that will never run.
    fn execute(&self, task: Task);
}

/// What an [`Executor`] runs.
pub type Task = Box<dyn FnOnce() + Send>;

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From starting a process to its accepted hello. 5 s.
    pub start: Duration,
    /// How long a child waits for the parent, in a call, for a promise, or in `emit` for room in the window, and the parent for a
    /// function of a child, when nothing else is said. 30 s.
    pub call: Duration,
    /// From asking a process to stop to killing it. 1 s.
    pub stop: Duration,
    /// How long a process may leave something it was sent unhandled before it counts as unresponsive. 3 s.
    pub unresponsive: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { start: limits::START, call: limits::CALL, stop: limits::STOP, unresponsive: limits::UNRESPONSIVE }
    }
}

/// What a child process is and how it is started; for [`Processes::spawn_with`](crate::Processes::spawn_with).
///
/// What is not said is: this same executable; no arguments beyond ours; of the environment what is named by
/// [`INHERITED`](Self::INHERITED); the current directory of the parent; no standard input, and the parent's standard output and error.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ProcessOptions {
    pub(crate) name: Option<String>,
    pub(crate) transport: Transport,
    pub(crate) restart: Restart,
    /// `None`: those of the parent.
    pub(crate) limits: Option<Limits>,
    pub(crate) sandbox: Option<Sandbox>,
    /// When it was started again, within the time that its policy counts.
    pub(crate) restarts: Vec<Instant>,
    /// `None`: this same executable.
    pub(crate) program: Option<PathBuf>,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) inherit_environment: bool,
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) stdin: Option<Stream>,
    pub(crate) stdout: Option<Stream>,
    pub(crate) stderr: Option<Stream>,
}

impl ProcessOptions {
    /// The variables that a child gets from the parent's environment when nothing is said: what programs need to find their files, to
    /// speak the user's language, and to be debugged.
    pub const INHERITED: &[&str] = &[
        "HOME",
        "LANG",
        "LC_ALL",
        "LD_LIBRARY_PATH",
        "PATH",
        "RUST_BACKTRACE",
        "RUST_LOG",
        "SystemRoot",
        "TEMP",
        "TMP",
        "TMPDIR",
        "TZ",
        "USERPROFILE",
    ];

    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the process is called in diagnostics.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Another executable. It has to call [`remote_child::init`], and to have the modules that the parent requires linked in.
    pub fn program(mut self, program: impl AsRef<Path>) -> Self {
        self.program = Some(program.as_ref().to_owned());
        self
    }

    /// One more argument of the program. They come after two that are ours.
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// The parent's whole environment, and not just what [`INHERITED`](Self::INHERITED) names: secrets too, if there are any.
    pub const fn inherit_environment(mut self) -> Self {
        self.inherit_environment = true;
        self
    }

    /// One more variable of the environment.
    pub fn environment(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The directory the process starts in.
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// What the process reads.
    pub const fn stdin(mut self, stream: Stream) -> Self {
        self.stdin = Some(stream);
        self
    }

    /// Where what the process prints goes: by default where what the parent prints does, and in a sandbox nowhere.
    pub const fn stdout(mut self, stream: Stream) -> Self {
        self.stdout = Some(stream);
        self
    }

    /// Where what the process complains of goes: by default where what the parent complains of does, and in a sandbox nowhere.
    pub const fn stderr(mut self, stream: Stream) -> Self {
        self.stderr = Some(stream);
        self
    }

    /// How parent and child are connected.
    pub const fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// What this process may have, do and cost, where that is not what the [parent](ParentOptions::limits) says for all: less for one that
    /// is trusted less, for example.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Has the process lock itself in before it runs anything that is loaded into it. What it can do nevertheless is what these options
    /// give it: its standard streams, its environment and its arguments.
    ///
    /// ```no_run
    /// use remote_parent::{Parent, ProcessOptions, Sandbox};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let parent = Parent::new()?;
    /// let content = parent.processes().spawn_with(ProcessOptions::new().sandbox(Sandbox::strict()))?;
    /// println!("{}", content.sandbox().expect("it has one"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    /// Whether another process is started when this one crashes.
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }
}

/// One of a child's standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stream {
    /// The parent's. They share more than what is written: the process can read a terminal, overwrite a file, shut a socket down, or make the
    /// parent's own writing fail where it would have waited. Not for one that may be hostile.
    Inherit,
    /// Nothing comes from it, and what goes to it is lost.
    Null,
    /// The parent has the other end, see [`Process::take_streams`](crate::Process::take_streams). A child that prints waits until it is
    /// read.
    Piped,
}

impl From<Stream> for Stdio {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Inherit => Self::inherit(),
            Stream::Null => Self::null(),
            Stream::Piped => Self::piped(),
        }
    }
}

/// Whether another process is started when one crashes.
///
/// The new one is another [`Process`](crate::Process), started with the same options, which attaches as any does. A process that
/// ended in good order, that had to be killed after it was asked to end, that is of another version or that broke the protocol is not
/// started again. The frames, callbacks and references of the old one are gone, and modules are loaded anew; open frames again when
/// the new one attaches, by its [`name`](crate::Process::name).
///
/// ```
/// use std::time::Duration;
///
/// use remote_parent::{ProcessOptions, Restart};
///
/// let options = ProcessOptions::new().restart(Restart::OnCrash { limit: 3, within: Duration::from_secs(60) });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Restart {
    /// No.
    #[default]
    Never,
    /// When it [crashed](crate::DetachReason::is_crash), but no more than `limit` times `within` this time.
    OnCrash {
        /// How often.
        limit: u32,
        /// In what time.
        within: Duration,
    },
}

/// How parent and child are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// A process of its own, over shared memory; the default on Linux. It survives children that attack it.
    #[cfg(target_os = "linux")]
    Lane,
    /// A process of its own, over ipc-channel; the default elsewhere, and run on Linux only so far. It survives children that crash, not those
    /// that attack it.
    Ipc,
    /// No process of its own: a thread of the parent's. For tests, and where processes cannot be had. Nothing protects the parent
    /// from it. Of the options only the name, the limits and the restart policy have a
    /// meaning then.
    Memory,
}

impl Default for Transport {
    fn default() -> Self {
        #[cfg(target_os = "linux")]
        let default = Self::Lane;
        #[cfg(not(target_os = "linux"))]
        let default = Self::Ipc;
        default
    }
}
