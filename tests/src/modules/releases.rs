//! Lets go of things by the thousand.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::thread;

use remote_child::{Child, Process};
use remote_object::{CallError, Callback, ChildExt};

use crate::gate::{self, Report};
use crate::interfaces::{Bell, Workshop};
use crate::modules::answer;

/// Tells the parent when the last one of its kind is dropped.
struct Counted {
    alive: Rc<Cell<u32>>,
    process: Process,
}

impl Counted {
    fn new(alive: &Rc<Cell<u32>>, process: Process) -> Self {
        alive.set(alive.get() + 1);
        Self { alive: Rc::clone(alive), process }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.set(self.alive.get() - 1);
        if self.alive.get() == 0 {
            self.process.port().emit("all dropped", &()).expect("the parent is there");
        }
    }
}

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "make and drop while held", |child, (count, start, report): (u32, String, String)| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        child.process().port().emit("hold", &()).expect("the parent is there");
        thread::spawn(move || {
            gate::wait_at(&start);
            let made = (0..count).try_for_each(|_| workshop.make("nail").map(drop));
            Report::at(&report).say(&format!("{made:?}"));
        });
        Ok::<_, CallError>(())
    });
    answer(child, "make until refused", |child, ()| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let mut items = Vec::new();
        loop {
            match workshop.make("nail") {
                Ok(item) => items.push(item),
                Err(error) => return Ok::<_, CallError>((items.len(), error)),
            }
        }
    });
    answer(child, "add until refused", |child, ()| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        let mut added = 0;
        loop {
            match bell.add(child.remote().callback(|_: String| {})) {
                Ok(()) => added += 1,
                Err(error) => return Ok::<_, CallError>((added, error)),
            }
        }
    });
    answer(child, "add many", |child, count: u32| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        let alive = Rc::default();
        (0..count).try_for_each(|_| {
            let counted = Counted::new(&alive, child.process());
            let listener: Callback<String> = child.remote().callback(move |_| drop(Rc::clone(&counted.alive)));
            bell.add(listener)
        })
    });
    let kept = Rc::new(RefCell::new(Vec::new()));
    let own = Rc::clone(&kept);
    answer(child, "make and keep many", move |child, count: usize| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let made = (0..count).map(|_| workshop.make("nail")).collect::<Result<Vec<_>, _>>()?;
        own.borrow_mut().extend(made);
        Ok::<_, CallError>(())
    });
    child.process().port().on("drop one by one", move |_process, report: String| {
        let kept = kept.take();
        thread::spawn(move || {
            kept.into_iter().for_each(drop);
            Report::at(&report).say("dropped");
        });
    });
    child.process().port().on("wait at a gate", |_process, gate: String| gate::wait_at(&gate));
}
