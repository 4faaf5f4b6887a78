//! Reaches limits, and goes on.

use std::thread;
use std::time::Duration;

use remote_child::{Child, EmitError, FrameOptions};
use remote_object::{CallError, ChildExt, Promise, Remote};

use crate::interfaces::Workshop;
use crate::modules::answer;

fn workshop(child: &Child) -> Result<Remote<dyn Workshop>, CallError> {
    child.remote().require::<dyn Workshop>("workshop")
}

remote_child::register_module!(main);
fn main(child: &Child) {
    // Gives how many there were, and closes them.
    answer(child, "register until refused", |child, ()| {
        let mut frames = Vec::new();
        let error = loop {
            match child.frames().register("one of many", FrameOptions::default()) {
                Ok(frame) => frames.push(frame),
                Err(error) => break error,
            }
        };
        let count = frames.len();
        frames.iter().for_each(|frame| frame.close());
        Ok::<_, EmitError>((count, error.to_string()))
    });
    // None of them returns before the loop waits for the first.
    answer(child, "add later", |child, count: i64| {
        let workshop = child.remote().require_dynamic("workshop")?;
        let promises: Vec<Promise<i64, CallError>> =
            (0..count).map(|number| workshop.call_async("add", (number, 1))).collect();
        Ok::<_, CallError>(promises.into_iter().map(Promise::wait).collect::<Vec<_>>())
    });
    answer(child, "make on a thread", |child, gate: String| {
        let (workshop, handle) = (workshop(child)?, child.handle());
        thread::spawn(move || {
            let made = workshop.make_at(&gate, "made").and_then(|item| item.name());
            let tell = move |child: &Child| child.process().port().emit("made", &made).expect("the parent is there");
            handle.run(tell).expect("the loop runs");
        });
        Ok::<_, CallError>(())
    });
    answer(child, "add on a thread", |child, within: Duration| {
        let (workshop, remote) = (workshop(child)?, child.remote());
        remote.set_call_deadline(within);
        let sum = thread::spawn(move || workshop.add(1, 2)).join().expect("it does not panic");
        remote.set_call_deadline(Duration::from_secs(30));
        sum
    });
}
