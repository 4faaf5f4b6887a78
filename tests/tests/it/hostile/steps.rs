//! Children that are killed, at every moment there is.

use std::sync::Mutex;

use remote_parent::{DetachReason, FrameOptions, ProcessOptions, StartError};
use tests::interfaces::{Bell, Workshop};

use super::siege::{hostile, is_killed};
use crate::harness::Events;

const STEPS: &str = env!("CARGO_BIN_EXE_tests-steps");

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
}
