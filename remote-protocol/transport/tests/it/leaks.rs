//! What a link leaves behind in its process. Counted in a process of its own, where nothing else runs.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use remote_protocol::id::LaneId;
use remote_protocol::link::Received;
use remote_transport::{INBOX_BYTES, ipc};

use crate::support::{Pair, late, process_pairs, record, rerun, rerun_argument, within};

/// Runs `round` some times in a process of its own, after which there must be no more threads and descriptors
/// than after the first time.
fn leaves_nothing(name: &str, round: impl Fn() + Send + 'static) {
    if rerun_argument().is_none() {
        within(Duration::from_secs(120), {
            let name = name.to_owned();
            move || {
                let output = rerun(&name, "alone").output().expect("this binary runs");
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{name}: {}: {said}", output.status);
            }
        });
        return;
    }
    within(Duration::from_secs(100), move || {
        // What the process makes once and keeps.
        let threads = count("/proc/self/task");
        round();
        wait_for("threads", || count("/proc/self/task") <= threads);
        let descriptors = count("/proc/self/fd");
        for _ in 0..20 {
            round();
        }
        wait_for("threads", || count("/proc/self/task") <= threads);
        wait_for("descriptors", || count("/proc/self/fd") <= descriptors);
    });
}

fn count(directory: &str) -> usize {
    fs::read_dir(directory).expect("this is Linux").count()
}

fn wait_for(what: &str, is_done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_done() {
        assert!(Instant::now() < deadline, "{what} are left behind");
        thread::yield_now();
    }
}

#[test]
fn a_link_that_was_closed_leaves_nothing() {
    leaves_nothing("leaks::a_link_that_was_closed_leaves_nothing", || {
        for Pair { parent, child } in process_pairs(INBOX_BYTES) {
            let mut parent_main = parent.open(LaneId::MAIN).unwrap();
            let mut child_main = child.open(LaneId::MAIN).unwrap();
            child_main.tx.send(b"x").unwrap();
            assert_eq!(record(&mut parent_main), b"x");
            parent.close();
        }
    });
}

#[test]
fn closing_one_end_ends_the_threads_of_both() {
    leaves_nothing("leaks::closing_one_end_ends_the_threads_of_both", || {
        let threads = count("/proc/self/task");
        let pairs = process_pairs(INBOX_BYTES);
        pairs.iter().for_each(|pair| pair.child.close());
        // Both ends are still held.
        wait_for("threads", || count("/proc/self/task") <= threads);
        drop(pairs);
    });
}

#[test]
fn a_link_dropped_while_records_are_queued_leaves_nothing() {
    let name = "leaks::a_link_dropped_while_records_are_queued_leaves_nothing";
    leaves_nothing(name, || {
        for Pair { parent, child } in process_pairs(INBOX_BYTES) {
            let mut main = parent.open(LaneId::MAIN).unwrap();
            for _ in 0..2_000 {
                main.tx.send(&[1; 1000]).unwrap();
            }
            drop((parent, main, child));
        }
    });
}

#[test]
fn an_overflow_leaves_nothing() {
    leaves_nothing("leaks::an_overflow_leaves_nothing", || {
        for Pair { parent, child } in process_pairs(100_000) {
            let mut main = child.open(LaneId::MAIN).unwrap();
            while main.tx.send(&[1; 1000]).is_ok() {}
            drop((parent, child, main));
        }
    });
}

#[test]
fn a_panicking_handler_ends_the_link_and_leaves_nothing() {
    let name = "leaks::a_panicking_handler_ends_the_link_and_leaves_nothing";
    leaves_nothing(name, || {
        for Pair { parent, child } in process_pairs(INBOX_BYTES) {
            parent.on_lane(Box::new(|_, _| panic!("as the test wants")));
            let mut lane = child.open(LaneId(1)).unwrap();
            lane.tx.send(b"x").unwrap();
            let mut buffer = Vec::new();
            let received = lane.rx.recv(&mut buffer, Some(late()));
            assert!(matches!(received, Received::Closed(_)), "{received:?}");
            drop(parent);
        }
    });
}

#[test]
fn an_acceptance_leaves_nothing_however_it_ends() {
    leaves_nothing("leaks::an_acceptance_leaves_nothing_however_it_ends", || {
        let mut addresses = Vec::new();
        let mut server = || {
            let server = ipc::Server::new().unwrap();
            addresses.push(server.address().to_owned());
            server
        };

        drop(server());
        drop(server().listen().unwrap());
        server().listen().unwrap().abort();
        assert!(server().listen().unwrap().wait(Instant::now()).is_err());
        let accepted = server();
        let child = ipc::connect(accepted.address()).unwrap();
        let parent = accepted.listen().unwrap().wait(late()).unwrap();
        drop((parent, child));
        // The child has connected, and nobody takes the link.
        let ignored = server();
        let child = ipc::connect(ignored.address()).unwrap();
        drop(ignored.listen().unwrap());
        drop(child);

        for address in addresses {
            let directory = Path::new(&address).parent().unwrap();
            wait_for("directories", || !directory.exists());
        }
    });
}
