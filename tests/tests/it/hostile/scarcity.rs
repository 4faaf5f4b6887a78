//! A parent that is short of descriptors or memory, whoever is to blame.

use std::fs;

use remote_parent::{DetachReason, ProcessOptions, StartError, Stream};
use remote_protocol::call::{self, Request};
use remote_protocol::id::LentId;
use remote_protocol::message::ToParent;
use remote_protocol::value::Value;
use rustix::process::{Resource, getrlimit, setrlimit};
use tests::gate::Gate;
use tests::puppet::Command;

use super::siege::{call_record, hostile, hostile_over_the_lane, method, only_reference};
use crate::harness::{CHILD, sync};

/// Does something while so many descriptors are left, in the whole process.
fn with_descriptors<R>(left: usize, act: impl FnOnce() -> R) -> R {
    let list = fs::read_dir("/proc/self/fd").expect("the list of descriptors");
    let numbers: Vec<usize> = list
        .map(|entry| entry.expect("a descriptor").file_name().to_string_lossy().parse().expect("a number"))
        .collect();
    // The one of the list itself is closed by now.
    let taken = |number: &usize| numbers.contains(number) && fs::read_link(format!("/proc/self/fd/{number}")).is_ok();
    let limit = (0_usize..).filter(|number| !taken(number)).nth(left).expect("numbers have no end");
    let before = getrlimit(Resource::Nofile);
    let mut lowered = before;
    lowered.current = Some(limit as u64);
    setrlimit(Resource::Nofile, lowered).expect("it may be lowered");
    let result = act();
    setrlimit(Resource::Nofile, before).expect("it may be raised again");
    result
}

/// The most memory that this process has had since it was last asked, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the system tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the most there was");
    // From here on.
    fs::write("/proc/self/clear_refs", "5").expect("it may be written");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

hostile! {
    /// Wherever the descriptors run out while a child is started, that is an error; the others go on, and with descriptors the next
    /// one starts.
    fn hostile_17_a_start_without_descriptors_is_an_error(siege) {
        let mut failed = 0;
        for left in 0.. {
            let options = ProcessOptions::new()
                .program(CHILD)
                .transport(siege.transport())
                .stdin(Stream::Piped)
                .stdout(Stream::Piped)
                .stderr(Stream::Piped);
            let processes = siege.parent().processes();
            let started = with_descriptors(left, || {
                let started = processes.spawn_with(options);
                siege.goes_on();
                started
            });
            match started {
                Ok(x) => {
                    sync(&x);
                    x.kill();
                    assert_eq!(siege.ends(&x), DetachReason::Killed { signal: 9 });
                    break;
                }
                Err(error) => {
                    // Over ipc-channel what the child sends may be what there is no room for.
                    let is_expected = matches!(
                        error,
                        StartError::Transport(_)
                            | StartError::Program { .. }
                            | StartError::Thread(_)
                            | StartError::Exited { .. }
                            | StartError::NotOurs { .. }
                    );
                    assert!(is_expected, "with {left}: {error:?}");
                    failed += 1;
                }
            }
            let x = siege.spawn();
            sync(&x);
            x.close();
            assert_eq!(siege.ends(&x), DetachReason::Closed);
        }
        eprintln!("{failed} places where descriptors run out");
        assert!(failed > 5, "{failed}");
    }

    /// What is there goes on without descriptors: calls, further threads, frames, and the end.
    fn hostile_17_what_is_there_needs_no_descriptors(siege) {
        siege.require("steps");
        let x = siege.spawn();
        sync(&x);
        with_descriptors(0, || {
            crate::harness::ask::<(), _>(&x, "take steps", &());
            x.close();
            assert_eq!(siege.ends(&x), DetachReason::Closed);
            siege.goes_on();
        });
        assert!(siege.objects.exports.alive().callbacks == 0);
    }
}

hostile_over_the_lane! {
    /// No length, count or position that a child says decides how much memory is taken.
    fn hostile_18_numbers_that_a_child_says_allocate_nothing(siege) {
        let mut x = siege.puppet();
        let gallery = x.look_up("gallery");
        let list = ToParent::Object(call::ToParent::Release(Vec::new().into()));
        let list = tests::raw::short(&list);
        let head = &list[..list.len() - 1];
        let _ = peak();
        let before = peak();
        for huge in [u64::MAX, 1 << 40, 1 << 31] {
            for request in [
                Request::Read { buffer: gallery, offset: huge, length: huge },
                Request::Read { buffer: LentId { slot: u32::MAX, generation: 0 }, offset: 0, length: huge },
            ] {
                x.call(request);
            }
        }
        // A list, announced as ever longer than it is, and which is not there.
        for bytes in 1..9 {
            let mut y = siege.puppet();
            y.say(&[head, &vec![0xff; bytes], &[0x01]].concat());
            siege.violates(&y.process);
        }
        let grown = peak() - before;
        eprintln!("{grown} KiB at most");
        assert!(grown < 8 << 10, "{grown} KiB");
        x.process.kill();
        siege.ends(&x.process);
    }

    /// While a thread of the parent is busy with a child, that cannot make the parent keep more than its ring.
    fn hostile_18_what_a_child_says_meanwhile_stays_where_it_is(siege) {
        let gate = Gate::new();
        let mut x = siege.puppet();
        let workshop = x.look_up("workshop");
        let at_gate = vec![Value::String(gate.address()), Value::String("x".into())];
        let _ = peak();
        let before = peak();
        x.say(&call_record(None, method(workshop, "make_at", at_gate, Vec::new())));
        let waiting = gate.arrival();
        // It is ended for it when the thread comes to it, if not before.
        x.pull.begin(&Command::Say { lane: 0, record: [vec![1], vec![7; 60_000]].concat(), times: 2000 });
        siege.goes_on();
        let meanwhile = peak() - before;
        waiting.let_go();
        siege.outlasts(&x.process);
        siege.violates(&x.process);
        let afterwards = peak() - before;
        eprintln!("{meanwhile} KiB meanwhile, {afterwards} KiB while it is joined");
        assert!(meanwhile < 8 << 10, "{meanwhile} KiB");
        assert!(afterwards < 64 << 10, "{afterwards} KiB");
    }

    /// Messages that are begun on all lanes, and never ended, take what one may have, twice.
    fn hostile_18_messages_that_are_never_ended_take_what_they_may(siege) {
        let mut x = siege.puppet();
        let _ = peak();
        let before = peak();
        let piece = [vec![1], vec![7; 60_000]].concat();
        for lane in 0..16 {
            let times = if lane == 0 { 270 } else { 18 };
            x.acts(&Command::Say { lane, record: piece.clone(), times });
        }
        siege.goes_on();
        let grown = peak() - before;
        eprintln!("{grown} KiB");
        assert!(grown < 96 << 10, "{grown} KiB");
        x.process.kill();
        siege.ends(&x.process);
    }

    /// Answers that nobody reads.
    fn hostile_18_calls_answered_with_much_take_what_they_may(siege) {
        let mut x = siege.puppet();
        let gallery = x.look_up("gallery");
        let canvas = x.call(method(gallery, "canvas", vec![Value::I64(1 << 20)], Vec::new()));
        let call::Outcome::Done(payload) = canvas else { panic!("{canvas:?}") };
        let buffer = only_reference(&payload);
        let _ = peak();
        let before = peak();
        let read = call_record(None, Request::Read { buffer, offset: 0, length: 1 << 20 });
        x.pull.begin(&Command::Say { lane: 0, record: read, times: 10_000 });
        siege.outlasts(&x.process);
        siege.violates(&x.process);
        let grown = peak() - before;
        eprintln!("{grown} KiB");
        assert!(grown < 128 << 10, "{grown} KiB");
    }
}
