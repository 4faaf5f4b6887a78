//! What the tests share: all transports, a watchdog, and records as text.

use std::env;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use remote_protocol::link::{Lane, Link, Received};
use remote_transport::memory::{self, Faults};
use remote_transport::{INBOX_BYTES, ipc};

/// A link's two ends.
pub(crate) struct Pair {
    pub(crate) parent: Box<dyn Link>,
    pub(crate) child: Box<dyn Link>,
}

/// Runs `body` over all transports.
pub(crate) fn every_transport(body: impl Fn(Pair) + Send + 'static) {
    every_transport_of(INBOX_BYTES, body);
}

/// Runs `body` over all transports, with a limit for the parent's inbox.
pub(crate) fn every_transport_of(inbox_bytes: usize, body: impl Fn(Pair) + Send + 'static) {
    within(Duration::from_secs(120), move || {
        let (parent, child) = memory::pair(Faults::none());
        parent.set_inbox_bytes(inbox_bytes);
        body(Pair { parent: Box::new(parent), child: Box::new(child) });

        process_pairs(inbox_bytes).into_iter().for_each(body);
    });
}

/// A link over each of the transports that join processes, both ends in this one.
pub(crate) fn process_pairs(inbox_bytes: usize) -> Vec<Pair> {
    let (parent, child) = ipc_pair();
    parent.set_inbox_bytes(inbox_bytes);
    let ipc = Pair { parent: Box::new(parent), child: Box::new(child) };
    #[cfg(target_os = "linux")]
    {
        let (parent, child) = remote_transport::lane::pair().expect("memory, descriptors and threads");
        parent.set_inbox_bytes(inbox_bytes);
        vec![ipc, Pair { parent: Box::new(parent), child: Box::new(child) }]
    }
    #[cfg(not(target_os = "linux"))]
    vec![ipc]
}

/// Both ends of a link over ipc-channel in this process.
fn ipc_pair() -> (ipc::IpcLink, ipc::IpcLink) {
    let server = ipc::Server::new().expect("a server");
    let address = server.address().to_owned();
    let acceptance = server.listen().expect("a thread");
    let child = ipc::connect(&address).expect("the server listens");
    let parent = acceptance.wait(late()).expect("the child has connected");
    (parent, child)
}

/// Far enough away that only a hanging test gets there.
pub(crate) fn late() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Fails the test if `body` takes longer than `limit`.
pub(crate) fn within(limit: Duration, body: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    if let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(limit) {
        panic!("still not done after {limit:?}");
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Receives a record.
pub(crate) fn record(lane: &mut Lane) -> Vec<u8> {
    let mut record = Vec::new();
    assert_eq!(lane.rx.recv(&mut record, Some(late())), Received::Record);
    record
}

/// Receives something else than a record.
pub(crate) fn event(lane: &mut Lane) -> Received {
    let mut record = Vec::new();
    lane.rx.recv(&mut record, Some(late()))
}

/// This test binary again, to run the one test `name` with `argument` in the environment.
pub(crate) fn rerun(name: &str, argument: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a path"));
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(ARGUMENT, argument)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What [`rerun`] was told, in the process it made.
pub(crate) fn rerun_argument() -> Option<String> {
    env::var(ARGUMENT).ok()
}

/// A child process that does not outlive its test.
pub(crate) struct Reaped(pub(crate) Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const ARGUMENT: &str = "REMOTE_TRANSPORT_TEST_ARGUMENT";
