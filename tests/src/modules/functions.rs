//! Makes functions.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use remote_child::{Child, EmitError, Process};
use remote_object::{CallError, ChildExt, Function, Remote};

use crate::gate::wait_at;
use crate::interfaces::{Item, Workshop};
use crate::mill::{Mill, Plan, Step};
use crate::modules::answer;

fn mill(child: &Child) -> Result<Remote<dyn Mill>, CallError> {
    child.remote().require::<dyn Mill>("mill")
}

remote_child::register_module!(main);
fn main(child: &Child) {
    simple(child);
    references(child);
    faults(child);
    threads(child);
    plans(child);
}

fn simple(child: &Child) {
    answer(child, "map", |child, numbers: Vec<i64>| {
        let calls = Rc::new(Cell::new(0));
        let own = Rc::clone(&calls);
        let mapped = mill(child)?.map(
            &numbers,
            child.remote().function(move |number: i64| {
                own.set(own.get() + 1);
                number + 1
            }),
        )?;
        assert_eq!(calls.get(), numbers.len());
        Ok::<_, CallError>(mapped)
    });
    // A function calls the parent, which may call it in turn.
    answer(child, "map by calls", |child, numbers: Vec<i64>| {
        let other = mill(child)?;
        let double = child.remote().function(move |number: i64| other.double(number).expect("it doubles"));
        let mill = mill(child)?;
        let other = mill.clone();
        let nested = move |number: i64| other.map(&[number, number], double.clone()).expect("it maps").iter().sum();
        mill.map(&numbers, child.remote().function(nested))
    });
    answer(child, "returning", |child, ()| {
        let mill = mill(child)?;
        let known = Function::returning(&7);
        assert_eq!(known.call(String::new())?, 7);
        mill.keep(known.clone())?;
        assert!(mill.is_kept(known.clone())?);
        assert!(!mill.is_kept(Function::returning(&7))?);
        mill.ask(known)
    });
    answer(child, "return what refers to something", |child, ()| {
        let callback = child.remote().callback(|()| {});
        let known: Function<(), _> = Function::returning(&callback);
        let called = known.call(()).map(drop).expect_err("it is refused");
        let mill = mill(child)?;
        let sent = mill.ring(Function::returning(&child.remote().callback(|_: String| {})));
        Ok::<_, CallError>([called.to_string(), sent.expect_err("it is refused").to_string()])
    });
    answer(child, "keep", |child, ()| {
        let f = child.remote().function(|text: String| u32::try_from(text.len()).unwrap_or(u32::MAX));
        mill(child)?.keep(f.clone())?;
        Ok::<_, CallError>(f.made_at())
    });
}

fn references(child: &Child) {
    answer(child, "pass", |child, ()| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let passed = Rc::new(Cell::new(0));
        let own = Rc::clone(&passed);
        let f = child.remote().function(move |item: Remote<dyn Item>| {
            own.set(own.get() + item.name().expect("it has a name").len());
            item
        });
        assert!(mill(child)?.pass(workshop.make("four")?, f)?);
        Ok::<_, CallError>(passed.get())
    });
    // Nobody but the result has it, and it goes back at once.
    answer(child, "name", |child, rounds: u32| {
        let (workshop, mill) = (child.remote().require::<dyn Workshop>("workshop")?, mill(child)?);
        for round in 0..rounds {
            let workshop = workshop.clone();
            let make = move |()| workshop.make(&format!("item {round}")).expect("it is made");
            assert_eq!(mill.name_of(child.remote().function(make))?, format!("item {round}"));
        }
        Ok::<_, CallError>(())
    });
    answer(child, "ring", |child, ()| {
        let process = child.process();
        let context = child.remote();
        mill(child)?.ring(child.remote().function(move |()| {
            let process = process.clone();
            context.callback(move |text: String| process.port().emit("rung", &text).expect("the parent is there"))
        }))
    });
    answer(child, "grind", |child, bytes: u64| {
        mill(child)?.grind(child.remote().function(|grain: String| grain.repeat(2)), bytes)
    });
}

fn faults(child: &Child) {
    answer(child, "panic", |child, ()| {
        let f = child.remote().function(|_: i64| -> i64 { panic!("the function's own fault") });
        let error = mill(child)?.attempt(f.clone(), 20_000)?.expect_err("it panics");
        let here = f.call(1).expect_err("it panics").to_string();
        assert_eq!(error, here);
        Ok::<_, CallError>([f.made_at(), error])
    });
    answer(child, "too long", |child, gate: String| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let f = child.remote().function(move |_: i64| {
            wait_at(&gate);
            // A call of a function that nobody waits for any more, and an item nobody takes.
            let made = workshop.make("late").expect("it is made");
            i64::try_from(made.name().expect("it has a name").len()).expect("it fits")
        });
        // The function ends before the call returns, for both run on this thread; the error came before.
        let error = mill(child)?.attempt(f.clone(), 200)?.expect_err("it takes too long");
        Ok::<_, CallError>([f.made_at(), error])
    });
    answer(child, "keep what gives up", |child, gate: String| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let (remote, own) = (child.remote(), child.clone());
        let f = child.remote().function(move |_: String| {
            remote.set_call_deadline(Duration::from_millis(50));
            workshop.make_at(&gate, "slow").expect_err("it takes too long");
            workshop.make("left").expect_err("nobody comes to it");
            remote.set_call_deadline(Duration::from_secs(30));
            // After the result of this function.
            let told = own.handle().run(|child| tell(&child.process(), "gave up", &()));
            told.map_or(0, |()| 3)
        });
        mill(child)?.keep(f)
    });
    answer(child, "wait for a lock", |child, ()| {
        let own = mill(child)?;
        let f = child.remote().function(move |_: i64| {
            let own = own.clone();
            // On a lane of its own, so that another thread of the parent serves it.
            let waiting = thread::spawn(move || own.needs_the_lock());
            waiting.join().expect("nothing panics").map_or(0, |()| 1)
        });
        let error = mill(child)?.locked(f.clone(), 500)?.expect_err("it takes too long");
        Ok::<_, CallError>([f.made_at(), error])
    });
    answer(child, "wait at", |child, gate: String| {
        let f = child.remote().function(move |text: String| {
            wait_at(&gate);
            u32::try_from(text.len()).unwrap_or(u32::MAX)
        });
        mill(child)?.keep(f)
    });
    answer(child, "emit in a function", |child, bytes: usize| {
        let process = child.process();
        let f = child.remote().function(move |number: i64| {
            let load = "x".repeat(bytes);
            let full = std::iter::from_fn(|| process.port().emit("load", &load).err()).next();
            // One that is not full yet waits for nothing.
            let full = full.or_else(|| (0..100_000).find_map(|_| process.port().emit("load", &load).err()));
            assert!(matches!(full, Some(EmitError::Backlog { after: Duration::ZERO, .. })), "{full:?}");
            number
        });
        mill(child)?.attempt(f, 20_000)
    });
}

fn threads(child: &Child) {
    // The loop is blocked in a call, or not, while another thread has the parent call a function that lives on the loop.
    answer(child, "from a thread", |child, (gate, numbers): (Option<String>, Vec<i64>)| {
        let (mill, workshop) = (mill(child)?, child.remote().require::<dyn Workshop>("workshop")?);
        let f = child.remote().function(|number: i64| number + 1);
        let handle = child.handle();
        thread::spawn(move || {
            let mapped = mill.map(&numbers, f);
            handle.run(move |child| tell(&child.process(), "mapped", &mapped)).expect("the loop is there");
        });
        if let Some(gate) = gate {
            workshop.make_at(&gate, "made")?;
        }
        Ok::<_, CallError>(())
    });
    // As before, but the thread calls it itself.
    answer(child, "here, from a thread", |child, gate: Option<String>| {
        let (mill, workshop) = (mill(child)?, child.remote().require::<dyn Workshop>("workshop")?);
        let f = child.remote().function(move |number: i64| mill.double(number).expect("it doubles"));
        assert_eq!(f.call(4), Ok(8));
        let handle = child.handle();
        thread::spawn(move || {
            let called = f.call(21);
            handle.run(move |child| tell(&child.process(), "called", &called)).expect("the loop is there");
        });
        if let Some(gate) = gate {
            workshop.make_at(&gate, "made")?;
        }
        Ok::<_, CallError>(())
    });
    answer(child, "within itself", |child, number: i64| {
        let itself: Rc<Cell<Option<Function<i64, i64>>>> = Rc::default();
        let own = Rc::clone(&itself);
        let factorial = child.remote().function(move |number: i64| {
            let itself = own.take().expect("it is put back");
            own.set(Some(itself.clone()));
            if number < 2 { 1 } else { number * itself.call(number - 1).expect("it is called") }
        });
        itself.set(Some(factorial.clone()));
        let result = factorial.call(number);
        drop(itself.take());
        result
    });
}

fn plans(child: &Child) {
    answer(child, "enrol", |child, index: u32| {
        let own = mill(child)?;
        let step: Step = child.remote().function(move |plan: Plan| {
            let mut count = 1;
            for step in plan.into_steps() {
                let own = own.clone();
                count += match (step.elsewhere, step.aside) {
                    (true, _) => own.carry_out_elsewhere(step)?,
                    (_, true) => thread::spawn(move || own.carry_out(step)).join().expect("nothing panics")?,
                    _ => own.carry_out(step)?,
                };
            }
            Ok(count)
        });
        mill(child)?.enrol(index, step)
    });
    answer(child, "carry out", |child, plan: Plan| mill(child)?.carry_out(plan));
    // On so many threads, each a plan of its own.
    answer(child, "carry out on threads", |child, plans: Vec<Plan>| {
        let mill = mill(child)?;
        for plan in plans {
            let (mill, handle) = (mill.clone(), child.handle());
            thread::spawn(move || {
                let done = mill.carry_out(plan);
                handle.run(move |child| tell(&child.process(), "carried out", &done)).expect("the loop is there");
            });
        }
        Ok::<_, CallError>(())
    });
    // In a listener of the parent.
    answer(child, "have carried out", |child, plan: Plan| child.process().port().emit("carry out, please", &plan));
}

fn tell<T: serde::Serialize>(process: &Process, event: &str, payload: &T) {
    process.port().emit(event, payload).expect("the parent is there");
}
