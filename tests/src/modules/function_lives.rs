//! Makes functions that end, or that wait.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;

use remote_child::{Child, Frame, FrameId, FrameOptions};
use remote_object::{CallError, ChildExt, Context, FrameExt, Function, Remote};

use crate::gate::wait_at;
use crate::mill::Mill;
use crate::modules::answer;

fn mill(child: &Child) -> Result<Remote<dyn Mill>, CallError> {
    child.remote().require::<dyn Mill>("mill")
}

fn frame(child: &Child, id: FrameId) -> Frame {
    child.frames().get(id).expect("the frame is there")
}

fn length(context: &Context) -> Function<String, u32> {
    context.function(|text: String| u32::try_from(text.len()).unwrap_or(u32::MAX))
}

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "new frame", |child, ()| {
        Ok::<_, remote_child::EmitError>(child.frames().register("a page", FrameOptions::new())?.id())
    });
    answer(child, "keep of frame", |child, id: FrameId| {
        let f = length(&frame(child, id).remote());
        mill(child)?.keep(f.clone())?;
        Ok::<_, CallError>(f.made_at())
    });
    answer(child, "reload", |child, id: FrameId| {
        frame(child, id).reload();
        Ok::<_, String>(())
    });
    // Called twice within one call, it is there only once.
    answer(child, "reload in the midst", |child, id: FrameId| {
        let (mill, frame) = (mill(child)?, frame(child, id));
        let own = frame.clone();
        let f = frame.remote().function(move |number: i64| {
            own.reload();
            number
        });
        assert_eq!(mill.map(&[5], f.clone()).ok(), Some(vec![5]));
        assert!(!f.is_alive());
        let own = frame.clone();
        let f = frame.remote().function(move |number: i64| {
            own.reload();
            number
        });
        let error = mill.map(&[5, 6], f.clone()).expect_err("it is gone the second time");
        let here = f.call(7).expect_err("it is gone");
        assert_eq!(error, here);
        let sent = mill.map(&[8], f.clone()).expect_err("it is gone");
        Ok::<_, CallError>((f.made_at(), error, sent))
    });
    answer(child, "race", |child, id: FrameId| {
        let (mill, frame) = (mill(child)?, frame(child, id));
        let functions: Vec<_> = (0..20).map(|_| length(&frame.remote())).collect();
        let (begun, begins) = std::sync::mpsc::channel();
        let passing = thread::spawn(move || {
            for f in functions {
                let passed = mill.keep(f).is_ok();
                // Only the first is waited for.
                let _ = begun.send(passed);
            }
        });
        assert!(begins.recv().expect("it begins"));
        frame.reload();
        drop(begins);
        passing.join().expect("it does not panic");
        Ok::<_, CallError>(())
    });
    answer(child, "wait at", |child, gate: String| {
        let f = child.remote().function(move |text: String| {
            wait_at(&gate);
            u32::try_from(text.len()).unwrap_or(u32::MAX)
        });
        mill(child)?.keep(f.clone())?;
        Ok::<_, CallError>(f.made_at())
    });
    // Gives how many of the closures are left.
    let alive = Rc::new(Cell::new(0));
    let own = Rc::clone(&alive);
    answer(child, "pass many", move |child, count: i64| {
        let mill = mill(child)?;
        for number in 0..count {
            let closure = Counted::new(&alive);
            let f = child.remote().function(move |other: i64| if closure.0.get() > 0 { number + other } else { 0 });
            match number % 3 {
                0 => assert_eq!(mill.map(&[1], f)?, [number + 1]),
                1 => assert_eq!(mill.attempt(f, 20_000)?, Ok(number + 1)),
                // Never called.
                _ => assert_eq!(mill.map(&[], f)?, []),
            }
            let closure = Counted::new(&alive);
            mill.keep(child.remote().function(move |_: String| u32::try_from(closure.0.get()).unwrap_or(0)))?;
        }
        Ok::<_, CallError>(())
    });
    answer(child, "closures", move |_child, ()| Ok::<_, String>(own.get()));
}

/// Counts the closures that are alive.
struct Counted(Rc<Cell<i64>>);

impl Counted {
    fn new(alive: &Rc<Cell<i64>>) -> Self {
        alive.set(alive.get() + 1);
        Self(Rc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
