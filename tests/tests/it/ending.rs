//! How processes end, and what is told of it.

use std::time::Duration;

use remote_parent::{Deadlines, DetachReason, Frame, ParentOptions, Process, Transport};
use tests::gate::Gate;
use tests::objects::Objects;

use crate::harness::{Events, Log, PATIENCE, Setup, ask, every_process_transport, every_transport, heard, sync};

/// The reason that is told of a process, once on the item and once on the list, after all that it sent.
fn reason_after(child: &Process, setup: &Setup, last: Option<u32>, end: impl FnOnce()) -> DetachReason {
    let log = Log::default();
    let processes = setup.parent().processes();
    let own = log.clone();
    processes.port().on("before the end", move |_process, number: u32| own.push(number.to_string()));
    let own = log.clone();
    child.on_detach(move |_process, _reason| own.push("detach"));
    let own = log.clone();
    processes.on_detach(move |_process, _reason| own.push("detach on the list"));
    end();
    let reason = child.wait(PATIENCE).expect("it goes");
    let mut expected: Vec<String> = Vec::new();
    if let Some(last) = last {
        expected.extend((0..last).chain([u32::MAX]).map(|number| number.to_string()));
    }
    expected.extend(["detach".to_owned(), "detach on the list".to_owned()]);
    assert_eq!(log.take(), expected);
    assert!(processes.get(child.id()).is_none());
    reason
}

every_transport! {
    /// A8: a process that is closed ends in good order.
    fn a_process_that_is_closed_is_told_as_closed(setup) {
        let child = setup.spawn();
        assert_eq!(reason_after(&child, &setup, None, || child.close()), DetachReason::Closed);
    }

    /// A8: so does one that closes itself.
    fn a_process_that_closes_itself_is_told_as_closed(setup) {
        setup.require("ending");
        let child = setup.spawn();
        let end = || child.port().emit("close yourself", &()).unwrap();
        assert_eq!(reason_after(&child, &setup, Some(0), end), DetachReason::Closed);
    }

    /// A8: what was sent to a process before it is closed is handled before it goes.
    fn what_was_sent_before_the_close_is_handled(setup) {
        setup.require("ports");
        let child = setup.spawn();
        let said = heard::<Process, String>(&child.port(), "said");
        let texts: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        for text in &texts {
            child.port().emit("say", &("said", [text])).unwrap();
        }
        child.close();
        child.wait(PATIENCE).expect("it goes");
        assert_eq!(said.so_far().into_iter().map(|(_, text)| text).collect::<Vec<_>>(), texts);
    }

    /// A8: a process that is killed says so; its frames detach before it does.
    fn a_process_that_is_killed_loses_its_frames_first(setup) {
        setup.require("ending");
        let child = setup.spawn();
        let other = setup.spawn();
        ask::<(), _>(&child, "open frames", &3);
        ask::<(), _>(&other, "open frames", &1);
        let opened = setup.parent().frames().open(&child, remote_parent::FrameOptions::tab()).unwrap();
        let log = Log::default();
        let own = log.clone();
        setup.parent().frames().on_detach(move |frame: &Frame| own.push(format!("frame {}", frame.is_attached())));
        let own = log.clone();
        setup.parent().processes().on_detach(move |_process, _reason| own.push("process"));
        child.kill();
        let reason = child.wait(PATIENCE).expect("it goes");
        assert_eq!(log.take(), ["frame false", "frame false", "frame false", "frame false", "process"]);
        assert!(!opened.is_attached());
        assert_eq!(setup.parent().frames().len(), 1);
        match setup.transport() {
            Transport::Memory => assert_eq!(reason, DetachReason::Disconnected),
            _ => assert_eq!(reason, DetachReason::Killed { signal: 9 }),
        }
    }

    /// A8: modules hear that they are unloaded, and why.
    fn modules_hear_why_they_are_unloaded(setup) {
        setup.require("ending");
        setup.require("basics");
        let gate = Gate::new();
        let child = setup.spawn();
        child.port().emit("report the unloading", &gate.address()).unwrap();
        sync(&child);
        child.close();
        assert_eq!(gate.arrival().text(), "shutdown");
    }

    /// A8: a process that does not end is killed at the deadline; the error names it, and nothing else is held up.
    fn a_process_that_does_not_end_is_killed_at_close(setup) {
        let transport = setup.transport();
        drop(setup);
        let deadlines = Deadlines { start: PATIENCE, stop: Duration::from_millis(300), ..Deadlines::default() };
        let options = ParentOptions::new().deadlines(deadlines);
        let setup = Setup::impatient("a_process_that_does_not_end_is_killed_at_close", transport, options);
        setup.require("ending");
        let child = setup.spawn();
        let gate = Gate::new();
        child.port().emit("get stuck", &gate.address()).unwrap();
        let waiting = gate.arrival();
        let error = setup.close().unwrap_err();
        assert!(error.killed().contains(&child.id()), "{error}");
        assert!(error.to_string().contains(&child.id().to_string()), "{error}");
        assert!(child.detached().is_some());
        if transport == Transport::Memory {
            waiting.let_go();
        } else {
            assert_eq!(waiting.text(), "");
            assert_eq!(child.detached(), Some(&DetachReason::Unresponsive));
        }
    }

    /// A8: a call that is in progress when the parent goes ends.
    fn a_call_in_progress_ends_when_the_parent_goes(setup) {
        a_call_ends(setup, "call and report");
    }

    /// A8: so does one of another thread.
    fn a_call_of_another_thread_ends_when_the_parent_goes(setup) {
        a_call_ends(setup, "call on a thread and report");
    }

    /// A8: a method goes on when the process that called it has gone, and what it returns is let go of.
    fn a_method_outlives_the_process_that_called_it(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("ending");
        let [child, other] = [setup.spawn(), setup.spawn()];
        let detached = setup.detaches();
        let (report, gate) = (Gate::new(), Gate::new());
        child.port().emit("call and report", &(report.address(), gate.address())).unwrap();
        let (waiting, said) = (gate.arrival(), report.arrival());
        child.kill();
        let said = said.text();
        assert!(said.is_empty() || said.contains("Disconnected"), "{said}");
        ask::<(), _>(&other, "open frames", &1);
        detached.none();
        waiting.let_go();
        assert_eq!(objects.dropped.recv(), Ok("too late".to_owned()));
        assert_eq!(detached.next().0, child);
    }

    /// A8: closing a process on its own thread does not wait for itself.
    fn a_listener_may_close_its_own_process(setup) {
        setup.require("ports");
        let child = setup.spawn();
        let (tell, waited) = Events::new("waited");
        child.port().on("said", move |process: &Process, _: String| {
            process.close();
            tell.tell(process.wait(PATIENCE));
        });
        child.port().emit("say", &("said", ["close me"])).unwrap();
        assert_eq!(waited.next(), None);
        assert_eq!(child.wait(PATIENCE), Some(DetachReason::Closed));
    }

    /// A8: the parent waits until its children have ended by themselves; the main process stays.
    fn the_parent_waits_for_its_children(setup) {
        setup.require("ending");
        let children = [setup.spawn(), setup.spawn()];
        for child in &children {
            child.port().emit("close yourself", &()).unwrap();
        }
        setup.parent().wait();
        assert!(children.iter().all(|child| child.detached() == Some(&DetachReason::Closed)));
        assert_eq!(setup.parent().processes().len(), 1);
    }

    /// A8: dropping the parent ends everything, as closing it does.
    fn dropping_the_parent_ends_its_children(setup) {
        setup.require("ending");
        setup.require("basics");
        let gate = Gate::new();
        let children = [setup.spawn(), setup.spawn()];
        for child in &children {
            child.port().emit("report the unloading", &gate.address()).unwrap();
            sync(child);
        }
        setup.drop_parent();
        for _ in &children {
            assert_eq!(gate.arrival().text(), "shutdown");
        }
        assert!(children.iter().all(|child| child.detached() == Some(&DetachReason::Closed)));
    }
}

/// A child in a call, whose parent goes while the method waits.
fn a_call_ends(setup: Setup, how: &str) {
    let transport = setup.transport();
    drop(setup);
    let deadlines = Deadlines { start: PATIENCE, stop: Duration::from_millis(300), ..Deadlines::default() };
    let setup = Setup::impatient(how, transport, ParentOptions::new().deadlines(deadlines));
    let objects = Objects::served(setup.parent());
    setup.require("ending");
    let child = setup.spawn();
    let (report, gate) = (Gate::new(), Gate::new());
    child.port().emit(how, &(report.address(), gate.address())).unwrap();
    let (waiting, said) = (gate.arrival(), report.arrival());
    // Where only the method is in the way, closing may succeed.
    let _ = setup.close();
    let said = said.text();
    match transport {
        Transport::Memory => assert!(said.contains("Disconnected"), "{said}"),
        // It may have been killed before it could say so.
        _ => assert!(said.is_empty() || said.contains("Disconnected"), "{said}"),
    }
    waiting.let_go();
    assert_eq!(objects.dropped.recv(), Ok("too late".to_owned()));
}

every_process_transport! {
    /// A8: a process that exits says with which code.
    fn a_process_that_exits_is_told_with_its_code(transport) {
        let setup = Setup::new("a_process_that_exits_is_told_with_its_code", transport);
        setup.require("ending");
        for code in [3, 0, 255] {
            let child = setup.spawn();
            let reason = exit_reason(&child, || child.port().emit("exit after", &(code, 0)).unwrap());
            assert_eq!(reason, DetachReason::Exited { code });
        }
    }

    /// A8: what a process had sent when it exited, as much as the system has of it, is heard in order before its detach.
    fn what_a_process_had_sent_when_it_exited_is_heard_before_its_detach(transport) {
        let name = "what_a_process_had_sent_when_it_exited_is_heard_before_its_detach";
        let setup = Setup::new(name, transport);
        setup.require("ending");
        for code in [3, -1] {
            let child = setup.spawn();
            let log = Log::default();
            let own = log.clone();
            child.port().on("before the end", move |_process, number: u32| own.push(number.to_string()));
            let own = log.clone();
            child.on_detach(move |_process, _reason| own.push("detach"));
            exit_reason(&child, || child.port().emit("exit after", &(code, 1000)).unwrap());
            let mut heard = log.take();
            assert_eq!(heard.pop().as_deref(), Some("detach"));
            let all = (0..1000).chain([u32::MAX]).map(|number| number.to_string());
            assert_eq!(heard, all.take(heard.len()).collect::<Vec<_>>());
        }
    }

    /// A8: a process that crashes says by which signal.
    fn a_process_that_crashes_is_told_with_its_signal(transport) {
        let setup = Setup::new("a_process_that_crashes_is_told_with_its_signal", transport);
        setup.require("ending");
        let child = setup.spawn();
        let reason = exit_reason(&child, || child.port().emit("exit after", &(-1, 0)).unwrap());
        assert_eq!(reason, DetachReason::Killed { signal: 6 });
    }

    /// A8: a process that is killed from outside says so.
    #[cfg(unix)]
    fn a_process_that_is_killed_from_outside_is_told_so_and_reaped(transport) {
        use rustix::process::{Pid, Signal, kill_process, test_kill_process};

        let setup = Setup::new("a_process_that_is_killed_from_outside_is_told_so_and_reaped", transport);
        let child = setup.spawn();
        let pid = Pid::from_raw(i32::try_from(child.id().pid()).unwrap()).unwrap();
        let reason = exit_reason(&child, || kill_process(pid, Signal::KILL).unwrap());
        assert_eq!(reason, DetachReason::Killed { signal: 9 });
        // Not even a zombie is left.
        assert_eq!(test_kill_process(pid), Err(rustix::io::Errno::SRCH));
    }

    /// A8: a child that is busy for ever is killed at close, and named.
    fn a_child_that_is_busy_for_ever_is_killed_at_close(transport) {
        let (setup, child) = stuck("a_child_that_is_busy_for_ever_is_killed_at_close", transport);
        let error = setup.close().unwrap_err();
        assert!(error.killed().contains(&child.id()), "{error}");
        assert_eq!(child.detached(), Some(&DetachReason::Unresponsive));
    }

    /// A8: one that does not end when it is closed is killed in the background.
    fn a_process_that_does_not_close_is_killed_in_the_background(transport) {
        let (setup, child) = stuck("a_process_that_does_not_close_is_killed_in_the_background", transport);
        child.close();
        assert_eq!(child.wait(PATIENCE), Some(DetachReason::Unresponsive));
        // Nobody is left to be killed; but under load the main process may be late.
        let _ = setup.close();
    }
}

/// A child that is busy for ever, and the parent of it, which does not wait long for it to stop.
fn stuck(name: &str, transport: Transport) -> (Setup, Process) {
    let deadlines = Deadlines { start: PATIENCE, stop: Duration::from_millis(300), ..Deadlines::default() };
    let setup = Setup::impatient(name, transport, ParentOptions::new().deadlines(deadlines));
    setup.require("ending");
    let child = setup.spawn();
    let stuck = heard::<Process, ()>(&child.port(), "stuck");
    child.port().emit("never come back", &()).unwrap();
    stuck.next();
    (setup, child)
}

fn exit_reason(child: &Process, end: impl FnOnce()) -> DetachReason {
    end();
    child.wait(PATIENCE).expect("it goes")
}
