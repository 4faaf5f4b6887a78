//! Several threads at once, and the loop among them.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;

use remote_child::Child;
use remote_object::{CallError, ChildExt};

use crate::gate::Report;
use crate::interfaces::{Bell, Workshop};
use crate::modules::answer;
use crate::objects::this_thread;

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "mark from two threads", |child, rounds: u32| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let other = workshop.clone();
        let marking = thread::spawn(move || (0..rounds).try_for_each(|round| other.mark(&format!("thread {round}"))));
        for round in 0..rounds {
            child.process().port().emit("mark", &format!("event {round}")).expect("the parent is there");
            workshop.mark(&format!("call {round}"))?;
        }
        marking.join().expect("it does not panic")
    });
    answer(child, "overtake", |child, report: String| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        child.process().port().emit("hold", &()).expect("the parent is there");
        thread::spawn(move || Report::at(&report).say(&format!("{:?}", workshop.mark("overtook"))));
        Ok::<_, CallError>(())
    });
    answer(child, "run from threads", |child, (threads, tasks): (u32, u32)| {
        for number in 0..threads {
            let handle = child.handle();
            thread::spawn(move || {
                for task in 0..tasks {
                    let run = handle.run(move |child| {
                        let ran = (number, task, this_thread());
                        child.process().port().emit("ran", &ran).expect("the parent is there");
                    });
                    run.expect("the loop runs");
                }
            });
        }
        Ok::<_, String>(this_thread())
    });
    answer(child, "make on threads", |child, (threads, gate): (u32, String)| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        for number in 0..threads {
            let (workshop, handle, gate) = (workshop.clone(), child.handle(), gate.clone());
            thread::spawn(move || {
                let made = workshop.make_at(&gate, &format!("item {number}")).and_then(|item| item.name());
                let run =
                    handle.run(move |child| child.process().port().emit("made", &made).expect("the parent is there"));
                run.expect("the loop runs");
            });
        }
        Ok::<_, CallError>(())
    });
    answer(child, "use and release", |child, (threads, rounds): (u32, u32)| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        for number in 0..threads {
            let (workshop, handle) = (workshop.clone(), child.handle());
            thread::spawn(move || {
                let used = (0..rounds).try_for_each(|_| {
                    let item = workshop.make(&format!("item of {number}"))?;
                    // The loop drops its own while this one is on its way.
                    let own = item.clone();
                    handle.run(move |_child| drop(own)).expect("the loop runs");
                    workshop.is_original(item).map(|original| assert!(original, "the item made last"))
                });
                let run =
                    handle.run(move |child| child.process().port().emit("used", &used).expect("the parent is there"));
                run.expect("the loop runs");
            });
        }
        Ok::<_, CallError>(())
    });
    waiting(child);
}

/// What comes while the loop thread is in a call.
fn waiting(child: &Child) {
    let log = Rc::new(RefCell::new(Vec::<String>::new()));
    let own = Rc::clone(&log);
    child.process().port().on("noted", move |_process, text: String| own.borrow_mut().push(text));
    let own = Rc::clone(&log);
    answer(child, "listen to the bell", move |child, ()| {
        let own = Rc::clone(&own);
        let listener = child.remote().callback(move |text: String| own.borrow_mut().push(text));
        child.remote().require::<dyn Bell>("bell")?.add(listener)
    });
    let own = Rc::clone(&log);
    answer(child, "wait in a call", move |child, gate: String| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        own.borrow_mut().push("calls".to_owned());
        workshop.make_at(&gate, "late")?;
        own.borrow_mut().push("returned".to_owned());
        // Nor while it is in the next one, right after.
        workshop.make("soon")?;
        own.borrow_mut().push("returned again".to_owned());
        Ok::<_, CallError>(())
    });
    answer(child, "noted so far", move |_child, ()| Ok::<_, String>(std::mem::take(&mut *log.borrow_mut())));
}
