//! Processes that start and die, again and again, and many at once.

use std::process::{Command, Stdio};
use std::thread;

use crate::harness::{MISFIT, Watchdog, every_transport, sync};

/// A8: a thousand children that start and die in all ways leave no descriptors, no threads, no processes and no memory.
#[cfg(target_os = "linux")]
#[test]
fn a_thousand_children_that_die_leave_nothing() {
    let _watchdog = Watchdog::start("a_thousand_children_that_die_leave_nothing");
    let output = Command::new(env!("CARGO_BIN_EXE_tests-cycles"))
        .args(["1000", MISFIT])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("it starts");
    let output = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<&str> = output.lines().collect();
    let [same, kilobytes, left, _] = lines.as_slice() else { panic!("{output}") };
    assert_eq!((*same, *left), ("true true true", "(1, 0, 1)"), "{output}");
    assert!(kilobytes.parse::<i64>().expect("a number") < 3 << 10, "{output}");
}

every_transport! {
    /// A8: many are started at once, from 16 threads.
    fn many_are_started_from_many_threads(setup) {
        setup.require("basics");
        let each = if setup.has_processes() { 2 } else { 8 };
        let attached = {
            let (tell, attached) = crate::harness::Events::new("attach");
            setup.parent().processes().on_attach(move |process| tell.tell(process.id()));
            attached
        };
        thread::scope(|scope| {
            for number in 0..16 {
                let setup = &setup;
                scope.spawn(move || {
                    for _ in 0..each {
                        let child = setup.spawn();
                        sync(&child);
                        match number % 4 {
                            0 => child.kill(),
                            1 => child.close(),
                            _ => {}
                        }
                    }
                });
            }
        });
        let mut ids = attached.take(16 * each);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 16 * each);
        attached.none();
    }
}
