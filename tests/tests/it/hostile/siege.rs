//! What is true of every attack: the parent lives; none of its own threads panics; a child that has nothing to do with it makes calls
//! throughout, and loses none; the attacker ends, for the reason that is expected; and what it cost is given back.
//!
//! Each runs in a process of its own, which is this test program once more, because descriptors, threads and panics are the whole
//! process's.

use std::env;
use std::panic;
use std::process::{Command as Program, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use remote_parent::{
    Deadlines, DetachReason, Limits, Parent, ParentOptions, Process, ProcessOptions, StartError, Transport,
};
use remote_protocol::call::{self, Access, Call, Outcome, Request, Root, Selector};
use remote_protocol::codec::{self, CowBytes};
use remote_protocol::id::{CallId, InvocationId, LentId};
use remote_protocol::message::{ToChild, ToParent};
use remote_protocol::payload::{Location, Payload, Reference};
use remote_protocol::state::Violation;
use remote_protocol::value::Value;
use tests::buffers;
use tests::held::Held;
use tests::mill::Works;
use tests::modules::witness::Testimony;
use tests::objects::Objects;
use tests::puppet::{Command, Done, Pull, Strings};
use tests::raw;

use super::log;
use crate::harness::{PATIENCE, Setup, ask, sync};

/// Tests of attacks, over every transport that joins processes.
macro_rules! hostile {
    ($($(#[$attribute:meta])* fn $name:ident($siege:ident) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn body($siege: &mut $crate::hostile::siege::Siege) $body

            $crate::harness::with_free_process_transports!(transport => {
                $crate::hostile::siege::lay(module_path!(), transport, body);
            });
        }
    )+};
}
pub(crate) use hostile;

/// Tests of attacks that only one transport is proof against.
macro_rules! hostile_over_the_lane {
    ($($(#[$attribute:meta])* fn $name:ident($siege:ident) $body:block)+) => {$(
        $(#[$attribute])*
        #[cfg(target_os = "linux")]
        mod $name {
            use super::*;

            fn body($siege: &mut $crate::hostile::siege::Siege) $body

            #[test]
            fn lane() {
                $crate::hostile::siege::lay(module_path!(), remote_parent::Transport::Lane, body);
            }
        }
    )+};
}
pub(crate) use hostile_over_the_lane;

/// Runs the test that is called so in a process of its own.
pub(crate) fn lay(module: &str, transport: Transport, body: fn(&mut Siege)) {
    let crate_and_name = format!("{module}::{}", format!("{transport:?}").to_lowercase());
    let (_, name) = crate_and_name.split_once("::").expect("a path begins with the crate");
    if env::var_os(ALONE).is_some() {
        let mut siege = Siege::begin(name, transport);
        body(&mut siege);
        siege.end();
        return;
    }
    let own = env::current_exe().expect("this program has a path");
    let output = Program::new(own)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{out}{err}");
    assert!(output.status.success(), "alone, it ended with {}", output.status);
    assert!(out.contains("1 passed"), "there is no test of this name");
}

/// A parent with a witness.
pub(crate) struct Siege {
    setup: Setup,
    pub(crate) objects: Objects,
    pub(crate) works: Arc<Works>,
    witness: Process,
    detached: Receiver<(Process, DetachReason)>,
    /// What has ended and was not asked for yet.
    ended: Vec<(Process, DetachReason)>,
    before: Held,
    panics: Arc<Mutex<Vec<String>>>,
}

impl Siege {
    fn begin(name: &str, transport: Transport) -> Self {
        let panics = note_panics();
        log::begin();
        let deadlines = Deadlines { start: PATIENCE, stop: SOON, ..Deadlines::default() };
        let setup = Setup::long(name, transport, ParentOptions::new().deadlines(deadlines));
        let objects = Objects::served(setup.parent());
        let works = Works::exported(&objects.exports);
        buffers::export(&objects.exports);
        for module in ["basics", "witness"] {
            setup.require(module);
        }
        // What is made once stays.
        let first = setup.spawn();
        sync(&first);
        first.kill();
        assert!(first.wait(SOON).is_some());
        drop(first);
        let witness = setup.spawn();
        ask::<(), _>(&witness, "watch", &());
        let (tell, detached) = channel();
        tell_detached(&setup, tell);
        let mut siege = Self {
            setup,
            objects,
            works,
            witness,
            detached,
            ended: Vec::new(),
            before: Held::now().expect("the system tells"),
            panics,
        };
        siege.goes_on();
        siege.before = Held::settled(None).expect("the system tells");
        siege
    }

    pub(crate) fn parent(&self) -> &Parent {
        self.setup.parent()
    }

    pub(crate) const fn transport(&self) -> Transport {
        self.setup.transport()
    }

    /// An honest child.
    pub(crate) fn spawn(&self) -> Process {
        self.setup.spawn()
    }

    /// Loads a module into all children, the witness too.
    pub(crate) fn require(&self, module: &str) {
        self.setup.require(module);
    }

    pub(crate) const fn witness(&self) -> &Process {
        &self.witness
    }

    fn puppets(&self, arguments: &[String]) -> ProcessOptions {
        let options = ProcessOptions::new().program(PUPPET).transport(self.transport());
        arguments.iter().fold(options, |options, argument| options.argument(argument))
    }

    /// A child that has said hello, and does what it is told from now on.
    pub(crate) fn puppet(&self) -> Puppet {
        self.puppet_with(Limits::new())
    }

    /// One that is to keep to these limits.
    pub(crate) fn puppet_with(&self, limits: Limits) -> Puppet {
        let strings = Strings::new();
        let options = self.puppets(&strings.arguments(true)).limits(limits);
        let process = self.parent().processes().spawn_with(options).expect("it says hello");
        Puppet { process, pull: strings.taken_up() }
    }

    /// A child that does what it is told before it has said hello.
    pub(crate) fn start(&self, act: impl FnOnce(&mut Pull) + Send) -> Result<Process, StartError> {
        let strings = Strings::new();
        let options = self.puppets(&strings.arguments(false));
        let processes = self.parent().processes();
        thread::scope(|scope| {
            let started = scope.spawn(move || processes.spawn_with(options));
            let mut pull = strings.taken_up();
            act(&mut pull);
            // The puppet ends with its strings.
            drop(pull);
            started.join().expect("starting does not panic")
        })
    }

    /// Waits for the end of a process.
    #[track_caller]
    pub(crate) fn ends(&mut self, process: &Process) -> DetachReason {
        loop {
            if let Some(at) = self.ended.iter().position(|(other, _)| other == process) {
                return self.ended.swap_remove(at).1;
            }
            match self.detached.recv_timeout(SOON) {
                Ok(ended) => self.ended.push(ended),
                Err(_) => panic!("the attacker is still there"),
            }
        }
    }

    /// Kills a puppet that has been a nuisance and no more.
    #[track_caller]
    pub(crate) fn kills(&mut self, puppet: &Puppet) {
        puppet.process.kill();
        assert_eq!(self.ends(&puppet.process), DetachReason::Killed { signal: 9 });
    }

    /// Waits until a process has been ended because it broke the protocol.
    #[track_caller]
    pub(crate) fn violates(&mut self, process: &Process) -> Violation {
        match self.ends(process) {
            DetachReason::Violation(violation) => violation,
            other => panic!("not ended as a violation, but {other}"),
        }
    }

    /// The witness makes calls until a process has gone, however long it takes until all is handled that it said before.
    #[track_caller]
    pub(crate) fn outlasts(&self, process: &Process) {
        while process.detached().is_none() {
            self.goes_on();
        }
    }

    /// The witness makes some calls from now on, from both of its threads.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        let calls = || ask::<u64, _>(&self.witness, "watched", &());
        let until = calls() + 10;
        while calls() < until {}
    }

    fn end(self) {
        self.goes_on();
        let Self { setup, objects, works, witness, detached, ended, before, panics } = self;
        let testimony: Testimony = ask(&witness, "testify", &());
        eprintln!("witness: {}", testimony.latencies());
        assert_eq!(testimony.failures, Vec::<String>::new());
        assert!(ended.is_empty() && detached.try_recv().is_err(), "a process ended that nobody asked for");
        assert_eq!(setup.parent().processes().len(), 2, "the main process and the witness");
        let after = Held::settled(Some(before)).expect("the system tells");
        assert_eq!(after.counts(), before.counts(), "descriptors, threads and children");
        let alive = objects.exports.alive();
        assert_eq!((alive.objects, alive.callbacks, alive.buffer_bytes), (1, 0, 0), "the witness's workshop");
        setup.close().expect("all processes end in time");
        drop((objects, works));
        let panics = panics.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(panics.is_empty(), "{panics:?}");
    }
}

/// A child that does what it is told.
pub(crate) struct Puppet {
    pub(crate) process: Process,
    pub(crate) pull: Pull,
}

impl Puppet {
    /// Has it do something, which may be its end.
    pub(crate) fn act(&mut self, command: &Command) -> Option<Done> {
        self.pull.pull(command)
    }

    /// Has it do something, and it lives.
    #[track_caller]
    pub(crate) fn acts(&mut self, command: &Command) -> Vec<u8> {
        self.act(command).expect("the puppet lives").expect("it can")
    }

    /// Sends a record on its main lane.
    pub(crate) fn say(&mut self, record: &[u8]) {
        self.act(&Command::Say { lane: 0, record: record.to_vec(), times: 1 });
    }

    pub(crate) fn say_message(&mut self, message: &ToParent<'_>) {
        self.say(&raw::short(message));
    }

    /// Sends a record on its main lane many times.
    pub(crate) fn repeat(&mut self, record: Vec<u8>, times: u32) {
        self.repeat_on(0, record, times);
    }

    /// Sends a record on a lane many times.
    pub(crate) fn repeat_on(&mut self, lane: u8, record: Vec<u8>, times: u32) {
        self.act(&Command::Say { lane, record, times });
    }

    /// Sends a record on a further lane.
    pub(crate) fn say_on(&mut self, lane: u8, record: Vec<u8>) {
        self.act(&Command::Say { lane, record, times: 1 });
    }

    /// Waits for a short message that `take` takes; all others are ignored.
    #[track_caller]
    pub(crate) fn hear<T>(&mut self, mut take: impl FnMut(ToChild<'_>) -> Option<T>) -> T {
        loop {
            let record = self.acts(&Command::Hear { lane: 0 });
            if let Some(taken) = take(raw::message(&record)) {
                return taken;
            }
        }
    }

    /// Waits for the return of a call.
    #[track_caller]
    pub(crate) fn returned(&mut self) -> Outcome<'static> {
        self.hear(|message| match message {
            ToChild::Object(call::ToChild::Return(answer)) => Some(answer.into_owned().outcome),
            _ => None,
        })
    }

    /// Waits until a function is called.
    #[track_caller]
    pub(crate) fn run(&mut self) -> InvocationId {
        self.hear(|message| match message {
            ToChild::Object(call::ToChild::Run(run)) => Some(run.invocation),
            _ => None,
        })
    }

    /// Asks for something, and waits for the return.
    #[track_caller]
    pub(crate) fn call(&mut self, request: Request<'_>) -> Outcome<'static> {
        self.say(&call_record(None, request));
        self.returned()
    }

    /// The object that is exported under a name.
    #[track_caller]
    pub(crate) fn look_up(&mut self, name: &str) -> LentId {
        match self.call(look_up(name)) {
            Outcome::Done(payload) => only_reference(&payload),
            other => panic!("{other:?}"),
        }
    }

    /// Makes an item with the workshop.
    #[track_caller]
    pub(crate) fn make(&mut self, workshop: LentId, name: &str) -> LentId {
        match self.call(method(workshop, "make", vec![Value::String(name.to_owned())], Vec::new())) {
            Outcome::Done(payload) => only_reference(&payload),
            other => panic!("{other:?}"),
        }
    }

    /// Writes words into the memory it shares.
    pub(crate) fn poke(&mut self, at: u64, words: &[u64]) {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.act(&Command::Poke { at, bytes });
    }
}

/// A record that is a whole message of these bytes.
pub(crate) fn record(message: &[u8]) -> Vec<u8> {
    [&[0], message].concat()
}

/// Whether a process was killed.
pub(crate) fn is_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;

    status.signal() == Some(9)
}

/// Asks for what is exported under a name.
pub(crate) fn look_up(name: &str) -> Request<'static> {
    Request::Lookup { root: Root::Module(name.to_owned().into()), interface: None }
}

/// Calls a method by its name.
pub(crate) fn method(
    object: LentId,
    name: &str,
    arguments: Vec<Value>,
    references: Vec<Reference<'static>>,
) -> Request<'static> {
    let access = if name == "make" { Access::Construct } else { Access::Call };
    let method = Selector::Named { name: name.to_owned().into(), access };
    let arguments = Payload { bytes: CowBytes(encoded(&Value::List(arguments)).into()), references };
    Request::Method { object, method, arguments }
}

/// A message that is a call, made by a function or not.
pub(crate) fn call_record(during: Option<InvocationId>, request: Request<'_>) -> Vec<u8> {
    raw::short(&ToParent::Object(call::ToParent::Call(Call { id: CallId(1), during, request })))
}

/// A function of the puppet's, which it need not have.
pub(crate) fn function(slot: u32) -> Reference<'static> {
    Reference::Function { id: LentId { slot, generation: 0 }, frame: None, made_at: here() }
}

/// A callback of the puppet's.
pub(crate) fn callback(slot: u32) -> Reference<'static> {
    Reference::Callback { id: LentId { slot, generation: 0 }, frame: None, made_at: here() }
}

fn here() -> Location<'static> {
    Location { file: "puppet.rs".into(), line: 1, column: 2 }
}

/// What a payload refers to.
#[track_caller]
pub(crate) fn only_reference(payload: &Payload<'_>) -> LentId {
    match payload.references.as_slice() {
        [Reference::Object(id) | Reference::ObjectOf { id, .. } | Reference::Buffer { id, .. }] => *id,
        other => panic!("{other:?}"),
    }
}

/// What encodes to these bytes.
pub(crate) fn encoded<T: serde::Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &mut bytes).expect("it can be encoded");
    bytes
}

fn tell_detached(setup: &Setup, tell: Sender<(Process, DetachReason)>) {
    setup.parent().processes().on_detach(move |process, reason| {
        // The last one goes with the parent.
        let _ = tell.send((process.clone(), reason.clone()));
    });
}

/// What panics on threads of the library, but in code of the tests, which is the application's here, and in that of ipc-channel, which is
/// contained.
fn note_panics() -> Arc<Mutex<Vec<String>>> {
    let panics: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&panics);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_ours = thread::current().name().is_some_and(|name| name.starts_with("remote-"));
        let is_elsewhere = |file: &str| file.starts_with("tests/") || file.contains("/ipc-channel-");
        if is_ours && !info.location().is_some_and(|location| is_elsewhere(location.file())) {
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
        }
        hook(info);
    }));
    panics
}

/// What attacks.
pub(crate) const PUPPET: &str = env!("CARGO_BIN_EXE_tests-puppet");

/// Set where a test runs in a process of its own.
const ALONE: &str = "REMOTE_HOSTILE_ALONE";

/// How long an attacker may take to end.
pub(crate) const SOON: Duration = Duration::from_secs(10);
