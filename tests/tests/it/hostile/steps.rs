//! Children that are killed, at every moment there is.

use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use remote_parent::{DetachReason, FrameOptions, ProcessOptions, StartError};
use remote_protocol::id::LoaderId;
use remote_protocol::message::{Event, Target, ToParent};
use remote_protocol::payload::{Form, Payload};
use remote_protocol::value::Value;
use tests::gate::{Gate, Waiting};
use tests::interfaces::{Bell, Workshop};

use super::siege::{SOON, call_record, encoded, hostile, is_killed, method};
use crate::harness::Events;

const STEPS: &str = env!("CARGO_BIN_EXE_tests-steps");

/// An event of the process.
fn said(number: i64) -> ToParent<'static> {
    ToParent::Event(Event {
        loader: LoaderId::FIRST,
        target: Target::Process,
        name: "said".into(),
        form: Form::Dynamic,
        payload: Payload::plain(encoded(&Value::I64(number))),
    })
}

hostile! {
    /// A child that is killed before or after anything that it says or hears leaves nothing behind, and holds nobody up.
    fn hostile_14_a_child_that_is_killed_at_any_step_leaves_nothing(siege) {
        siege.require("steps");
        let mut steps = 0;
        loop {
            let options = ProcessOptions::new().program(STEPS).transport(siege.transport()).argument(steps.to_string());
            steps += 1;
            let x = match siege.parent().processes().spawn_with(options) {
                Ok(x) => x,
                Err(StartError::Exited { status, .. }) if is_killed(status) => continue,
                Err(other) => panic!("step {steps}: {other:?}"),
            };
            // Either it answers, or it goes.
            let (tell, told) = Events::new("take steps: answer");
            let tell = std::sync::Arc::new(Mutex::new(tell));
            let gone = std::sync::Arc::clone(&tell);
            x.port().once("take steps: answer", move |_process, answer: Result<(), String>| {
                tell.lock().expect("nothing panics").tell(Some(answer));
            });
            x.on_detach(move |_process, _reason| gone.lock().expect("nothing panics").tell(None));
            if let Ok(frame) = siege.parent().frames().open(&x, FrameOptions::tab()) {
                let _ = frame.port().emit("said to the frame", "hello");
            }
            let _ = x.port().emit("take steps", &());
            if x.detached().is_none() && let Some(answer) = told.next() {
                assert_eq!(answer, Ok(()), "step {steps}");
                x.close();
            }
            let reason = siege.ends(&x);
            assert!(siege.parent().frames().is_empty());
            let alive = siege.objects.exports.alive();
            assert_eq!((alive.objects, alive.callbacks), (1, 0), "step {steps}");
            siege.objects.bell.clear().expect("it can be cleared");
            siege.objects.hall.let_go().expect("it can let go");
            match reason {
                DetachReason::Killed { signal: 9 } => {}
                // It lived through all of them.
                DetachReason::Closed => break,
                other => panic!("step {steps}: {other}"),
            }
        }
        eprintln!("{steps} steps");
        assert!(steps >= 200, "{steps}");
    }

    /// A8: what a child held is let go of when it dies, though a call of it takes its time; its calls that have not begun never do, and what it
    /// said beside them is heard before its end is told.
    fn hostile_14_calls_of_a_child_that_died_are_not_begun(siege) {
        let mut x = siege.puppet();
        let workshop = x.look_up("workshop");
        for name in ["one", "other"] {
            x.make(workshop, name);
        }
        let mark = |lane: &str| call_record(None, method(workshop, "mark", vec![Value::String(lane.to_owned())], Vec::new()));
        let (tell, told) = Events::new("said");
        x.process.port().on("said", move |_process, number: u32| tell.tell(number));
        let gates = [Gate::new(), Gate::new()];
        let mut begun = Vec::new();
        for (lane, gate) in (0..).zip(&gates) {
            let at_gate = vec![Value::String(gate.address()), Value::String(format!("made on {lane}"))];
            x.say_on(lane, call_record(None, method(workshop, "make_at", at_gate, Vec::new())));
            begun.push(gate.arrival());
            x.say_on(lane, mark(&format!("lane {lane}")));
        }
        for number in [1, 2] {
            x.say_message(&said(number));
            x.repeat(mark("main lane"), 1000);
        }
        let killed = Instant::now();
        x.process.kill();
        while siege.objects.exports.alive().objects > 1 {
            assert!(killed.elapsed() < SOON, "nothing is let go of");
            thread::yield_now();
        }
        eprintln!("let go of {:?} after the kill", killed.elapsed());
        // Both methods go on.
        assert_eq!((x.process.detached(), told.so_far()), (None, Vec::new()));
        begun.into_iter().for_each(Waiting::let_go);
        assert_eq!(siege.ends(&x.process), DetachReason::Killed { signal: 9 });
        assert_eq!(told.so_far(), [1, 2]);
        assert_eq!(*siege.objects.hall.marks.lock().expect("nothing panics"), Vec::<String>::new());
        let mut dropped: Vec<_> = siege.objects.dropped.iter().take(4).collect();
        dropped.sort();
        assert_eq!(dropped, ["made on 0", "made on 1", "one", "other"]);
    }
}
