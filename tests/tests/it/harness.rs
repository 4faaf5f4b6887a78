//! A parent with children over one transport, under a watchdog.

use std::cell::Cell;
use std::env;
use std::fmt::Debug;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use remote_parent::{
    CloseError, Deadlines, DetachReason, Parent, ParentOptions, Port, Process, ProcessError, ProcessId, ProcessOptions,
    Sandbox, Subject, Transport, this_module,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tests::modules::answer_to;
use tests::prepared::SWITCHBOARD;
#[cfg(target_os = "linux")]
use tests::switchboard;

/// The child of the tests.
pub(crate) const CHILD: &str = env!("CARGO_BIN_EXE_tests-child");
/// What is no proper child.
pub(crate) const MISFIT: &str = env!("CARGO_BIN_EXE_tests-misfit");

/// Names a directory with copies of the two, for a test that runs others where these cannot be reached.
pub(crate) const PROGRAMS: &str = "REMOTE_TESTS_PROGRAMS";

/// One of the two, where it can be reached.
pub(crate) fn program(path: &str) -> PathBuf {
    match (env::var_os(PROGRAMS), Path::new(path).file_name()) {
        (Some(directory), Some(name)) => Path::new(&directory).join(name),
        _ => path.into(),
    }
}

/// The tests of a module, one for each transport that joins processes, which are not locked in unless the test says so.
macro_rules! with_free_process_transports {
    ($transport:ident => $test:expr) => {
        #[test]
        fn ipc() {
            let $transport = remote_parent::Transport::Ipc;
            $test
        }

        #[cfg(target_os = "linux")]
        #[test]
        fn lane() {
            let $transport = remote_parent::Transport::Lane;
            $test
        }
    };
}
pub(crate) use with_free_process_transports;

/// The tests of a module, one for each transport that joins processes; and one more, in which they are locked in.
macro_rules! with_process_transports {
    ($transport:ident => $test:expr) => {
        $crate::harness::with_free_process_transports!($transport => $test);

        #[cfg(target_os = "linux")]
        #[test]
        fn strict() {
            let $transport = remote_parent::Transport::Lane;
            $crate::harness::locked_in(|| $test);
        }
    };
}
pub(crate) use with_process_transports;

/// The tests of a module, one for each transport there is.
macro_rules! with_transports {
    ($transport:ident => $test:expr) => {
        #[test]
        fn memory() {
            let $transport = remote_parent::Transport::Memory;
            $test
        }

        $crate::harness::with_process_transports!($transport => $test);
    };
}
pub(crate) use with_transports;

/// One test with each transport.
macro_rules! every_transport {
    ($($(#[$attribute:meta])* fn $name:ident($setup:ident) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn body($setup: $crate::harness::Setup) $body

            $crate::harness::with_transports!(transport => body($crate::harness::Setup::new(module_path!(), transport)));
        }
    )+};
}
pub(crate) use every_transport;

/// One test with each transport that joins processes.
macro_rules! every_process_transport {
    ($($(#[$attribute:meta])* fn $name:ident($transport:ident) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn body($transport: remote_parent::Transport) $body

            $crate::harness::with_process_transports!(transport => body(transport));
        }
    )+};
}
pub(crate) use every_process_transport;

/// One test with each transport that joins processes, which are not locked in unless the test says so.
macro_rules! every_free_process_transport {
    ($($(#[$attribute:meta])* fn $name:ident($transport:ident) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn body($transport: remote_parent::Transport) $body

            $crate::harness::with_free_process_transports!(transport => body(transport));
        }
    )+};
}
pub(crate) use every_free_process_transport;

/// For each of some bodies that the children of the tests have by name: one test in the main process's own modules, and one with each
/// transport; after `local;` one with the objects themselves, too. What asks for them says how: `local`, `in_the_main_process` and
/// `in_a_child`.
macro_rules! everywhere {
    (@elsewhere $name:ident) => {
        #[test]
        fn main_process() {
            let setup = $crate::harness::Setup::new(module_path!(), remote_parent::Transport::Memory);
            in_the_main_process(&setup, stringify!($name));
        }

        $crate::harness::with_transports!(transport => {
            in_a_child(&$crate::harness::Setup::new(module_path!(), transport), stringify!($name));
        });
    };
    (local; $($(#[$attribute:meta])* $name:ident)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            #[test]
            fn local() {
                super::local(stringify!($name));
            }

            everywhere!(@elsewhere $name);
        }
    )+};
    ($($(#[$attribute:meta])* $name:ident)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            everywhere!(@elsewhere $name);
        }
    )+};
}
pub(crate) use everywhere;

/// A parent whose children are all connected by one transport. Dropped, it closes the parent, which has to succeed.
pub(crate) struct Setup {
    transport: Transport,
    /// Whether the children are locked in.
    strict: bool,
    parent: Option<Parent>,
    _watchdog: Watchdog,
}

impl Setup {
    pub(crate) fn new(name: &str, transport: Transport) -> Self {
        Self::with(name, transport, ParentOptions::new())
    }

    /// Deadlines are so long that only what hangs meets them.
    pub(crate) fn with(name: &str, transport: Transport, options: ParentOptions) -> Self {
        let watchdog = Watchdog::start(&format!("{name} over {transport:?}"));
        let deadlines = Deadlines { start: PATIENCE, stop: PATIENCE, ..Deadlines::default() };
        Self::guarded(watchdog, transport, options.deadlines(deadlines))
    }

    /// [`with`](Self::with), with the deadlines of `options`.
    pub(crate) fn impatient(name: &str, transport: Transport, options: ParentOptions) -> Self {
        Self::guarded(Watchdog::start(&format!("{name} over {transport:?}")), transport, options)
    }

    /// [`impatient`](Self::impatient), for what takes its time on a machine that is busy, and does not hang as long as something happens.
    pub(crate) fn long(name: &str, transport: Transport, options: ParentOptions) -> Self {
        Self::guarded(Watchdog::within(&format!("{name} over {transport:?}"), 10 * PATIENCE), transport, options)
    }

    fn guarded(watchdog: Watchdog, transport: Transport, options: ParentOptions) -> Self {
        let parent = Parent::with_options(options).expect("this is no child");
        Self { transport, strict: STRICT.get(), parent: Some(parent), _watchdog: watchdog }
    }

    pub(crate) const fn transport(&self) -> Transport {
        self.transport
    }

    /// Whether children are processes of their own.
    pub(crate) fn has_processes(&self) -> bool {
        self.transport != Transport::Memory
    }

    pub(crate) fn parent(&self) -> &Parent {
        self.parent.as_ref().expect("it is not closed")
    }

    pub(crate) fn main(&self) -> Process {
        self.parent().processes().main().expect("the main process is always there")
    }

    /// Loads one of the tests' modules.
    pub(crate) fn require(&self, module: &str) {
        let id = format!("tests::modules::{module}");
        self.parent().remote_require(&id, this_module!()).expect("it is a module's name");
    }

    /// The children of the tests.
    pub(crate) fn options(&self) -> ProcessOptions {
        let options = ProcessOptions::new().program(program(CHILD)).transport(self.transport);
        #[cfg(target_os = "linux")]
        if self.strict {
            return options.sandbox(Sandbox::strict()).environment(SWITCHBOARD, switchboard::name());
        }
        options
    }

    pub(crate) fn spawn(&self) -> Process {
        self.parent().processes().spawn_with(self.options()).expect("the child starts")
    }

    /// What goes wrong in the application's code from now on.
    pub(crate) fn errors(&self) -> Events<(ProcessId, ProcessError)> {
        let (tell, events) = Events::new("error");
        self.parent().processes().on_error(move |process, error| tell.tell((process.id(), error.clone())));
        events
    }

    /// The processes that go from now on.
    pub(crate) fn detaches(&self) -> Events<(Process, DetachReason)> {
        let (tell, events) = Events::new("detach");
        self.parent().processes().on_detach(move |process, reason| tell.tell((process.clone(), reason.clone())));
        events
    }

    pub(crate) fn close(mut self) -> Result<(), CloseError> {
        self.parent.take().expect("it is closed once").close()
    }

    /// Drops the parent instead of closing it.
    pub(crate) fn drop_parent(mut self) {
        drop(self.parent.take());
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let Some(parent) = self.parent.take() else { return };
        let closed = parent.close();
        if !thread::panicking() {
            closed.expect("all processes end in time");
        }
    }
}

/// Runs a test whose children are locked in, as far as they are started with the [`options`](Setup::options) of a setup.
#[cfg(target_os = "linux")]
pub(crate) fn locked_in(test: impl FnOnce()) {
    STRICT.set(true);
    test();
    STRICT.set(false);
}

thread_local! {
    /// Whether the children of the setups that this thread makes are locked in.
    static STRICT: Cell<bool> = const { Cell::new(false) };
}

/// What happened, in order.
pub(crate) struct Events<T> {
    name: String,
    events: Receiver<T>,
}

/// Where it happens.
pub(crate) struct Teller<T>(Sender<T>);

impl<T> Teller<T> {
    pub(crate) fn tell(&self, event: T) {
        // The test may have heard enough.
        let _ = self.0.send(event);
    }
}

impl<T> Events<T> {
    pub(crate) fn new(name: &str) -> (Teller<T>, Self) {
        let (tx, events) = channel();
        (Teller(tx), Self { name: name.to_owned(), events })
    }

    #[track_caller]
    pub(crate) fn next(&self) -> T {
        match self.events.recv_timeout(PATIENCE) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => panic!("waited in vain for `{}`", self.name),
            Err(RecvTimeoutError::Disconnected) => panic!("there will be no `{}`", self.name),
        }
    }

    pub(crate) fn take(&self, count: usize) -> Vec<T> {
        (0..count).map(|_| self.next()).collect()
    }

    /// All that happened until now.
    pub(crate) fn so_far(&self) -> Vec<T> {
        self.events.try_iter().collect()
    }
}

impl<T: Debug> Events<T> {
    /// Nothing more has happened.
    #[track_caller]
    pub(crate) fn none(&self) {
        match self.events.try_recv() {
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
            Ok(event) => panic!("an unexpected `{}`: {event:?}", self.name),
        }
    }
}

/// What is heard on a port from now on.
pub(crate) fn heard<S, P>(port: &Port<S>, event: &str) -> Events<(S, P)>
where
    S: Subject + Send,
    P: DeserializeOwned + Send + 'static,
{
    let (tell, events) = Events::new(event);
    port.on(event, move |subject, payload| tell.tell((subject.clone(), payload)));
    events
}

/// Has a module do something; gives what came of it.
#[track_caller]
pub(crate) fn try_ask<R, P>(process: &Process, event: &str, payload: &P) -> Result<R, String>
where
    P: Serialize + ?Sized,
    R: DeserializeOwned + Send + 'static,
{
    let (tell, events) = Events::new(&answer_to(event));
    let port = process.port();
    port.once(&answer_to(event), move |_process, answer| tell.tell(answer));
    port.emit(event, payload).expect("the process is there");
    events.next()
}

/// Has a module do something that has to succeed.
#[track_caller]
pub(crate) fn ask<R, P>(process: &Process, event: &str, payload: &P) -> R
where
    P: Serialize + ?Sized,
    R: DeserializeOwned + Send + 'static,
{
    match try_ask(process, event, payload) {
        Ok(result) => result,
        Err(error) => panic!("`{event}` in process {}: {error}", process.id()),
    }
}

/// Waits until a process has handled all that was sent to it before, and its answers have been heard.
#[track_caller]
pub(crate) fn sync(process: &Process) {
    ask::<(), _>(process, "sync", &());
}

/// What several threads write, in the order in which they do.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn push(&self, line: impl Into<String>) {
        self.0.lock().expect("nothing panics here").push(line.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("nothing panics here"))
    }
}

/// Ends everything when a test hangs: what it waits for may be in another process.
pub(crate) struct Watchdog {
    _stop: Sender<()>,
}

impl Watchdog {
    pub(crate) fn start(name: &str) -> Self {
        Self::within(name, PATIENCE * 2)
    }

    fn within(name: &str, time: Duration) -> Self {
        let (stop, stopped) = channel::<()>();
        let name = name.to_owned();
        let watch = move || {
            if stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                // Past the test runner, which would keep it to itself.
                let _ = writeln!(std::io::stderr(), "watchdog: {name} hangs");
                std::process::abort();
            }
        };
        thread::Builder::new().name("watchdog".to_owned()).spawn(watch).expect("a thread");
        Self { _stop: stop }
    }
}

/// How long to wait for what has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A name for a file that no other test has, nor the same test over another transport at the same time.
pub(crate) fn unique(name: &str) -> String {
    static FILES: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), FILES.fetch_add(1, Ordering::Relaxed))
}
