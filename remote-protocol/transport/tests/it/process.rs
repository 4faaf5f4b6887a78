//! Links between real processes.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use remote_protocol::id::LaneId;
use remote_protocol::link::{Closure, Lane, Link, Received};
use remote_transport::ipc::{self, AcceptError};

use crate::support::{Reaped, event, late, record, rerun, rerun_argument, within};

/// What the children run; does nothing when the runner gets here by itself.
#[test]
fn child() {
    let Some(argument) = rerun_argument() else {
        return;
    };
    let (role, address) = argument.split_once(' ').expect("a role and an address");
    if role == "absent" {
        return;
    }
    if role == "ancestor" {
        // It has what this process was given, and keeps it.
        #[expect(clippy::zombie_processes, reason = "this process goes before it")]
        let heir = Command::new("sleep").arg("60").stdin(Stdio::inherit()).spawn().expect("it starts");
        eprintln!("{}", heir.id());
    }
    if role == "lister" {
        show_descriptors();
    }
    let link = connect(address);
    if role == "lister" {
        show_descriptors();
    }
    let mut main = link.open(LaneId::MAIN).expect("nobody took it");
    if role != "echo" {
        main.tx.send(&[1; 100]).expect("open");
        assert!(link.flush(late()));
    }
    let mut buffer = Vec::new();
    while let Received::Record = main.rx.recv(&mut buffer, Some(late())) {
        main.tx.send(&buffer).expect("open");
    }
}

/// Says what a child of this process would inherit.
fn show_descriptors() {
    // It fails to show the one it looks with.
    let _ = Command::new("ls").args(["-l", "/proc/self/fd"]).stdout(std::io::stderr()).status().expect("it starts");
}

fn connect(address: &str) -> Arc<dyn Link> {
    #[cfg(target_os = "linux")]
    if address == remote_transport::lane::ADDRESS {
        return Arc::new(remote_transport::lane::connect().expect("the parent made a link"));
    }
    Arc::new(ipc::connect(address).expect("the parent listens"))
}

fn spawn(role: &str, address: &str, stdin: Stdio) -> Reaped {
    let mut command = rerun("process::child", &format!("{role} {address}"));
    Reaped(command.stdin(stdin).spawn().expect("this binary runs"))
}

type Started = (Arc<dyn Link>, Lane, Reaped);

fn start_ipc(role: &str) -> Started {
    let server = ipc::Server::new().expect("a server");
    let child = spawn(role, server.address(), Stdio::null());
    let link = server.listen().expect("a thread").wait(late()).expect("a child");
    let main = link.open(LaneId::MAIN).expect("nobody took it");
    (Arc::new(link), main, child)
}

#[cfg(target_os = "linux")]
fn start_lane(role: &str) -> Started {
    use std::fs::File;
    use std::os::fd::AsFd;

    use remote_transport::lane;
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    let server = lane::Server::new(0).expect("memory and descriptors");
    let null = File::open("/dev/null").expect("it is there");
    let child = spawn(role, lane::ADDRESS, server.invite(null.as_fd()).expect("it has room"));
    let process = pidfd_open(Pid::from_child(&child.0), PidfdFlags::empty()).expect("it is not reaped");
    let (link, watch) = server.listen();
    thread::spawn(move || watch.run(Some(process.as_fd())));
    let main = link.open(LaneId::MAIN).expect("nobody took it");
    (Arc::new(link), main, child)
}

fn every_start(body: impl Fn(fn(&str) -> Started) + Send + 'static) {
    within(Duration::from_secs(120), move || {
        body(start_ipc);
        #[cfg(target_os = "linux")]
        body(start_lane);
    });
}

#[test]
fn a_child_process_answers_and_ends_with_its_link() {
    every_start(|start| {
        let (link, mut main, mut child) = start("echo");
        for call in 0..1_000_u32 {
            main.tx.send(&call.to_le_bytes()).unwrap();
            assert_eq!(record(&mut main), call.to_le_bytes());
        }

        link.close();

        assert!(child.0.wait().unwrap().success());
    });
}

#[test]
fn long_records_go_both_ways_faster_than_they_are_read() {
    every_start(|start| {
        let (_link, mut main, _child) = start("echo");
        let sent = |index: usize| vec![index as u8; 60_000 + index];
        for index in 0..200 {
            main.tx.send(&sent(index)).unwrap();
        }
        for index in 0..200 {
            assert_eq!(record(&mut main), sent(index));
        }
    });
}

#[test]
fn a_child_that_is_killed_ends_the_link_after_what_it_said() {
    every_start(|start| {
        let (_link, mut main, mut child) = start("talker");
        assert_eq!(record(&mut main), [1; 100]);

        child.0.kill().unwrap();

        assert_eq!(event(&mut main), Received::Closed(Closure::Ended));
    });
}

/// Whoever has the child's end of the socket cannot keep the link open. Over ipc-channel it would, and the parent closes it.
#[cfg(target_os = "linux")]
#[test]
fn a_link_ends_with_its_child_though_others_have_its_descriptors() {
    use std::io::{BufRead, BufReader};

    use rustix::process::{Pid, Signal, kill_process};

    within(Duration::from_secs(120), || {
        let (_link, mut main, mut child) = start_lane("ancestor");
        let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
        let heir = lines.find_map(|line| line.unwrap().parse().ok()).and_then(Pid::from_raw).unwrap();
        assert_eq!(record(&mut main), [1; 100]);

        child.0.kill().unwrap();

        assert_eq!(event(&mut main), Received::Closed(Closure::Ended));
        kill_process(heir, Signal::KILL).unwrap();
    });
}

/// Neither does a child inherit anything but its standard streams, nor what it starts itself.
#[cfg(target_os = "linux")]
#[test]
fn nobody_inherits_the_memory_or_the_socket() {
    use std::io::Read;

    within(Duration::from_secs(120), || {
        let (link, mut main, mut child) = start_lane("lister");
        assert_eq!(record(&mut main), [1; 100]);
        link.close();
        let mut shown = String::new();
        child.0.stderr.take().unwrap().read_to_string(&mut shown).unwrap();

        let descriptors: Vec<_> = shown.lines().filter_map(|line| line.split_once(" -> ")).collect();
        assert!(descriptors.len() >= 6, "{shown}");
        // Before it has connected, its standard input is the socket.
        let (_, socket) = descriptors.iter().find(|(left, _)| left.ends_with(" 0")).unwrap();
        assert!(socket.starts_with("socket:"), "{shown}");
        assert_eq!(shown.matches(socket).count(), 1, "{shown}");
        assert!(!shown.contains("remote-lane"), "{shown}");
    });
}

#[test]
fn a_child_that_dies_before_connecting_is_not_waited_for() {
    within(Duration::from_secs(120), || {
        let server = ipc::Server::new().unwrap();
        let mut child = spawn("absent", server.address(), Stdio::null());
        let acceptance = server.listen().unwrap();
        let abort = acceptance.clone();
        let watcher = thread::spawn(move || {
            child.0.wait().unwrap();
            abort.abort();
        });

        let result = acceptance.wait(late());

        assert!(matches!(result, Err(AcceptError::Aborted)), "{result:?}");
        watcher.join().unwrap();
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_dies_before_connecting_ends_the_link() {
    within(Duration::from_secs(120), || {
        let (_link, mut main, _child) = start_lane("absent");

        assert_eq!(event(&mut main), Received::Closed(Closure::Ended));
    });
}
