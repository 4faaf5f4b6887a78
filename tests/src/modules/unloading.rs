//! Registers one of everything, and notes what becomes of it: the loaders of a process share the notes.

use std::cell::RefCell;
use std::thread;

use remote_child::{Capture, Child, ContentEvent, Frame, FrameOptions, Port, Process};
use remote_object::ChildExt;

use crate::gate::{Report, wait_at};
use crate::interfaces::{Bell, Workshop};
use crate::modules::answer;

thread_local! {
    static NOTES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// What one loader leaves for another to use.
struct Kept {
    process: Port<Process>,
    frame: Frame,
    frames: Port<Frame>,
}

fn note(text: impl Into<String>) {
    NOTES.with_borrow_mut(|notes| notes.push(text.into()));
}

/// Notes when the closure it is in is dropped.
struct Guard(&'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        note(format!("dropped {}", self.0));
    }
}

/// A closure that does nothing, and notes when it is dropped.
fn guarded<T: ?Sized>(name: &'static str) -> impl Fn(&T, ()) {
    let guard = Guard(name);
    move |_subject, ()| note(format!("called {}", guard.0))
}

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "notes", |_child, ()| Ok::<_, String>(NOTES.take()));
    answer(child, "prepare", |child, ()| prepare(child).map_err(|error| error.to_string()));
    answer(child, "keep objects", |child, name: String| {
        let remote = child.remote();
        let item = remote.require::<dyn Workshop>("workshop")?.make(&name)?;
        child.process().port().on("never", move |_process, ()| drop(item.clone()));
        let guard = Guard("callback");
        let callback = remote.callback(move |text: String| note(format!("{} {text}", guard.0)));
        remote.require::<dyn Bell>("bell")?.add(callback)
    });
    answer(child, "keep ports", |child, ()| {
        let frame = child.frames().register("kept", FrameOptions::new()).map_err(|error| error.to_string())?;
        frame.add_event_listener("shown", Capture::Yes, |_frame, _event| note("shown"));
        frame.dispatch_event(&ContentEvent::new("shown"));
        let kept = Kept { process: child.process().port(), frame, frames: child.frames().port() };
        KEPT.set(Some(kept));
        Ok::<_, String>(())
    });
    answer(child, "use kept", |_child, ()| {
        let kept = KEPT.take().ok_or("nothing is kept")?;
        kept.frame.dispatch_event(&ContentEvent::new("shown"));
        let results = [
            kept.process.emit("kept", &()),
            kept.frame.port().emit("kept", &()),
            kept.frames.emit("kept", &()),
            kept.frame.process().port().emit("kept", &()),
        ];
        Ok::<_, &str>(results.map(|result| format!("{result:?}")))
    });
    // Says what became of the task: `ran`, or nothing when it is dropped.
    answer(child, "post from a thread", |child, (gate, report): (String, String)| {
        let handle = child.handle();
        thread::spawn(move || {
            let mut report = Report::at(&report);
            wait_at(&gate);
            // Should the loop have ended, the report says so by its silence.
            let _ = handle.run(move |_child| report.say("ran"));
        });
        Ok::<_, String>(())
    });
    answer(child, "panic in a task", |child, ()| child.handle().run(|_child| panic!("the task's own fault")));
    let own = child.clone();
    child.process().port().on("exit when unloaded", move |_process, ()| own.on_unload(|_reason| std::process::abort()));
}

fn prepare(child: &Child) -> Result<(), remote_child::EmitError> {
    let frames = child.frames();
    let frame = frames.register("the content", FrameOptions::tab())?;
    let own = child.clone();
    frames.on_detach(move |frame| {
        let content = frame.content::<&str>().map_or("nothing", |content| *content);
        note(format!("detach of {content}"));
        own.process().port().emit("last", &("detach", frame.id())).expect("it is not unloaded yet");
        frame.port().emit("last of a frame", content).expect("it is not unloaded yet");
    });
    let guard = Guard("listener of a frame's detach");
    frame.on_detach(move |_frame| note(format!("heard by {}", guard.0)));
    for name in ["first", "second", "third"] {
        let own = child.clone();
        child.on_unload(move |reason| {
            note(format!("{name}: {reason:?}"));
            own.process().port().emit("last", &(name, ())).expect("it is not unloaded yet");
        });
    }
    child.process().port().on("never", guarded("listener of the process"));
    frames.port().on("never", guarded("listener of the frames"));
    frame.port().on("never", guarded("listener of the frame"));
    let guard = Guard("listener of the frames' content");
    frames.add_event_listener("never", Capture::No, move |_frame, _event| note(guard.0));
    let guard = Guard("listener of the frame's content");
    frame.add_event_listener("never", Capture::Yes, move |_frame, _event| note(guard.0));
    let guard = Guard("listener of attachments");
    frames.on_attach(move |_frame| note(guard.0));
    Ok(())
}
