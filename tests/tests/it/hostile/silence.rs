//! Children that do nothing, for a while or for good, and what they leave behind.

use std::process::Command as Program;
use std::time::Duration;

use remote_object::CallbackError;
use remote_parent::{DetachReason, EmitError, FrameOptions, Process};
use remote_protocol::call::Outcome;
use remote_protocol::limits::WINDOW_BYTES;
use remote_protocol::value::Value;
use rustix::process::{Pid, Signal, kill_process};
use tests::puppet::Command;

use super::siege::{callback, hostile, method};
use crate::harness::{Events, ask, sync};

fn signal(process: &Process, signal: Signal) {
    let pid = i32::try_from(process.id().pid()).ok().and_then(Pid::from_raw).expect("it is a process");
    kill_process(pid, signal).expect("it is there");
}

/// Fills its window; gives how many bytes went.
fn fill(process: &Process) -> usize {
    let load = [7_u8; 10_000];
    for sent in 1.. {
        match process.port().emit("load", &load[..]) {
            Ok(()) => assert!(sent * load.len() <= WINDOW_BYTES, "there is no end"),
            Err(EmitError::Backlog { .. }) => return sent * load.len(),
            Err(other) => panic!("{other:?}"),
        }
    }
    unreachable!("numbers have no end")
}

hostile! {
    /// To a child that reads nothing the parent sends as much as its window allows, and then says so at once; what else it is asked is kept.
    fn hostile_9_a_child_that_never_reads_fills_its_window_and_no_more(siege) {
        let mut x = siege.puppet();
        let bell = x.look_up("bell");
        let outcome = x.call(method(bell, "add", vec![Value::Function(0)], vec![callback(0)]));
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        let sent = fill(&x.process);
        assert!(sent > WINDOW_BYTES / 2, "{sent}");
        let listener = siege.objects.bell.listeners.lock().expect("nothing panics").pop().expect("it was added");
        let called = listener.call("ring".repeat(5000));
        assert!(matches!(called, Err(CallbackError::Backlog { .. })), "{called:?}");
        // For all, too; the others hear it.
        let (tell, heard) = Events::new("sync: answer");
        siege.witness().port().once("sync: answer", move |_process, _: Result<(), String>| tell.tell(()));
        assert!(siege.parent().processes().port().emit("load", &[7_u8; 10_000][..]).is_err());
        siege.parent().processes().port().emit("sync", &()).ok();
        heard.next();
        for _ in 0..1000 {
            siege.parent().frames().open(&x.process, FrameOptions::new()).expect("it is never refused");
        }
        siege.goes_on();
        drop(listener);
        x.process.close_within(Duration::from_millis(50));
        assert_eq!(siege.ends(&x.process), DetachReason::Unresponsive);
        assert!(siege.parent().frames().is_empty());
    }

    /// A child that is stopped holds up nobody; when it goes on it handles what was sent.
    fn hostile_15_a_child_that_is_stopped_goes_on_where_it_was(siege) {
        let x = siege.spawn();
        sync(&x);
        signal(&x, Signal::STOP);
        fill(&x);
        siege.goes_on();
        let (tell, answered) = Events::new("sync: answer");
        x.port().once("sync: answer", move |_process, answer: Result<(), String>| tell.tell(answer));
        signal(&x, Signal::CONT);
        while x.port().emit("sync", &()).is_err() {
            // As soon as there is room.
            std::thread::yield_now();
        }
        assert_eq!(answered.next(), Ok(()));
        x.kill();
        assert_eq!(siege.ends(&x), DetachReason::Killed { signal: 9 });
    }

    /// One that is stopped in the midst of a call, and never goes on, is killed when it is asked to close.
    fn hostile_15_a_child_that_is_stopped_for_good_is_killed(siege) {
        let x = siege.spawn();
        ask::<(), _>(&x, "watch", &());
        signal(&x, Signal::STOP);
        siege.goes_on();
        x.close_within(Duration::from_millis(50));
        assert_eq!(siege.ends(&x), DetachReason::Unresponsive);
    }

    /// A process of the child's own that keeps everything of the link open does not keep the link.
    fn hostile_16_a_grandchild_that_keeps_the_link_open_keeps_nobody(siege) {
        let mut x = siege.puppet();
        let bytes = x.acts(&Command::LeaveBehind);
        let grandchild = u32::from_le_bytes(bytes.try_into().expect("a number"));
        x.process.kill();
        assert_eq!(siege.ends(&x.process), DetachReason::Killed { signal: 9 });
        siege.goes_on();
        let killed = Program::new("kill").arg("-9").arg(grandchild.to_string()).status().expect("there is such a program");
        assert!(killed.success(), "it was there to the end");
    }
}
