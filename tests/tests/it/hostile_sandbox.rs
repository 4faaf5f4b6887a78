//! Sandboxes: what a process cannot do that has been locked in, and what it still can.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use remote_parent::{
    DetachReason, Layer, LayerState, Process, ProcessOptions, Sandbox, SandboxError, StartError, Transport,
};
use tests::modules::answer_to;
use tests::modules::sandboxed::{DEADLY, REFUSED, Targets};
use tests::prepared;

use crate::harness::{
    CHILD, MISFIT, PATIENCE, PROGRAMS, Setup, ask, every_free_process_transport, heard, program, sync, try_ask, unique,
};

/// What is outside, for a process to reach.
struct Outside {
    directory: PathBuf,
    tcp: TcpListener,
    _unix: UnixListener,
    _named: UnixListener,
}

impl Outside {
    fn new(name: &str) -> Self {
        let directory = env::temp_dir().join(format!("remote-tests-{name}-{}", std::process::id()));
        fs::create_dir(&directory).expect("it is not there yet");
        fs::write(directory.join("there"), "text").expect("the directory is there");
        let address = SocketAddr::from_abstract_name(directory.as_os_str().as_encoded_bytes()).expect("a short name");
        Self {
            tcp: TcpListener::bind("127.0.0.1:0").expect("a port of this machine"),
            _unix: UnixListener::bind(directory.join("socket")).expect("the directory is there"),
            _named: UnixListener::bind_addr(&address).expect("nobody has this name"),
            directory,
        }
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().expect("the directory is ours").to_owned()
    }

    fn targets(&self) -> Targets {
        let address = self.tcp.local_addr().expect("it is bound").to_string();
        let directory = self.directory.to_str().expect("the directory is ours").to_owned();
        (address, self.path("socket"), directory.clone(), directory)
    }

    /// Everything outside is as it was.
    fn is_untouched(&self) -> bool {
        let mut names: Vec<_> = fs::read_dir(&self.directory)
            .expect("it is there")
            .map(|entry| entry.expect("it can be read").file_name())
            .collect();
        names.sort();
        names == ["socket", "there"]
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn setup(name: &str, transport: Transport) -> Setup {
    let setup = Setup::new(name, transport);
    setup.require("sandboxed");
    setup.require("basics");
    setup
}

fn spawn(setup: &Setup, sandbox: Sandbox) -> Process {
    start(setup, setup.options().sandbox(sandbox))
}

fn start(setup: &Setup, options: ProcessOptions) -> Process {
    match setup.parent().processes().spawn_with(options) {
        Ok(process) => process,
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    }
}

#[track_caller]
fn refused(outcome: Result<String, String>, what: &str) {
    match outcome {
        Err(error) if error.contains("(os error 1)") => {}
        other => panic!("{what}: {other:?}"),
    }
}

every_free_process_transport! {
    /// A22: a strict child is refused everything outside, one way out after the other, and lives on; a child without a sandbox is not.
    fn hostile_26_ways_out_are_refused(transport) {
        let setup = setup("hostile_ways_out_are_refused", transport);
        let outside = Outside::new(&format!("refused-{transport:?}"));
        let options = || setup.options().environment(prepared::DIRECTORY, &outside.directory);
        let locked = start(&setup, options().sandbox(Sandbox::strict()));
        for how in REFUSED {
            refused(try_ask(&locked, "try", &(how, outside.targets())), how);
        }
        sync(&locked);
        assert!(outside.is_untouched());
        let free = start(&setup, options());
        for how in REFUSED {
            let outcome: Result<String, String> = try_ask(&free, "try", &(how, outside.targets()));
            // Some systems forbid it to everybody.
            if let (Err(error), false) = (&outcome, *how == "io_uring") {
                assert!(!error.contains("(os error 1)"), "{how}: {error}");
            }
        }
        assert!(!outside.is_untouched());
    }

    /// A22: what no honest program tries in a sandbox ends the process, and its parent can read why; the others lose nothing.
    fn hostile_26_ways_into_others_end_the_process(transport) {
        let setup = setup("hostile_ways_into_others_end_the_process", transport);
        let outside = Outside::new(&format!("deadly-{transport:?}"));
        let witness = spawn(&setup, Sandbox::strict());
        for how in DEADLY {
            let child = spawn(&setup, Sandbox::strict());
            child.port().emit("trespass", &(how, outside.targets())).unwrap();
            let reason = child.wait(PATIENCE).unwrap_or_else(|| panic!("{how}: it lives on"));
            assert_eq!(reason, DetachReason::Killed { signal: 31 }, "{how}");
            assert!(reason.to_string().contains("SIGSYS") && reason.to_string().contains("sandbox"), "{reason}");
            sync(&witness);
        }
        assert!(outside.is_untouched());
    }

    /// A22: what walls there are is reported, layer by layer; of a process without a sandbox nothing is.
    fn hostile_26_a_sandbox_is_reported(transport) {
        let setup = setup("a_sandbox_is_reported", transport);
        let locked = spawn(&setup, Sandbox::strict());
        let report = locked.sandbox().expect("it has one");
        assert_eq!(report.iter().map(|(layer, _)| layer).collect::<Vec<_>>(), Layer::ALL);
        for layer in [Layer::Capabilities, Layer::NoNewPrivileges, Layer::SystemCalls] {
            assert!(report.is_enforced(layer), "{report}");
        }
        for layer in Layer::ALL {
            assert!(report.to_string().contains(&layer.to_string()), "{report}");
        }
        // The system does not count root's threads.
        match report.state(Layer::Limits) {
            Some(LayerState::Enforced) => {}
            Some(LayerState::Partly { missing }) => assert_eq!(missing, "threads"),
            other => panic!("{other:?}"),
        }
        let snapshot = setup.parent().snapshot();
        let locked = snapshot.processes.iter().find(|process| process.pid == locked.id().pid()).expect("it is there");
        assert_eq!(locked.sandbox.as_ref(), Some(report));
        assert!(snapshot.to_string().contains(&format!("sandbox: {report}")), "{snapshot}");
        let free = start(&setup, setup.options());
        assert_eq!(free.sandbox(), None);
        assert_eq!(setup.main().sandbox(), None);
    }

    /// A22: with less than is required no process is started, and the error names what is missing.
    fn hostile_26_less_than_required_is_not_started(transport) {
        let setup = setup("less_than_required_is_not_started", transport);
        let start = |path: &str, arguments: &[&str], sandbox| {
            let options = ProcessOptions::new().program(program(path)).transport(transport).sandbox(sandbox);
            let options = arguments.iter().fold(options, |options, argument| options.argument(argument));
            setup.parent().processes().spawn_with(options)
        };
        // It does not lock itself in, and does not say that it did.
        let error = start(MISFIT, &["greets"], Sandbox::strict()).expect_err("it has no sandbox");
        let StartError::Sandbox(SandboxError::Missing { layers }) = &error else { panic!("{error:?}") };
        let names: Vec<_> = layers.iter().map(|(layer, _)| layer).collect();
        assert_eq!(names, [Layer::NoNewPrivileges, Layer::SystemCalls]);
        let source = std::error::Error::source(&error).expect("it says what").to_string();
        assert!(source.contains("system calls not available"), "{source}");
        // The same, where nothing is required.
        let process = start(MISFIT, &["greets"], Sandbox::strict().best_effort()).expect("it starts");
        assert!(process.sandbox().expect("it was asked for").is_empty());
        // It does not end by itself.
        process.kill();
        process.wait(PATIENCE).expect("it is killed");
        // A thread that runs already is not locked in.
        let threaded = || setup.options().environment(prepared::THREAD, "1");
        let error = setup.parent().processes().spawn_with(threaded().sandbox(Sandbox::strict())).expect_err("it has a thread");
        assert!(std::error::Error::source(&error).expect("it says what").to_string().contains("threads"), "{error:?}");
        let process = setup.parent().processes().spawn_with(threaded().sandbox(Sandbox::strict().best_effort())).expect("it starts");
        let report = process.sandbox().expect("it was asked for");
        assert!(report.is_enforced(Layer::SystemCalls) && !report.is_enforced(Layer::Files), "{report}");
        refused(try_ask(&process, "try", &("open", Targets::default())), "open");
        // Nothing is left of those that did not start.
        assert_eq!(setup.parent().processes().len(), 2);
    }

    /// A22: paths that are allowed can be read, and others cannot; and none can be changed unless that is allowed, too.
    fn hostile_26_paths_are_kept_apart(transport) {
        let setup = setup("hostile_paths_are_kept_apart", transport);
        let (inside, outside) =
            (Outside::new(&format!("inside-{transport:?}")), Outside::new(&format!("outside-{transport:?}")));
        let (readable, secret) = (inside.path("there"), outside.path("there"));
        let link = inside.path("link");
        std::os::unix::fs::symlink(&secret, &link).unwrap();
        let child = spawn(&setup, Sandbox::read_only([&inside.directory]));
        assert_eq!(ask::<String, _>(&child, "read file", &readable), "text");
        for path in [&secret, &link, &format!("{}/../{}", inside.directory.display(), name(&outside)), "/proc/self/maps"] {
            let outcome = try_ask::<String, _>(&child, "read file", path);
            assert!(matches!(&outcome, Err(error) if error.contains("(os error 13)")), "{path}: {outcome:?}");
        }
        for path in [&readable, &inside.path("new"), &secret, &outside.path("new")] {
            refused(try_ask::<(), _>(&child, "write file", &(path, "other")).map(|()| String::new()), path);
        }
        refused(try_ask(&child, "try", &("start", outside.targets())), "start");
        fs::remove_file(&link).unwrap();
        assert!(inside.is_untouched() && outside.is_untouched());

        let child = spawn(&setup, Sandbox::strict().write(&inside.directory));
        ask::<(), _>(&child, "write file", &(&readable, "changed"));
        ask::<(), _>(&child, "write file", &(inside.path("new"), "made"));
        assert_eq!(fs::read_to_string(&readable).unwrap() + &ask::<String, _>(&child, "read file", &inside.path("new")), "changedmade");
        for path in [&secret, &outside.path("new")] {
            let outcome = try_ask::<(), _>(&child, "write file", &(path, "other"));
            assert!(matches!(&outcome, Err(error) if error.contains("(os error 13)")), "{path}: {outcome:?}");
        }
        assert!(outside.is_untouched());

        let missing = Path::new("/nowhere/to/be");
        let error = setup.parent().processes().spawn_with(setup.options().sandbox(Sandbox::read_only([missing]))).expect_err("it is not there");
        assert!(matches!(&error, StartError::Sandbox(SandboxError::Path { path, .. }) if path == missing), "{error:?}");
    }

    /// A22: a process that takes more memory than it may ends, and nobody else; one that starts threads without end gets no more than it
    /// may; and programs it cannot start at all.
    fn hostile_27_hogs_take_nobody_along(transport) {
        let setup = setup("hostile_hogs_take_nobody_along", transport);
        let small = Sandbox::strict().memory(256 << 20).threads(40);
        let (witness, child) = (spawn(&setup, small.clone()), spawn(&setup, small.clone()));
        child.port().emit("take memory", &()).unwrap();
        // The allocator aborts.
        assert_eq!(child.wait(PATIENCE), Some(DetachReason::Killed { signal: 6 }));
        sync(&witness);
        let child = spawn(&setup, small);
        let started = heard::<Process, Result<usize, String>>(&child.port(), &answer_to("start threads"));
        child.port().emit("start threads", &()).unwrap();
        // Root's threads are not counted: it runs out of memory, and ends in one way or another.
        let counts = child.sandbox().expect("it has one").is_enforced(Layer::Limits);
        let count = loop {
            match started.so_far().pop() {
                Some((_, count)) => break Some(count.expect("it does not panic")),
                None if child.detached().is_some() => break None,
                None => thread::yield_now(),
            }
        };
        match count {
            Some(count) if counts => assert!((1..40).contains(&count), "{count}"),
            Some(count) => assert!(count < (256 << 20) / (64 << 10), "{count}"),
            None => assert!(!counts, "the limit is an error, not the end"),
        }
        sync(&witness);
        let child = spawn(&setup, Sandbox::strict());
        for _ in 0..100 {
            refused(try_ask(&child, "try", &("start", Targets::default())), "start");
        }
        sync(&child);
        sync(&witness);
    }

    /// A22: a panic in a locked process is a panic like any other, also where it wants to say from where it came.
    fn hostile_26_a_panic_in_a_sandbox_is_contained(transport) {
        let setup = setup("a_panic_in_a_sandbox_is_contained", transport);
        let options = setup.options().environment("RUST_BACKTRACE", "full").stderr(remote_parent::Stream::Null);
        let child = start(&setup, options.sandbox(Sandbox::strict()));
        for _ in 0..2 {
            assert_eq!(try_ask::<(), _>(&child, "panic", &()), Err("as asked".to_owned()));
        }
        sync(&child);
    }

    /// A22: a locked process goes with its parent, and as it is told.
    fn hostile_26_a_locked_process_ends_as_any(transport) {
        let setup = setup("a_locked_process_ends_as_any", transport);
        let (first, second) = (spawn(&setup, Sandbox::strict()), spawn(&setup, Sandbox::strict()));
        first.close();
        assert_eq!(first.wait(PATIENCE), Some(DetachReason::Closed));
        second.kill();
        assert_eq!(second.wait(PATIENCE), Some(DetachReason::Killed { signal: 9 }));
    }
}

fn name(outside: &Outside) -> String {
    outside.directory.file_name().expect("it has a name").to_str().expect("it is ours").to_owned() + "/there"
}

/// A22: what is no process cannot be locked in, and the error says so.
#[test]
fn hostile_26_a_thread_cannot_be_locked_in() {
    let setup = Setup::new("a_thread_cannot_be_locked_in", Transport::Memory);
    let options = ProcessOptions::new().transport(Transport::Memory).sandbox(Sandbox::strict());
    let error = setup.parent().processes().spawn_with(options).expect_err("it is no process");
    assert!(matches!(error, StartError::Sandbox(SandboxError::NoProcess)), "{error:?}");
    assert_eq!(setup.parent().processes().len(), 1);
}

/// A22: the same as an ordinary user, if this is root: then all of these tests are run again, as nobody.
#[test]
fn hostile_26_ways_out_are_refused_to_an_ordinary_user() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    // These programs may lie where nobody can reach them.
    let own = env::current_exe().expect("this program has a path");
    let directory = env::temp_dir().join(unique("remote-tests-nobody"));
    fs::create_dir(&directory).expect("it is not there yet");
    for from in [CHILD, MISFIT].map(Path::new).into_iter().chain([&*own]) {
        fs::copy(from, directory.join(from.file_name().expect("it is a file"))).expect("there is room for it");
    }
    // Groups of root's go along, which is no right that counts here.
    let mut command = Command::new(directory.join(own.file_name().expect("it is a file")));
    command.arg("hostile_sandbox").env(PROGRAMS, &directory).uid(NOBODY).gid(NOBODY).current_dir("/");
    let output = command.output();
    fs::remove_dir_all(&directory).expect("it is ours");
    let output = output.expect("nobody can start it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

const NOBODY: u32 = 65534;
