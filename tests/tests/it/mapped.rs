//! Buffers in memory that the child sees: what only that transport does.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

use remote_parent::{DetachReason, Process, Transport};
use tests::buffers::served;
use tests::modules::mapped::Mapping;

use crate::harness::{PATIENCE, Setup, ask};

fn setup(name: &str) -> Setup {
    Setup::new(name, Transport::Lane)
}

/// A child that looks at its memory.
fn looker(setup: &Setup) -> Process {
    setup.require("mapped");
    setup.spawn()
}

/// The memory that the buffers of a process take, in bytes.
fn taken(process: &Process) -> u64 {
    let Mapping { inode, .. } = ask(process, "mapping", &());
    let descriptors = fs::read_dir("/proc/self/fd").expect("this is Linux");
    // Other tests open and close theirs meanwhile.
    let files = descriptors.filter_map(|entry| fs::metadata(entry.ok()?.path()).ok());
    let file = files.into_iter().find(|file| file.ino() == inode && file.size() == 256 << 20);
    file.expect("the parent has it").blocks() * 512
}

/// Waits until they take so much.
fn wait_taken(process: &Process, bytes: u64) {
    let watchdog = Instant::now() + PATIENCE;
    while taken(process) != bytes {
        assert!(Instant::now() < watchdog, "{} bytes are taken, not {bytes}", taken(process));
        thread::sleep(Duration::from_millis(10));
    }
}

/// B14, B6: a child sees its buffers, and cannot write where they are: it has no descriptor, and its mapping allows no writing, now or ever.
#[test]
fn a_child_cannot_write_where_it_reads() {
    let setup = setup("a_child_cannot_write_where_it_reads");
    let _exports = served(setup.parent());
    let child = looker(&setup);
    assert!(ask::<bool, _>(&child, "look", &100_000));

    let Mapping { flags, descriptors, .. } = ask(&child, "mapping", &());

    // No `wr`, and no `mw`, without which no mapping becomes writable.
    assert!(flags.contains(&"rd".to_owned()), "{flags:?}");
    assert!(!flags.contains(&"wr".to_owned()) && !flags.contains(&"mw".to_owned()), "{flags:?}");
    assert!(!descriptors.is_empty() && !descriptors.iter().any(|name| name.contains("buffers")), "{descriptors:?}");
}

/// B14, B6: buffers take memory while the child or the parent has them, and not much longer.
#[test]
fn memory_is_given_back_with_the_last_handle() {
    let setup = setup("memory_is_given_back_with_the_last_handle");
    let exports = served(setup.parent());
    let child = looker(&setup);
    assert_eq!(taken(&child), 0);
    let shared: Vec<bool> = ask(&child, "view", &(3, 1 << 20, 0));
    assert_eq!((shared, taken(&child)), (vec![true; 3], 3 << 20));
    // One goes, and another one takes its place.
    let shared: Vec<bool> = ask(&child, "view", &(1, 1 << 20, 1));
    assert_eq!((shared, taken(&child)), (vec![true], 3 << 20));
    ask::<Vec<bool>, _>(&child, "view", &(0, 0, 3));
    // The release comes before the answer.
    assert_eq!(exports.alive().buffer_bytes, 0);
    wait_taken(&child, 0);
    // The gallery has this one, and so it stays where the child saw it.
    assert!(ask::<bool, _>(&child, "look", &(1 << 20)));
    ask::<Vec<bool>, _>(&child, "view", &(0, 0, 0));
    assert_eq!((exports.alive().buffer_bytes, taken(&child)), (0, 1 << 20));
}

/// B14: what finds no room is read as over any transport, until there is room again.
#[test]
fn what_finds_no_room_is_read_all_the_same() {
    let setup = setup("what_finds_no_room_is_read_all_the_same");
    let exports = served(setup.parent());
    let child = looker(&setup);
    // Each takes 128 KiB of 256 MiB, though they weigh little more than half of that.
    let shared: Vec<bool> = ask(&child, "view", &(2100, (64 << 10) + 1, 0));
    assert_eq!(shared.iter().filter(|shared| **shared).count(), 2048);
    assert_eq!(ask::<Vec<bool>, _>(&child, "view", &(1, (64 << 10) + 1, 0)), [false]);
    assert_eq!(ask::<Vec<bool>, _>(&child, "view", &(2, (64 << 10) + 1, 1)), [true, false]);
    // There is room of one of them, which is too little for what is longer; then of two, one beside the other.
    assert_eq!(ask::<Vec<bool>, _>(&child, "view", &(1, 200 << 10, 1)), [false]);
    assert_eq!(ask::<Vec<bool>, _>(&child, "view", &(1, 200 << 10, 1)), [true]);
    ask::<Vec<bool>, _>(&child, "view", &(0, 0, 2102));
    assert_eq!(exports.alive().buffer_bytes, 0);
    wait_taken(&child, 0);
}

/// B14, A7: what a child looks at stays what it is until the child ends, though its parent has ended the link.
#[test]
fn what_is_looked_at_stays_to_the_end() {
    let setup = setup("what_is_looked_at_stays_to_the_end");
    let exports = served(setup.parent());
    for number in 0..4 {
        let child = looker(&setup);
        ask::<(), _>(&child, "look on", &100_000);
        if number % 2 == 0 {
            child.close();
        } else {
            child.kill();
        }
        let reason = child.wait(PATIENCE).expect("it goes");
        let expected = if number % 2 == 0 { DetachReason::Closed } else { DetachReason::Killed { signal: 9 } };
        assert_eq!((reason, exports.alive().buffer_bytes), (expected, 0));
    }
}

/// B14: each child sees a copy of its own, and none of what another one was lent.
#[test]
fn children_do_not_share_their_memory() {
    let setup = setup("children_do_not_share_their_memory");
    let _exports = served(setup.parent());
    setup.require("mapped");
    let children = thread::scope(|scope| {
        let started = [(); 2].map(|()| scope.spawn(|| setup.spawn()));
        started.map(|child| child.join().expect("it starts"))
    });
    assert!(ask::<bool, _>(&children[0], "look", &(1 << 20)));
    assert_eq!(children.each_ref().map(taken), [1 << 20, 0]);
    assert!(ask::<bool, _>(&children[1], "look", &(1 << 20)));
    let inodes = children.each_ref().map(|child| ask::<Mapping, _>(child, "mapping", &()).inode);
    assert_ne!(inodes[0], inodes[1]);
}
