//! What can be found out about a parent's processes, while they live and when they are gone.

use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use remote_object::Value;
use remote_parent::{DetachReason, Frame, FrameOptions, Process, Transport, this_module};
use tests::gate::Gate;
use tests::objects::Objects;

use crate::harness::{PATIENCE, Setup, Watchdog, ask, every_process_transport, every_transport, heard, sync};

/// A parent with a child, which does a little of everything, with or without a log.
fn logged(name: &str, log: Option<&str>) -> Output {
    let _watchdog = Watchdog::start(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tests-logged"));
    // A panic that is a listener's own is told on standard error, too, with a trace or without.
    command.env_remove("REMOTE_LOG").env("RUST_BACKTRACE", "0").envs(log.map(|log| ("REMOTE_LOG", log)));
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    output
}

/// One line of the log.
#[derive(Debug, PartialEq)]
struct Line {
    seconds: f64,
    process: u32,
    /// Whether it was sent to the child.
    sent: bool,
    kind: String,
    /// What it is about, its size and perhaps its value.
    rest: String,
}

/// The lines of the log, without what a panic prints by itself.
fn lines(output: &Output) -> Vec<Line> {
    let text = str::from_utf8(&output.stderr).expect("text");
    text.lines().filter(|line| !is_of_the_panic(line)).map(line).collect()
}

/// What Rust prints of the panic that one of the child's listeners has.
fn is_of_the_panic(line: &str) -> bool {
    let own = ["one line", "and another", "note: run with `RUST_BACKTRACE=1`"];
    line.is_empty() || line.starts_with("thread '") || own.iter().any(|own| line.starts_with(own))
}

#[track_caller]
fn line(text: &str) -> Line {
    let parsed = || {
        let (seconds, rest) = text.strip_prefix('[')?.split_once("] ")?;
        let (process, rest) = rest.split_once(' ')?;
        let (direction, rest) = rest.split_once(' ')?;
        let (kind, rest) = rest.split_once(' ')?;
        let sent = match direction {
            "->" => true,
            "<-" => false,
            _ => return None,
        };
        Some(Line {
            seconds: seconds.trim().parse().ok()?,
            process: process.parse().ok()?,
            sent,
            kind: kind.to_owned(),
            rest: rest.to_owned(),
        })
    };
    parsed().unwrap_or_else(|| panic!("not a line of the log: {text:?}"))
}

/// The first line of this kind that is about this, and its place.
#[track_caller]
fn find<'a>(lines: &'a [Line], sent: bool, kind: &str, about: &str) -> (usize, &'a Line) {
    let found =
        lines.iter().enumerate().find(|(_, line)| line.sent == sent && line.kind == kind && line.rest.contains(about));
    found.unwrap_or_else(|| panic!("no {kind} about {about} in {lines:#?}"))
}

/// The log: each message is a line with time, process, direction, kind, what it is about, and its size.
#[test]
fn every_message_is_a_line_of_the_log() {
    let output = logged("every_message_is_a_line_of_the_log", Some("1"));
    let all = lines(&output);
    let child: u32 = str::from_utf8(&output.stdout).unwrap().trim().parse().unwrap();
    assert!(all.iter().all(|line| (0.0..60.0).contains(&line.seconds)));
    let of_child: Vec<Line> = all.into_iter().filter(|line| line.process == child).collect();
    // In the order in which they were sent or came, as far as one was the answer to the other.
    let story = [
        (false, "Hello", "process"),
        (true, "Welcome", "process"),
        (true, "OpenLoader", "loader 0"),
        (true, "Require", "tests::modules::frames"),
        (true, "Event", r#""note""#),
        (true, "Event", r#""a name\nof two lines""#),
        (true, "Event", r#""explode over two lines""#),
        (false, "Trouble", "explode over two lines"),
        (false, "Event", r#""pong""#),
        (false, "Call", "workshop"),
        (false, "Event", r#""located" of frame"#),
        (true, "CloseFrame", "frame"),
        (false, "FrameClosed", "frame"),
        (true, "Close", ""),
        (false, "Bye", ""),
    ];
    let mut last = 0;
    for (sent, kind, about) in story {
        let (place, line) = find(&of_child, sent, kind, about);
        assert!(place >= last, "{line:?} comes too early");
        last = place;
        let size = line.rest.strip_suffix(" B").and_then(|rest| rest.rsplit(' ').next()).map(str::parse::<u32>);
        assert!(matches!(size, Some(Ok(1..))), "{line:?}");
    }
    // The call of another thread, on a lane of its own, with its return.
    find(&of_child, false, "Call", "of object");
    find(&of_child, true, "Return", "call");
    // Nothing of what was carried.
    assert!(
        of_child.iter().all(|line| !line.rest.contains("#there") && !line.rest.contains("two\\nlines")),
        "{of_child:#?}"
    );
}

/// The log: with values, it has what events carry, still in one line.
#[test]
fn the_log_has_the_values_where_they_are_asked_for() {
    let output = logged("the_log_has_the_values_where_they_are_asked_for", Some("values"));
    let lines = lines(&output);
    let child: u32 = str::from_utf8(&output.stdout).unwrap().trim().parse().unwrap();
    let of_child: Vec<Line> = lines.into_iter().filter(|line| line.process == child).collect();
    let values = [
        (true, r#""note""#, r#""two\nlines""#),
        (true, "changeLocation", r##""#there""##),
        (false, "located", r##""about:blank#there""##),
        (true, r#""ping""#, "(typed)"),
        (true, r#""add on a thread""#, "1"),
        (true, r#""add on a thread""#, "2"),
    ];
    for (sent, about, value) in values {
        let (_, line) = find(&of_child, sent, "Event", about);
        let (_, found) = line.rest.split_once(" B ").unwrap_or_else(|| panic!("no value in {line:?}"));
        assert!(found.contains(value), "{value} in {line:?}");
    }
}

/// The log: there is none where it is not asked for.
#[test]
fn there_is_no_log_where_it_is_not_asked_for() {
    for log in [None, Some("0"), Some("")] {
        let output = logged("there_is_no_log_where_it_is_not_asked_for", log);
        assert_eq!(lines(&output), []);
    }
}

fn get<'a>(value: &'a Value, key: &str) -> &'a Value {
    let Value::Map(entries) = value else { panic!("{value:?} is no map") };
    &entries.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("no `{key}` in {value:?}")).1
}

every_transport! {
    /// The snapshot: processes, frames and loaders as they are; it can be serialised and printed.
    fn a_snapshot_has_processes_frames_and_loaders(setup) {
        setup.require("basics");
        setup.require("frames");
        let second = setup.parent().loader("second").unwrap();
        second.remote_require("tests::modules::ports", this_module!()).unwrap();
        let child = setup.parent().processes().spawn_with(setup.options().name("worker")).unwrap();
        let opened = setup.parent().frames().open(&child, FrameOptions::tab()).unwrap();
        let attached = heard::<Frame, bool>(&setup.parent().frames().port(), "attached in the child");
        setup.parent().frames().open(&setup.main(), FrameOptions::new()).unwrap();
        while attached.next().0.process() != &setup.main() {}
        sync(&child);
        let snapshot = setup.parent().snapshot();
        let [main, worker] = &*snapshot.processes else { panic!("{snapshot:?}") };
        assert_eq!(
            (main.pid, main.serial, main.name.as_deref(), main.remote),
            (std::process::id(), 0, Some("main"), false)
        );
        assert_eq!(
            (worker.pid, worker.serial, worker.name.as_deref(), worker.remote, worker.responsive),
            (child.id().pid(), child.id().serial(), Some("worker"), true, true)
        );
        assert!(matches!(worker.last_message, Some("Event" | "Handled")), "{worker:?}");
        let frames: Vec<_> = snapshot.frames.iter().map(|frame| (frame.process, frame.tab)).collect();
        assert_eq!(snapshot.frames.len(), 2);
        assert!(frames.contains(&(child.id().pid(), true)) && frames.contains(&(std::process::id(), false)));
        assert!(snapshot.frames.iter().any(|frame| frame.id == opened.id().to_string()));
        let [first, other] = &*snapshot.loaders else { panic!("{snapshot:?}") };
        assert_eq!((&*first.name, first.unloading), ("main", false));
        assert_eq!(first.modules, ["tests::modules::basics", "tests::modules::frames"]);
        assert!(first.listeners > other.listeners);
        assert_eq!((&*other.name, other.listeners), ("second", 0));
        assert_eq!(other.modules, ["tests::modules::ports"]);

        let value = Value::from_serialize(&snapshot).unwrap();
        let Value::List(processes) = get(&value, "processes") else { panic!("{value:?}") };
        assert_eq!(get(&processes[1], "name"), &Value::from("worker"));
        assert_eq!(get(&processes[1], "pid"), &Value::I64(child.id().pid().into()));
        assert!(matches!(get(&value, "frames"), Value::List(frames) if frames.len() == 2));
        let text = snapshot.to_string();
        let worker = format!("process {} (worker): responsive", child.id());
        for part in [&*worker, "a tab", "loader second: 1 modules", &opened.id().to_string()] {
            assert!(text.contains(part), "{part} in {text}");
        }
        // One that is locked in has a line of its own for that.
        assert_eq!(text.lines().filter(|line| !line.starts_with(' ')).count(), 6);

        second.unload("enough");
        child.close();
        child.wait(PATIENCE).expect("it goes");
        ask::<Vec<(remote_parent::FrameId, bool)>, _>(&setup.main(), "frames", &());
        let snapshot = setup.parent().snapshot();
        assert_eq!((snapshot.processes.len(), snapshot.frames.len(), snapshot.loaders.len()), (1, 1, 1));
    }

    /// The snapshot: what a process was sent and has not handled counts, and what it has handled.
    fn a_snapshot_tells_what_lies_unhandled(setup) {
        setup.require("ending");
        setup.require("basics");
        let child = setup.spawn();
        sync(&child);
        let gate = Gate::new();
        child.port().emit("get stuck", &gate.address()).unwrap();
        let waiting = gate.arrival();
        for _ in 0..3 {
            child.port().emit("discard", &vec![7u8; 1000]).unwrap();
        }
        let stuck = setup.parent().snapshot().processes[1].clone();
        assert!(stuck.unhandled >= 3000, "{stuck:?}");
        waiting.let_go();
        // What it has handled it says before it waits again at the latest, after one of these.
        let after = loop {
            sync(&child);
            let after = setup.parent().snapshot().processes[1].clone();
            if after.handled >= stuck.handled + 3000 {
                break after;
            }
        };
        assert!(after.unhandled < stuck.unhandled && after.responsive, "{stuck:?} {after:?}");
    }

    /// A8: how a process went can be read: it is the reason, the last message, and a text.
    fn a_process_that_is_closed_while_stuck_is_unresponsive(setup) {
        setup.require("ending");
        let child = setup.spawn();
        let gate = Gate::new();
        child.port().emit("get stuck", &gate.address()).unwrap();
        let waiting = gate.arrival();
        child.close_within(Duration::from_millis(50));
        match setup.transport() {
            // Nobody can kill a thread; it is cut off.
            Transport::Memory => assert_eq!(child.wait(PATIENCE), Some(DetachReason::Unresponsive)),
            _ => {
                assert_eq!(waiting.text(), "");
                assert_eq!(child.wait(PATIENCE), Some(DetachReason::Unresponsive));
                return;
            }
        }
        waiting.let_go();
    }

    /// A8: a longer deadline is waited for, and no longer than needed.
    fn a_process_that_closes_in_time_is_closed(setup) {
        setup.require("ending");
        let child = setup.spawn();
        let gate = Gate::new();
        child.port().emit("get stuck", &gate.address()).unwrap();
        let waiting = gate.arrival();
        child.close_within(PATIENCE);
        assert_eq!(child.detached(), None);
        waiting.let_go();
        assert_eq!(child.wait(PATIENCE), Some(DetachReason::Closed));
    }

    /// A8: of a process it is known what it said last.
    fn a_process_is_known_by_the_last_it_said(setup) {
        setup.require("frames");
        let child = setup.spawn();
        let frame: remote_parent::FrameId = ask(&child, "register", &("about:own", false));
        assert!(setup.parent().frames().get(frame).is_some());
        let said = heard::<Process, ()>(&child.port(), "nothing more");
        child.kill();
        child.wait(PATIENCE).expect("it is killed");
        let last = child.last_heard();
        // What it says of having handled things may come last, or may not.
        assert!(matches!(last.message, Some("Event" | "Handled" | "FrameClosed" | "Bye")), "{last:?}");
        assert_eq!(last.calls, [""; 0]);
        said.none();
    }
}

every_process_transport! {
    /// A8: of a process that goes in the middle of calls, it is known which; that of its loop thread and those of others.
    fn a_process_that_is_killed_in_the_middle_of_calls_is_known_by_them(transport) {
        let setup = Setup::new("a_process_that_is_killed_in_the_middle_of_calls_is_known_by_them", transport);
        let objects = Objects::served(setup.parent());
        setup.require("ending");
        for how in ["call and report", "call on a thread and report"] {
            let child = setup.spawn();
            assert_eq!(child.last_heard().calls, [""; 0]);
            let (report, gate) = (Gate::new(), Gate::new());
            child.port().emit(how, &(report.address(), gate.address())).unwrap();
            let (waiting, said) = (gate.arrival(), report.arrival());
            child.kill();
            // To the end of its connection, which is that of its process.
            let _ = said.text();
            // The link ends a moment later; nobody is told of that alone.
            while child.last_heard().calls.is_empty() {
                thread::yield_now();
            }
            waiting.let_go();
            assert_eq!(child.wait(PATIENCE), Some(DetachReason::Killed { signal: 9 }));
            let last = child.last_heard();
            assert!(matches!(&*last.calls, [call] if call.contains("make_at")), "{last:?}");
            assert!(last.message.is_some());
            assert_eq!(objects.dropped.recv_timeout(PATIENCE).as_deref(), Ok("too late"));
        }
    }
}

/// A8: each way to go has a text of its own.
#[test]
fn each_reason_says_what_happened() {
    let texts = [
        (DetachReason::Closed, "closed"),
        (DetachReason::Exited { code: 3 }, "code 3"),
        (DetachReason::Killed { signal: 11 }, "signal 11"),
        (DetachReason::Unresponsive, "unresponsive"),
        (DetachReason::Disconnected, "disconnected"),
    ];
    for (reason, text) in texts {
        assert!(reason.to_string().contains(text), "{reason}");
    }
}
