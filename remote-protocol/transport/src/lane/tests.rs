//! What a peer can do that has the memory and the socket, and none of our code.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use remote_protocol::id::LaneId;
use remote_protocol::limits::RECORD_BYTES;
use remote_protocol::link::{Closure, Link, Receive, Received};

use super::bell::Flag;
use super::end::Shared;
use super::layout::{self, RingId, Side};
use super::memory::Region;
use super::{LaneLink, Server, watch};

/// A parent, and what its child has.
struct Parent {
    link: LaneLink,
    region: Arc<Region>,
    socket: OwnedFd,
}

impl Parent {
    fn new() -> Self {
        let server = Server::new(0).unwrap();
        let region = server.region();
        let (socket, link, watch) = server.into_child();
        thread::spawn(move || watch.run(None));
        Self { link, region, socket }
    }

    /// Sends a byte as the child.
    fn tell(&self, byte: u8) {
        rustix::net::send(&self.socket, &[byte], rustix::net::SendFlags::NOSIGNAL).unwrap();
    }
}

fn late() -> Option<Instant> {
    Some(Instant::now() + Duration::from_secs(60))
}

/// Receives until the link is closed.
fn closure(rx: &mut dyn Receive) -> Closure {
    let mut record = Vec::new();
    loop {
        match rx.recv(&mut record, late()) {
            Received::Closed(closure) => return closure,
            Received::TimedOut => panic!("it hangs"),
            Received::Record | Received::Woken => {}
        }
    }
}

#[test]
fn memory_that_is_overwritten_at_random_harms_nobody() {
    for seed in 1..20_u64 {
        let parent = Parent::new();
        let mut main = parent.link.open(LaneId::MAIN).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let scribbler = thread::spawn({
            let (region, stop) = (Arc::clone(&parent.region), Arc::clone(&stop));
            move || {
                let mut state = seed;
                while !stop.load(Ordering::Relaxed) {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    // Where it matters most: the first page of each part, and the words of the first rings.
                    let (words, flags) = (region.words(), region.flags());
                    words[state as usize % 4096].store(state % 70_000, Ordering::Relaxed);
                    flags[(state >> 32) as usize % 64].store((state % 3) as u32, Ordering::Relaxed);
                }
            }
        });

        // Nothing may come of it, where what looked like a record led past what is overwritten; but never anything else.
        let soon = Instant::now() + Duration::from_millis(50);
        let mut record = Vec::new();
        while Instant::now() < soon {
            if let Received::Closed(closed) = main.rx.recv(&mut record, Some(soon)) {
                assert!(matches!(closed, Closure::Misused { .. } | Closure::Corrupted { .. }), "{closed:?}");
                break;
            }
            assert!(record.len() <= RECORD_BYTES);
            let _ = main.tx.send(&[1; 100]);
        }
        parent.link.close();
        closure(&mut *main.rx);
        while main.tx.send(b"x").is_ok() {}
        stop.store(true, Ordering::Relaxed);
        scribbler.join().unwrap();
    }
}

#[test]
fn a_receiver_notices_the_end_though_its_flag_is_forged() {
    for _ in 0..20 {
        let parent = Parent::new();
        let ring = RingId::new(LaneId::MAIN, Side::Parent).unwrap();
        let mut main = parent.link.open(LaneId::MAIN).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let forger = thread::spawn({
            let (region, stop) = (Arc::clone(&parent.region), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    // It stays raised whoever lowers it.
                    layout::flag(&region, ring).store(1, Ordering::Relaxed);
                }
            }
        });
        let receiver = thread::spawn(move || main.rx.recv(&mut Vec::new(), None));

        parent.link.close();

        assert_eq!(receiver.join().unwrap(), Received::Closed(Closure::Ended));
        stop.store(true, Ordering::Relaxed);
        forger.join().unwrap();
    }
}

#[test]
fn a_peer_that_rings_for_nothing_is_cut_off() {
    let parent = Parent::new();
    let ring = RingId::new(LaneId::MAIN, Side::Parent).unwrap();
    let mut main = parent.link.open(LaneId::MAIN).unwrap();
    let (done, is_done) = mpsc::channel::<()>();
    let ringer = thread::spawn({
        let region = Arc::clone(&parent.region);
        move || {
            let flag = layout::flag(&region, ring);
            while is_done.try_recv() == Err(mpsc::TryRecvError::Empty) {
                flag.lower();
                flag.wake();
                thread::yield_now();
            }
        }
    });

    let closed = closure(&mut *main.rx);

    assert_eq!(closed, Closure::Corrupted { what: "wake-ups without records" });
    drop(done);
    ringer.join().unwrap();
}

#[test]
fn bytes_that_say_nothing_true_end_the_link() {
    let nonsense = Closure::Corrupted { what: "a byte that says nothing" };
    let not_new = Closure::Misused { length: 0 };
    let cases = [
        (0xff, nonsense),
        (0, nonsense),
        (watch::announcement(LaneId::MAIN), not_new),
        (watch::announcement(LaneId(3)), not_new),
    ];
    for (byte, expected) in cases {
        let parent = Parent::new();
        let mut main = parent.link.open(LaneId::MAIN).unwrap();

        parent.tell(byte);

        assert_eq!(closure(&mut *main.rx), expected, "{byte}");
    }
}

#[test]
fn a_lane_that_is_announced_twice_ends_the_link() {
    let parent = Parent::new();
    let (keep, kept) = mpsc::channel();
    parent.link.on_lane(Box::new(move |_, lane| keep.send(lane).unwrap()));
    let mut main = parent.link.open(LaneId::MAIN).unwrap();

    parent.tell(watch::announcement(LaneId(1)));
    parent.tell(watch::room(LaneId(1)));
    parent.tell(watch::announcement(LaneId(1)));

    assert_eq!(closure(&mut *main.rx), Closure::Misused { length: 0 });
    assert_eq!(closure(&mut *kept.recv().unwrap().rx), Closure::Misused { length: 0 });
    assert!(kept.recv().is_err());
}

#[test]
fn a_child_that_never_reads_is_cut_off_and_costs_no_more_than_the_limit() {
    let parent = Parent::new();
    let limit = 3_000_000;
    parent.link.set_inbox_bytes(limit);
    let mut main = parent.link.open(LaneId::MAIN).unwrap();
    let mut sent = 0;
    while main.tx.send(&[1; 50_000]).is_ok() {
        sent += 50_000;
    }

    assert!(sent <= limit, "{sent}");
    assert_eq!(closure(&mut *main.rx), Closure::Overflow { limit });
}

#[test]
fn what_is_written_after_the_end_is_not_received_for_ever() {
    let parent = Parent::new();
    let mut main = parent.link.open(LaneId(1)).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (region, socket, stop) = (Arc::clone(&parent.region), parent.socket, Arc::clone(&stop));
        move || {
            let child = Shared::new(Side::Child, region, socket);
            let mut producer = super::ring::Producer::new(child.ring(LaneId(1), Side::Parent).unwrap());
            while !stop.load(Ordering::Relaxed) {
                let _ = producer.push(&[1; 30_000], 0);
                child.ring_peer(LaneId(1));
            }
        }
    });
    assert_eq!(main.rx.recv(&mut Vec::new(), late()), Received::Record);

    parent.link.close();

    assert_eq!(closure(&mut *main.rx), Closure::Ended);
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn a_sleeper_that_was_moved_to_another_word_is_woken_all_the_same() {
    let parent = Parent::new();
    let mut main = parent.link.open(LaneId::MAIN).unwrap();
    let waker = main.rx.waker();
    let asleep = thread::spawn(move || {
        let woken = main.rx.recv(&mut Vec::new(), None);
        (woken, main.rx.recv(&mut Vec::new(), None))
    });
    let flags =
        [LaneId::MAIN, LaneId(1)].map(|lane| layout::flag(&parent.region, RingId::new(lane, Side::Parent).unwrap()));
    let move_it = || {
        let moved = || rustix::thread::futex::requeue(flags[0], rustix::thread::futex::Flags::empty(), 0, 1, flags[1]);
        while moved().unwrap() == 0 {
            thread::yield_now();
        }
    };
    move_it();

    waker.wake();
    move_it();
    parent.link.close();

    assert_eq!(asleep.join().unwrap(), (Received::Woken, Received::Closed(Closure::Ended)));
}

#[test]
fn whoever_writes_to_the_socket_without_end_does_not_hide_the_end_of_the_process() {
    let server = Server::new(0).unwrap();
    let (socket, link, watch) = server.into_child();
    let mut main = link.open(LaneId::MAIN).unwrap();
    let mut process = std::process::Command::new("true").spawn().unwrap();
    let descriptor =
        rustix::process::pidfd_open(rustix::process::Pid::from_child(&process), rustix::process::PidfdFlags::empty());
    let watching = thread::spawn(move || watch.run(Some(descriptor.unwrap().as_fd())));
    let flood = thread::spawn(move || {
        let bytes = [watch::room(LaneId::MAIN); 4096];
        while rustix::net::send(&socket, &bytes, rustix::net::SendFlags::NOSIGNAL).is_ok() {}
    });

    watching.join().unwrap();

    assert_eq!(closure(&mut *main.rx), Closure::Ended);
    flood.join().unwrap();
    process.wait().unwrap();
}
