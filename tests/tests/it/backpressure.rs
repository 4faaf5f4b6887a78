//! Who is slow waits, or is waited for by nobody; and when there is nothing to do, nothing is done.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use remote_parent::{Deadlines, EmitError, Limits, ParentOptions, Process};
use tests::gate::{Gate, wait_at};

use crate::harness::{Events, PATIENCE, Setup, every_process_transport, every_transport, heard, sync};

/// A small one.
const WINDOW: u64 = 256 << 10;
const LOAD: usize = 16 << 10;

/// A parent with a small window, over the same transport.
fn small(setup: Setup, name: &str) -> Setup {
    let transport = setup.transport();
    drop(setup);
    Setup::with(name, transport, ParentOptions::new().limits(Limits::new().window(WINDOW)))
}

/// Emits until the process takes no more; gives how many it took, and the error.
fn fill(process: &Process) -> (u32, EmitError) {
    let load = vec![7u8; LOAD];
    let mut taken = 0;
    loop {
        match process.port().emit("numbered", &(taken, &load)) {
            Ok(()) => taken += 1,
            Err(error) => return (taken, error),
        }
    }
}

every_transport! {
    /// A8: each process has a window of its own; past it `emit` says whose it is, how much lies there and how much may; nobody else is held up.
    fn each_process_has_a_window_of_its_own(setup) {
        let setup = small(setup, "each_process_has_a_window_of_its_own");
        for module in ["flood", "ending", "basics"] {
            setup.require(module);
        }
        let [stuck, other, third] = [setup.spawn(), setup.spawn(), setup.spawn()];
        let got = heard::<Process, u32>(&stuck.port(), "got");
        let gates = [Gate::new(), Gate::new()];
        let waiting = [(&stuck, &gates[0]), (&other, &gates[1])].map(|(process, gate)| {
            process.port().emit("get stuck", &gate.address()).unwrap();
            gate.arrival()
        });
        let (taken, error) = fill(&stuck);
        let EmitError::Backlog { process, unhandled, limit } = error else { panic!("{error:?}") };
        assert_eq!((process, limit), (stuck.id(), WINDOW));
        // The last one that was taken filled it.
        let loads = u64::from(taken) * LOAD as u64;
        assert!(limit <= unhandled && unhandled < limit + 2 * LOAD as u64, "{unhandled}");
        assert!(loads <= unhandled && unhandled < loads + LOAD as u64, "{unhandled}, {taken} taken");
        // The other one's is empty still.
        assert_eq!(fill(&other).0, taken);
        sync(&third);
        sync(&setup.main());
        got.none();
        let [one, other_one] = waiting;
        one.let_go();
        let all = got.take(taken as usize).into_iter().map(|(_, number)| number);
        assert_eq!(all.collect::<Vec<_>>(), (0..taken).collect::<Vec<_>>());
        // It is told a moment later that all has been handled.
        let deadline = Instant::now() + PATIENCE;
        while stuck.port().emit("numbered", &(taken, &vec![7u8; LOAD])).is_err() {
            assert!(Instant::now() < deadline, "the window stays full");
            thread::yield_now();
        }
        assert_eq!(got.next().1, taken);
        assert!(matches!(other.port().emit("numbered", &(0, &vec![7u8; LOAD])), Err(EmitError::Backlog { .. })));
        other_one.let_go();
    }

    /// A8: a child that outruns its parent waits in its `emit`, and goes on when the parent does; nothing is lost, and the order is kept.
    fn a_child_waits_in_emit_for_a_listener_that_takes_long(setup) {
        let setup = small(setup, "a_child_waits_in_emit_for_a_listener_that_takes_long");
        setup.require("flood");
        setup.require("basics");
        let [child, other] = [setup.spawn(), setup.spawn()];
        let (gate, report) = (Gate::new(), Gate::new());
        let address = gate.address();
        child.port().once("flooded", move |_process, _: (u32, Vec<u8>)| wait_at(&address));
        let flooded = heard::<Process, (u32, Vec<u8>)>(&child.port(), "flooded");
        let count = 100;
        child.port().emit("flood", &(report.address(), count, LOAD)).unwrap();
        let (waiting, said) = (gate.arrival(), report.arrival());
        let (tell, done) = std::sync::mpsc::channel();
        let reading = thread::spawn(move || tell.send(said.text()).expect("it is waited for"));
        // Nothing happens.
        assert!(done.recv_timeout(Duration::from_millis(300)).is_err());
        flooded.none();
        sync(&other);
        waiting.let_go();
        let all: Vec<u32> = flooded.take(count as usize).into_iter().map(|(_, (number, _))| number).collect();
        assert_eq!(all, (0..count).collect::<Vec<_>>());
        assert_eq!(done.recv_timeout(PATIENCE).expect("it goes on"), "Ok(())");
        reading.join().unwrap();
        sync(&child);
    }

    /// A8: a child waits for its parent no longer than for the call deadline; that it could not emit is an error, and it goes on.
    fn a_child_waits_in_emit_for_the_call_deadline_at_most(setup) {
        const NAME: &str = "a_child_waits_in_emit_for_the_call_deadline_at_most";
        let deadlines =
            Deadlines { start: PATIENCE, call: Duration::from_millis(50), stop: PATIENCE, ..Deadlines::default() };
        let setup = Setup::impatient(NAME, setup.transport(), ParentOptions::new().limits(Limits::new().window(WINDOW)).deadlines(deadlines));
        setup.require("flood");
        setup.require("basics");
        let child = setup.spawn();
        let (gate, report) = (Gate::new(), Gate::new());
        let address = gate.address();
        child.port().once("flooded", move |_process, _: (u32, Vec<u8>)| wait_at(&address));
        child.port().emit("flood", &(report.address(), 100, LOAD)).unwrap();
        let (waiting, said) = (gate.arrival(), report.arrival().text());
        assert!(said.contains("Backlog") && said.contains("50ms"), "{said}");
        waiting.let_go();
        sync(&child);
    }

    /// A8: two processes that flood each other's parent and are flooded by it, all at once, come to an end.
    fn both_sides_may_flood_each_other(setup) {
        let setup = small(setup, "both_sides_may_flood_each_other");
        setup.require("flood");
        setup.require("basics");
        let children = [setup.spawn(), setup.spawn()];
        let report = Gate::new();
        let count = 200;
        let (tell, flooded) = Events::new("flooded");
        let tell = Arc::new(tell);
        for child in &children {
            let (own, load) = (Arc::clone(&tell), vec![7u8; LOAD]);
            child.port().on("flooded", move |process, (number, _): (u32, Vec<u8>)| {
                // What it does not take is of no consequence.
                let taken = process.port().emit("numbered", &(number, &load)).is_ok();
                own.tell((process.id(), number, taken));
            });
            child.port().emit("flood", &(report.address(), count, LOAD)).unwrap();
        }
        for _ in &children {
            assert_eq!(report.arrival().text(), "Ok(())");
        }
        let all = flooded.take(2 * count as usize);
        for child in &children {
            let own = all.iter().filter(|(id, ..)| *id == child.id()).map(|(_, number, _)| *number);
            assert_eq!(own.collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }
    }
}

/// A8: one of 16 children is stopped while everything is told to all.
#[cfg(unix)]
mod stopped {
    use remote_parent::{Deadlines, Transport};
    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    struct Crowd {
        setup: Setup,
        got: Events<(Process, u32)>,
        unresponsive: Events<Process>,
        responsive: Events<Process>,
        children: Vec<Process>,
    }

    impl Crowd {
        fn start(name: &str, transport: Transport) -> Self {
            let deadlines = Deadlines {
                start: PATIENCE,
                stop: PATIENCE,
                unresponsive: Duration::from_millis(200),
                ..Deadlines::default()
            };
            let options = ParentOptions::new().deadlines(deadlines).limits(Limits::new().window(WINDOW));
            let setup = Setup::impatient(name, transport, options);
            setup.require("flood");
            setup.require("basics");
            let processes = setup.parent().processes();
            let children: Vec<Process> = (0..16).map(|_| setup.spawn()).collect();
            children.iter().for_each(sync);
            let got = heard::<Process, u32>(&processes.port(), "got");
            let (tell, unresponsive) = Events::new("unresponsive");
            processes.on_unresponsive(move |process| tell.tell(process.clone()));
            let (tell, responsive) = Events::new("responsive");
            processes.on_responsive(move |process| tell.tell(process.clone()));
            Self { setup, got, unresponsive, responsive, children }
        }

        fn signal(&self, signal: Signal) {
            let pid = Pid::from_raw(i32::try_from(self.stopped().id().pid()).unwrap()).unwrap();
            kill_process(pid, signal).unwrap();
        }

        fn stopped(&self) -> &Process {
            &self.children[7]
        }

        /// Tells all of a number; all but one say so, the main process too.
        fn tell(&self, number: u32, load: &[u8]) -> Result<(), EmitError> {
            let told = self.setup.parent().processes().port().emit("numbered", &(number, load));
            let mut others: Vec<_> = self
                .got
                .take(self.children.len())
                .into_iter()
                .map(|(process, other)| {
                    assert_eq!(other, number);
                    process.id()
                })
                .collect();
            others.sort();
            others.dedup();
            assert_eq!(others.len(), self.children.len());
            assert!(!others.contains(&self.stopped().id()));
            told
        }

        /// Under load, others may be late for a moment.
        fn wait_for(&self, events: &Events<Process>) {
            while events.next() != *self.stopped() {}
        }

        fn catches_up(&self, numbers: u32) {
            self.signal(Signal::CONT);
            self.wait_for(&self.responsive);
            assert!(self.stopped().is_responsive());
            for number in 0..numbers {
                assert_eq!(self.got.next(), (self.stopped().clone(), number));
            }
            sync(self.stopped());
            self.got.none();
        }
    }

    every_process_transport! {
        /// The others hear it all meanwhile; it is told to be unresponsive, and when it goes on, it catches up in order.
        fn a_stopped_child_holds_up_nobody_and_catches_up(transport) {
            let crowd = Crowd::start("a_stopped_child_holds_up_nobody_and_catches_up", transport);
            crowd.signal(Signal::STOP);
            for number in 0..100 {
                assert_eq!(crowd.tell(number, &[]), Ok(()));
            }
            crowd.wait_for(&crowd.unresponsive);
            assert!(!crowd.stopped().is_responsive());
            crowd.catches_up(100);
        }

        /// What goes past its window is told to the sender, and it hears all that came before.
        fn a_stopped_child_whose_window_is_full_is_named(transport) {
            let crowd = Crowd::start("a_stopped_child_whose_window_is_full_is_named", transport);
            crowd.signal(Signal::STOP);
            let load = [7u8; LOAD];
            let mut taken = 0;
            for number in 0..40 {
                match crowd.tell(number, &load) {
                    Ok(()) => {
                        assert_eq!(taken, number, "it took another one after its window was full");
                        taken += 1;
                    }
                    Err(EmitError::Backlog { process, limit: WINDOW, .. }) => assert_eq!(process, crowd.stopped().id()),
                    Err(error) => panic!("{error:?}"),
                }
            }
            assert!((8..=16).contains(&taken), "{taken}");
            crowd.wait_for(&crowd.unresponsive);
            crowd.catches_up(taken);
        }
    }
}

/// A8: when nothing is outstanding, nothing runs by the clock, in the parent or in its children.
#[cfg(target_os = "linux")]
#[test]
fn nothing_runs_by_the_clock_when_all_is_quiet() {
    use std::process::{Command, Stdio};

    let _watchdog = crate::harness::Watchdog::start("nothing_runs_by_the_clock_when_all_is_quiet");
    let output = Command::new(env!("CARGO_BIN_EXE_tests-idle"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("it starts");
    let output = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.trim(), "busy while something is outstanding\nquiet afterwards");
}
