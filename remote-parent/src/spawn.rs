use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;
use remote_child::{Host, HostShared};
use remote_protocol::endpoint::{Inlet, Pause};
use remote_protocol::limits::Limits;
use remote_protocol::link::Link;
use remote_protocol::message::{ToParent, Versions};
use remote_protocol::sandbox::Report;
use remote_protocol::state::Violation;
use remote_protocol::state::parent::Received;
use remote_transport::memory;
use shared_child::SharedChild;

use crate::connection::Connection;
use crate::driver::Driver;
use crate::hub::{Hub, after, lock};
use crate::loader::LoaderState;
use crate::log;
use crate::options::{ProcessOptions, Stream, Transport};
use crate::process::{self, Process};
use crate::sandbox::{self, SandboxError};

mod ipc;
#[cfg(target_os = "linux")]
mod lane;

/// Starts a process and waits until it has said hello.
pub(crate) fn spawn(loader: &Arc<LoaderState>, options: ProcessOptions) -> Result<Process, StartError> {
    let started = start(&loader.hub, options)?;
    // The list has it already, unless it has gone meanwhile, or the loader is being unloaded.
    Ok(loader.process(started.id()).unwrap_or_else(|| Process::new(Arc::clone(loader), started)))
}

/// Starts a process and waits until it has said hello, for no loader in particular.
pub(crate) fn start(hub: &Arc<Hub>, options: ProcessOptions) -> Result<Arc<process::Shared>, StartError> {
    match options.transport {
        Transport::Memory => start_hosted(hub, options, true),
        Transport::Ipc => ipc::start(hub, options),
        #[cfg(target_os = "linux")]
        Transport::Lane => lane::start(hub, options),
    }
}

/// Starts the main process's own loader.
pub(crate) fn start_main(loader: &Arc<LoaderState>) -> Result<(), StartError> {
    start_hosted(&loader.hub, ProcessOptions::new().name("main"), false).map(drop)
}

/// Starts a child on a thread of this process.
fn start_hosted(hub: &Arc<Hub>, options: ProcessOptions, remote: bool) -> Result<Arc<process::Shared>, StartError> {
    if options.sandbox.is_some() {
        return Err(StartError::Sandbox(SandboxError::NoProcess));
    }
    let connection = hub.connect(std::process::id(), remote, limits(hub, &options)).ok_or(StartError::ParentClosed)?;
    connection.set_child(None);
    let starting = Starting { hub, connection, driven: false };
    let (link, child_link) = memory::pair(memory::Faults::none());
    link.set_inbox_bytes(starting.connection.limits().inbox_bytes());
    // The child trusts its parent.
    child_link.set_inbox_bytes(usize::MAX);
    let shared = (!remote).then(|| {
        let hub = Arc::downgrade(hub);
        Arc::new(move || hub.upgrade()?.shared()) as HostShared
    });
    let mut host = Host::default();
    hub.version().clone_into(&mut host.application);
    host.shared = shared;
    thread::Builder::new()
        .name(format!("remote-child-{}", starting.connection.id().serial()))
        .spawn(move || drop(remote_child::run(Arc::new(child_link), host)))
        .map_err(StartError::Thread)?;
    starting.greet(Arc::new(link), options, remote, after(hub.deadlines().start))
}

/// What a process may have, do and cost.
fn limits(hub: &Hub, options: &ProcessOptions) -> Limits {
    options.limits.unwrap_or_else(|| hub.limits())
}

/// Starts a program, as a child that has yet to say hello.
fn launch<'a>(
    hub: &'a Arc<Hub>,
    command: Command,
    program: &Path,
    limits: Limits,
) -> Result<(Starting<'a>, Arc<SharedChild>), StartError> {
    let started = spawner()?.start(command);
    let child = started.map_err(|source| StartError::Program { program: program.to_owned(), source })?;
    let child = Arc::new(child);
    let Some(connection) = hub.connect(child.id(), true, limits) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(StartError::ParentClosed);
    };
    connection.set_child(Some(Arc::clone(&child)));
    Ok((Starting { hub, connection, driven: false }, child))
}

/// A process until it has said hello. Dropped before, it is ended and forgotten.
struct Starting<'a> {
    hub: &'a Arc<Hub>,
    connection: Arc<Connection>,
    /// Whether a driver sees to the process.
    driven: bool,
}

impl Starting<'_> {
    /// Nothing watches the process: it is ended, and its end is waited for here, for nobody else will. Gives why.
    fn unwatched(self, child: &SharedChild, error: StartError) -> StartError {
        self.connection.kill();
        // It cannot put that off.
        let _ = child.wait();
        error
    }

    /// Waits for the hello and puts the process into the list.
    fn greet(
        mut self,
        link: Arc<dyn Link>,
        options: ProcessOptions,
        remote: bool,
        deadline: Instant,
    ) -> Result<Arc<process::Shared>, StartError> {
        let mut inlet = self.connection.set_link(link).map_err(|_| self.ended(deadline))?;
        let walls = self.hello(&mut inlet, deadline)?;
        sandbox::check(options.sandbox.as_ref(), &walls).map_err(StartError::Sandbox)?;
        let shared = process::Shared::new(Arc::clone(self.hub), Arc::clone(&self.connection), options, remote, walls);
        let turns = self.hub.attach_process(&shared);
        self.connection.release_held();
        let started = Arc::clone(&shared);
        let driver = Driver::new(Arc::clone(&shared));
        thread::Builder::new()
            .name(format!("remote-{}", shared.id()))
            .spawn(move || driver.run(inlet, turns))
            .map_err(|error| {
                let forgotten = self.hub.detach_process(shared.id());
                drop(forgotten);
                StartError::Thread(error)
            })?;
        self.driven = true;
        Ok(started)
    }

    /// The link is closed: why the process is none.
    fn ended(&self, deadline: Instant) -> StartError {
        if !self.connection.is_process() {
            return StartError::Lost;
        }
        // Its descriptors are closed before the system says that it has ended, which takes a while when memory is dumped.
        let exited = self.connection.ending.wait_status(deadline);
        match self.connection.ending.status() {
            Some(status) if exited => StartError::Exited { program: PathBuf::new(), status },
            _ => StartError::Deadline { program: PathBuf::new(), after: self.hub.deadlines().start },
        }
    }

    /// Gives what walls there are around the process.
    fn hello(&self, inlet: &mut Inlet, deadline: Instant) -> Result<Report, StartError> {
        let message = loop {
            match inlet.next(Some(deadline)) {
                Ok(message) => break message,
                Err(Pause::Woken) => {}
                Err(Pause::TimedOut) => {
                    return Err(StartError::Deadline { program: PathBuf::new(), after: self.hub.deadlines().start });
                }
                Err(Pause::Closed) => return Err(self.ended(deadline)),
                Err(Pause::Violation(violation)) => return Err(StartError::Violation(violation)),
            }
        };
        let bytes = message.len();
        let message = ToParent::decode(&message).map_err(|error| StartError::Violation(error.into()))?;
        log::received(self.connection.id(), &message, bytes);
        let received = self.connection.with_session(|session| session.receive(message));
        match received.map_err(StartError::Violation)? {
            Received::Ready { sandbox } => Ok(sandbox),
            Received::Refused { child, parent } => {
                self.connection.release_held();
                // It ends by itself, with the exit code that says so; dropping `self` waits no longer than this.
                self.connection.flush(after(SETTLE));
                self.connection.ending.wait_status(after(SETTLE));
                Err(StartError::Version { child, parent })
            }
            received => {
                tracing::error!(?received, "not a hello");
                Err(StartError::Lost)
            }
        }
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        if self.driven {
            return;
        }
        self.connection.with_session(|session| drop(session.gone()));
        self.connection.kill();
        self.connection.close_link();
        if let Some(service) = self.connection.service() {
            service.close();
        }
        self.hub.disconnect(self.connection.id());
        self.connection.ending.set_gone();
    }
}

/// What to start, as the options say but for standard input, and what to call it in errors.
fn command(options: &ProcessOptions, address: &str) -> Result<(Command, PathBuf), StartError> {
    let (mut command, program) = program(options)?;
    command
        .arg(sandbox::argument(options.sandbox.as_ref()).map_err(StartError::Sandbox)?)
        .arg(address)
        .args(&options.arguments);
    if !options.inherit_environment {
        command.env_clear();
        let inherited = ProcessOptions::INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?)));
        command.envs(inherited);
    }
    command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    if let Some(directory) = &options.directory {
        command.current_dir(directory);
    }
    // What is the parent's, a child can also read, empty, close for good or make refuse to wait.
    let usual = if options.sandbox.is_some() { Stream::Null } else { Stream::Inherit };
    command.stdout(options.stdout.unwrap_or(usual));
    command.stderr(options.stderr.unwrap_or(usual));
    Ok((command, program))
}

fn program(options: &ProcessOptions) -> Result<(Command, PathBuf), StartError> {
    if let Some(program) = &options.program {
        return Ok((Command::new(program), program.clone()));
    }
    let own = env::current_exe().map_err(|source| StartError::Program { program: PathBuf::new(), source })?;
    if !remote_child::is_initialised() {
        return Err(StartError::NotInitialised { program: own });
    }
    Ok((this_program(&own), own))
}

/// This very program, also when the file it was started from has been replaced.
#[cfg(target_os = "linux")]
fn this_program(own: &Path) -> Command {
    use std::os::unix::process::CommandExt;

    let mut command = Command::new("/proc/self/exe");
    command.arg0(own);
    command
}

#[cfg(not(target_os = "linux"))]
fn this_program(own: &Path) -> Command {
    Command::new(own)
}

/// The thread that starts all processes. It never ends: Linux signals a child when the *thread* that started it does.
struct Spawner(Mutex<Sender<Order>>);

type Order = (Command, Sender<io::Result<SharedChild>>);

fn spawner() -> Result<&'static Spawner, StartError> {
    static SPAWNER: OnceCell<Spawner> = OnceCell::new();
    SPAWNER
        .get_or_try_init(|| {
            let (orders, inbox) = channel::<Order>();
            thread::Builder::new().name("remote-spawn".into()).spawn(move || {
                for (mut command, answer) in inbox {
                    // Whoever asked waits for the answer.
                    let _ = answer.send(SharedChild::spawn(&mut command));
                }
            })?;
            Ok(Spawner(Mutex::new(orders)))
        })
        .map_err(StartError::Thread)
}

impl Spawner {
    fn start(&self, command: Command) -> io::Result<SharedChild> {
        let (answer, child) = channel();
        let gone = || io::Error::other("the thread that starts processes is gone");
        lock(&self.0).send((command, answer)).map_err(|_| gone())?;
        child.recv().map_err(|_| gone())?
    }
}

/// Why a process was not started. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// This program does not call `remote_child::init`, so that it would not become a child but start over.
    #[error("{} cannot be its own child: it has to call `remote_child::init()` first in `main`", program.display())]
    NotInitialised {
        /// This executable.
        program: PathBuf,
    },
    /// The program cannot be started.
    #[error("cannot start {}", program.display())]
    Program {
        /// The executable.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process ended before it had said hello.
    #[error("{} ended before it had said hello ({status}); is it a program that calls `remote_child::init()`?", program.display())]
    Exited {
        /// The executable.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// The process did not say hello in time, and was killed.
    #[error("{} did not say hello within {after:?}; is it a program that calls `remote_child::init()`?", program.display())]
    Deadline {
        /// The executable.
        program: PathBuf,
        /// How long was waited.
        after: Duration,
    },
    /// The process did not connect as a child of ours does, and was killed.
    #[error("{} does not answer as a child does", program.display())]
    NotOurs {
        /// The executable.
        program: PathBuf,
    },
    /// The child has other versions.
    #[error("the child is of {child}, the parent of {parent}")]
    Version {
        /// The child's.
        child: Versions<'static>,
        /// The parent's.
        parent: Versions<'static>,
    },
    /// The child cannot be locked in as far as is asked for.
    #[error("the child is not sandboxed as it has to be")]
    Sandbox(#[source] SandboxError),
    /// The child broke the protocol, and was killed.
    #[error("the child broke the protocol")]
    Violation(#[source] Violation),
    /// The link was lost.
    #[error("the link to the child was lost")]
    Lost,
    /// There is no transport.
    #[error("no transport")]
    Transport(#[source] io::Error),
    /// There is no thread.
    #[error("no thread")]
    Thread(#[source] io::Error),
    /// The parent is closed.
    #[error("the parent is closed")]
    ParentClosed,
}

impl StartError {
    /// The same error, naming the program.
    fn of(self, name: PathBuf) -> Self {
        match self {
            Self::Exited { status, .. } => Self::Exited { program: name, status },
            Self::Deadline { after, .. } => Self::Deadline { program: name, after },
            error => error,
        }
    }
}

/// How long to wait for what follows by itself: the exit status of a process whose link is closed.
const SETTLE: Duration = Duration::from_millis(500);
