//! Uses the parent's objects.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use remote_child::Child;
use remote_object::{CallError, ChildExt, Remote};

use crate::bodies::{BODIES, Stage};
use crate::interfaces::stock::{new, old};
use crate::interfaces::{Failing, Item, Mirror, Workshop};
use crate::modules::answer;
use crate::objects::this_thread;
use crate::shapes::{Shape, Shapes, Square};

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "body", |child, name: String| {
        let remote = child.remote();
        let workshop = remote.require::<dyn Workshop>("workshop")?;
        let mirror = remote.require::<dyn Mirror>("mirror")?;
        let failing = remote.require::<dyn Failing>("failing")?;
        let shapes = remote.require::<dyn Shapes>("shapes")?;
        let (_, body) = BODIES.iter().find(|(other, _)| *other == name).expect("a body of this name");
        body(Stage { workshop: &*workshop, mirror: &*mirror, failing: &*failing, shapes: &*shapes })
    });
    roots(child);
    lifetimes(child);
    errors(child);
    versions(child);
}

fn roots(child: &Child) {
    answer(child, "require twice", |child, ()| {
        let remote = child.remote();
        let one = remote.require::<dyn Workshop>("workshop")?;
        let other = remote.require::<dyn Workshop>("workshop")?;
        assert_eq!(one, other);
        assert!(Arc::ptr_eq(Remote::as_arc(&one), Remote::as_arc(&other)));
        let global = remote.global::<dyn Workshop>("workshop-of-all")?;
        assert_eq!(global, one);
        Ok::<_, CallError>(())
    });
    answer(child, "require by supertrait", |child, ()| {
        let remote = child.remote();
        let shapes = remote.require::<dyn Shapes>("shapes")?;
        let shape = remote.require::<dyn Shape>("square")?;
        let square = remote.require::<dyn Square>("square")?;
        assert_eq!((shape.name()?, square.side()?), ("square".to_owned(), 3));
        // One after the other and while both are held, it is the original by either.
        assert!(shapes.is_square(shape)?);
        let by_supertrait: Arc<dyn Shape> = Remote::<dyn Square>::into_arc(square);
        assert!(shapes.is_square(Remote::new(by_supertrait))?);
        match remote.require::<dyn Shape>("shapes") {
            Err(CallError::WrongInterface { expected, found, .. }) => Ok::<_, CallError>((expected, found)),
            other => panic!("{other:?}"),
        }
    });
    answer(child, "require", |child, name: String| {
        child.remote().require::<dyn Workshop>(&name).map(|_| Ok(())).or_else(|error| Ok::<_, String>(Err(error)))
    });
    answer(child, "global", |child, name: String| {
        child.remote().global::<dyn Workshop>(&name).map(|_| Ok(())).or_else(|error| Ok::<_, String>(Err(error)))
    });
    // The thread that calls and the one that serves, and where the object lies.
    answer(child, "threads", |child, ()| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let address = Arc::as_ptr(Remote::as_arc(&workshop)).cast::<()>().addr();
        Ok::<_, CallError>((this_thread(), workshop.thread()?, address))
    });
    answer(child, "mark in turn", |child, ()| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        for round in 1..=3 {
            child.process().port().emit("mark", &format!("event {round}")).expect("the parent is there");
            workshop.mark(&format!("call {round}"))?;
        }
        child.process().port().emit("mark", "last event").expect("the parent is there");
        Ok::<_, CallError>(())
    });
}

fn lifetimes(child: &Child) {
    let kept = Rc::new(RefCell::new(Vec::<Remote<dyn Item>>::new()));
    answer(child, "make and drop", |child, name: String| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        workshop.make(&name).map(drop)
    });
    let own = Rc::clone(&kept);
    answer(child, "make and keep", move |child, (name, times): (String, usize)| {
        let workshop = child.remote().require::<dyn Workshop>("workshop")?;
        let item = workshop.make(&name)?;
        own.borrow_mut().extend(std::iter::repeat_n(item, times));
        Ok::<_, CallError>(())
    });
    let own = Rc::clone(&kept);
    answer(child, "use kept", move |_child, ()| {
        own.borrow().iter().map(|item| item.name()).collect::<Result<Vec<_>, _>>()
    });
    let own = Rc::clone(&kept);
    answer(child, "drop one", move |_child, ()| own.borrow_mut().pop().map(drop).ok_or("there is none"));
    // The loop sleeps, most likely, when it is dropped.
    let own = Rc::clone(&kept);
    answer(child, "drop on another thread", move |_child, gate: String| {
        let items = std::mem::take(&mut *own.borrow_mut());
        thread::spawn(move || {
            crate::gate::wait_at(&gate);
            drop(items);
        });
        Ok::<_, String>(())
    });
}

fn errors(child: &Child) {
    answer(child, "failing", |child, ()| {
        let failing = child.remote().require::<dyn Failing>("failing")?;
        let panicked = failing.panics("the saw slipped").expect_err("it panics");
        assert_eq!(failing.succeeds(), Ok(7));
        let reported = failing.reported_error("ten").expect_err("ten is no number");
        Ok::<_, CallError>((panicked, reported))
    });
}

/// An interface whose other side is older or newer.
fn versions(child: &Child) {
    answer(child, "new on old", |child, ()| {
        let stock = child.remote().require::<dyn new::Stock>("old-stock")?;
        let reserved = stock.reserve("nail", 3).expect_err("the old one cannot");
        let price = stock.price("nail").expect_err("the old one counts in cents");
        let audited = stock.audit(child.remote().function(|_: u32| true)).expect_err("the old one takes a callback");
        assert_eq!(stock.count("nail"), Ok(3));
        Ok::<_, CallError>([reserved, price, audited])
    });
    answer(child, "old on new", |child, ()| {
        let stock = child.remote().require::<dyn old::Stock>("new-stock")?;
        let old::StockError::Call(taken) = stock.take("nail").expect_err("it is sold out");
        let audited = stock.audit(child.remote().callback(|_: u32| {})).expect_err("the new one takes a function");
        assert_eq!(stock.count("nail"), Ok(0));
        Ok::<_, CallError>((taken, audited))
    });
}
