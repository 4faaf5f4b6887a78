//! Reaches limits, and goes on.

use std::panic::resume_unwind;
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
    // What the method and the function end with is longer than any message.
    answer(child, "call what fails at length", |child, bytes: usize| {
        child.remote().require_dynamic("clumsy")?.call::<()>("fail", (bytes,))
    });
    answer(child, "lend what fails at length", |child, bytes: usize| {
        let function = child.remote().function(move |()| -> u32 { resume_unwind(Box::new("x".repeat(bytes))) });
        child.remote().require_dynamic("clumsy")?.call::<String>("run", (function,))
    });
    // It is answered by a function of this very thread, which waits.
    answer(child, "consult", |child, by_name: bool| {
        let (desk, remote) = (child.remote().require_dynamic("desk")?, child.remote());
        let function = remote.function(|question: String| question.to_uppercase());
        if by_name {
            return desk.call::<String>("consult", (function,));
        }
        desk.call_async::<String>("consult", (function,)).wait()
    });
    answer(child, "give up by name", |child, within: Duration| {
        let (desk, remote) = (child.remote().require_dynamic("desk")?, child.remote());
        remote.set_call_deadline(within);
        let given_up = desk.call::<String>("never", ());
        remote.set_call_deadline(Duration::from_secs(30));
        Ok::<_, CallError>(given_up.map_err(|error| error.to_string()))
    });
    // Nothing has such a name.
    answer(child, "require a long name", |child, bytes: usize| {
        child.remote().require_dynamic(&"x".repeat(bytes)).map(drop)
    });
    let own = child.clone();
    child.process().port().on("wait in vain", move |process, within: Duration| {
        // The parent does not answer.
        let waited = own.remote();
        waited.set_call_deadline(within);
        let answer = waited.require::<dyn Workshop>("workshop").map(drop);
        process.port().emit("waited", &format!("{answer:?}")).expect("the parent is there");
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
