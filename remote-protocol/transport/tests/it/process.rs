//! Links between real processes.

use std::time::Duration;

use remote_protocol::id::LaneId;
use remote_protocol::link::{Closure, Lane, Link, Received};
use remote_transport::ipc::{self, AcceptError, IpcLink};

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
    let link = ipc::connect(address).expect("the parent listens");
    let mut main = link.open(LaneId::MAIN).expect("nobody took it");
    if role == "talker" {
        main.tx.send(&[1; 100]).expect("open");
        assert!(link.flush(late()));
    }
    let mut buffer = Vec::new();
    while let Received::Record = main.rx.recv(&mut buffer, Some(late())) {
        main.tx.send(&buffer).expect("open");
    }
}

fn spawn(role: &str, server: &ipc::Server) -> Reaped {
    let argument = format!("{role} {}", server.address());
    Reaped(rerun("process::child", &argument).spawn().expect("this binary runs"))
}

fn start(role: &str) -> (IpcLink, Lane, Reaped) {
    let server = ipc::Server::new().expect("a server");
    let child = spawn(role, &server);
    let link = server.listen().expect("a thread").wait(late()).expect("a child");
    let main = link.open(LaneId::MAIN).expect("nobody took it");
    (link, main, child)
}

#[test]
fn a_child_process_answers_and_ends_with_its_link() {
    within(Duration::from_secs(120), || {
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
fn a_child_that_is_killed_ends_the_link_after_what_it_said() {
    within(Duration::from_secs(120), || {
        let (_link, mut main, mut child) = start("talker");
        assert_eq!(record(&mut main), [1; 100]);

        child.0.kill().unwrap();

        assert_eq!(event(&mut main), Received::Closed(Closure::Ended));
    });
}

#[test]
fn a_child_that_dies_before_connecting_is_not_waited_for() {
    within(Duration::from_secs(120), || {
        let server = ipc::Server::new().unwrap();
        let mut child = spawn("absent", &server);
        let acceptance = server.listen().unwrap();
        let abort = acceptance.clone();
        let watcher = std::thread::spawn(move || {
            child.0.wait().unwrap();
            abort.abort();
        });

        let result = acceptance.wait(late());

        assert!(matches!(result, Err(AcceptError::Aborted)), "{result:?}");
        watcher.join().unwrap();
    });
}
