//! Makes callbacks for frames.

use std::thread;

use remote_child::{Child, Frame, FrameId, FrameOptions, Process};
use remote_object::{CallError, Callback, ChildExt, Context, FrameExt, Remote};

use crate::interfaces::Bell;
use crate::modules::answer;

/// Tells the parent when the closure it is in is dropped.
struct Guard {
    process: Process,
    name: String,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // When all ends, the parent may be gone.
        self.process.port().emit("closure dropped", &self.name).ok();
    }
}

/// Panics when the closure it is in is dropped.
struct Explosive;

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("the destructor's own fault");
    }
}

fn guarded(context: &Context, process: Process, name: &str) -> Callback<String> {
    let guard = Guard { process, name: name.to_owned() };
    context.callback(move |text: String| {
        guard.process.port().emit("called", &format!("{} {text}", guard.name)).expect("the parent is there");
    })
}

fn bell(child: &Child) -> Result<Remote<dyn Bell>, CallError> {
    child.remote().require::<dyn Bell>("bell")
}

fn frame(child: &Child, id: FrameId) -> Frame {
    child.frames().get(id).expect("the frame is there")
}

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "new frame", |child, ()| {
        let frame = child.frames().register("a page", FrameOptions::new())?;
        frame.port().on("say", |frame, text: String| frame.port().emit("said", &text).expect("the parent is there"));
        Ok::<_, remote_child::EmitError>(frame.id())
    });
    answer(child, "add of frame", |child, (id, name): (FrameId, String)| {
        bell(child)?.add(guarded(&frame(child, id).remote(), child.process(), &name))
    });
    answer(child, "add what explodes", |child, id: FrameId| {
        let (frame, explosive) = (frame(child, id), Explosive);
        let context = frame.remote();
        bell(child)?.add(context.callback(move |_: String| {
            let _explosive = &explosive;
            frame.reload();
        }))
    });
    answer(child, "listen explosively", |child, id: FrameId| {
        let (of_frame, of_process) = (Explosive, Explosive);
        frame(child, id).port().on("never", move |_frame, ()| _ = &of_frame);
        child.process().port().on("never", move |_process, ()| _ = &of_process);
        Ok::<_, String>(())
    });
    answer(child, "add of loader", |child, name: String| {
        bell(child)?.add(guarded(&child.remote(), child.process(), &name))
    });
    answer(child, "reload", |child, id: FrameId| {
        frame(child, id).reload();
        Ok::<_, String>(())
    });
    answer(child, "close", |child, id: FrameId| {
        frame(child, id).close();
        Ok::<_, String>(())
    });
    dead(child);
    nested(child);
    race(child);
}

fn dead(child: &Child) {
    answer(child, "send dead", |child, id: FrameId| {
        let frame = frame(child, id);
        let callback = guarded(&frame.remote(), child.process(), "dead");
        assert!(callback.is_alive());
        frame.reload();
        assert!(!callback.is_alive());
        let error = bell(child)?.add(callback.clone()).expect_err("it is dead");
        let called = callback.call("nothing".to_owned()).expect_err("it is dead");
        Ok::<_, CallError>((callback.made_at(), error, called.to_string()))
    });
    answer(child, "use after the end", |child, id: FrameId| {
        let frame = frame(child, id);
        let early = frame.remote();
        frame.close();
        frame.reload();
        for context in [early, frame.remote()] {
            let callback = guarded(&context, child.process(), "too late");
            assert!(!callback.is_alive());
            assert!(bell(child)?.add(callback).is_err());
            // Objects are not of a context.
            context.require::<dyn Bell>("bell")?.clear()?;
        }
        Ok::<_, CallError>(())
    });
    answer(child, "identity in a frame", |child, id: FrameId| {
        let bell = bell(child)?;
        let remote = frame(child, id).remote();
        let (one, other) = (guarded(&remote, child.process(), "one"), guarded(&remote, child.process(), "other"));
        bell.add(one.clone())?;
        assert!(!bell.remove(other)?);
        assert!(bell.remove(one.clone())?);
        assert!(!bell.remove(one)?);
        Ok::<_, CallError>(())
    });
}

/// What the application does while a context ends comes back to it.
fn nested(child: &Child) {
    answer(child, "reload itself", |child, id: FrameId| {
        let frame = frame(child, id);
        let (own, guard) = (frame.clone(), Guard { process: child.process(), name: "itself".to_owned() });
        bell(child)?.add(frame.remote().callback(move |text: String| {
            own.reload();
            guard.process.port().emit("called", &format!("{} {text}", guard.name)).expect("the parent is there");
        }))
    });
    answer(child, "explode when dropped", |child, id: FrameId| {
        struct Exploding(Frame);
        impl Drop for Exploding {
            fn drop(&mut self) {
                // A new context, and its end.
                let callback = self.0.remote().callback(|()| {});
                assert!(callback.is_alive());
                self.0.reload();
                assert!(!callback.is_alive());
                panic!("the destructor's own fault");
            }
        }
        let frame = frame(child, id);
        for _ in 0..3 {
            let exploding = Exploding(frame.clone());
            bell(child)?.add(frame.remote().callback(move |_: String| exploding.0.reload()))?;
        }
        bell(child)?.add(guarded(&frame.remote(), child.process(), "last"))?;
        frame.reload();
        Ok::<_, CallError>(())
    });
}

/// Another thread passes callbacks while their context ends: gives how many of them it could.
fn race(child: &Child) {
    answer(child, "race", |child, id: FrameId| {
        let (bell, frame) = (bell(child)?, frame(child, id));
        let remote = frame.remote();
        let callbacks: Vec<_> = (0..20).map(|number| guarded(&remote, child.process(), &number.to_string())).collect();
        let (begun, begins) = std::sync::mpsc::channel();
        let passing = thread::spawn(move || {
            let pass = |callback: &Callback<String>| {
                let passed = bell.add(callback.clone()).is_ok();
                // Only the first is waited for.
                let _ = begun.send(());
                passed
            };
            callbacks.iter().filter(|callback| pass(callback)).count()
        });
        begins.recv().expect("it begins");
        frame.reload();
        drop(begins);
        Ok::<_, CallError>(passing.join().expect("it does not panic"))
    });
}
