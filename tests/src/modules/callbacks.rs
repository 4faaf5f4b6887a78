//! Makes callbacks.

use std::cell::RefCell;
use std::rc::Rc;

use remote_child::{Child, Process};
use remote_object::{CallError, Callback, ChildExt, Remote};

use crate::interfaces::{Bell, Item};
use crate::modules::answer;

type Log = Rc<RefCell<Vec<String>>>;

/// Tells the parent when the closure it is in is dropped.
struct Guard {
    process: Process,
    name: &'static str,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // When all ends, the parent may be gone.
        self.process.port().emit("closure dropped", self.name).ok();
    }
}

fn guarded(child: &Child, name: &'static str) -> Callback<String> {
    let guard = Guard { process: child.process(), name };
    child.remote().callback(move |text: String| {
        guard.process.port().emit("called", &format!("{} {text}", guard.name)).expect("the parent is there");
    })
}

remote_child::register_module!(main);
fn main(child: &Child) {
    order(child);
    lifetimes(child);
    references(child);
}

fn order(child: &Child) {
    let log = Log::default();
    let own = Rc::clone(&log);
    child.process().port().on("mixed", move |_process, text: String| own.borrow_mut().push(text));
    let own = Rc::clone(&log);
    answer(child, "mix", move |child, ()| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        let log = Rc::clone(&own);
        bell.mix(child.remote().callback(move |text: String| log.borrow_mut().push(text)))?;
        own.borrow_mut().push("returned".to_owned());
        Ok::<_, CallError>(())
    });
    answer(child, "mixed log", move |_child, ()| Ok::<_, String>(std::mem::take(&mut *log.borrow_mut())));
}

fn lifetimes(child: &Child) {
    // Its only handle here is gone when it is answered.
    answer(child, "add one", |child, ()| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        bell.add(guarded(child, "one"))
    });
    answer(child, "clear", |child, ()| child.remote().require::<dyn Bell>("bell")?.clear());
    answer(child, "ring", |child, text: String| child.remote().require::<dyn Bell>("bell")?.ring(&text));
    answer(child, "never sent", |child, ()| {
        drop(guarded(child, "never sent"));
        Ok::<_, String>(())
    });
    answer(child, "identity of callbacks", |child, ()| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        let (one, other) = (guarded(child, "one"), guarded(child, "other"));
        assert_eq!(one, one.clone());
        assert_ne!(one, other);
        bell.add(one.clone())?;
        bell.add(one.clone())?;
        assert!(!bell.remove(other)?);
        assert!(bell.remove(one.clone())?);
        assert_eq!(bell.ring("still")?, 1);
        assert!(bell.remove(one.clone())?);
        assert!(!bell.remove(one)?);
        Ok::<_, CallError>(())
    });
    answer(child, "explode in a callback", |child, ()| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        let exploding = child.remote().callback(|_: String| panic!("the callback's own fault"));
        let made_at = exploding.made_at();
        bell.add(exploding)?;
        bell.ring("now")?;
        bell.clear()?;
        Ok::<_, CallError>(made_at)
    });
    answer(child, "call here", |child, ()| {
        let callback = guarded(child, "here");
        callback.call("one".to_owned()).and_then(|()| callback.call("two".to_owned()))
    });
    answer(child, "flood", |child, bytes: u64| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        let process = child.process();
        let flooded = child.remote().callback(move |bytes: Vec<u8>| {
            process.port().emit("flooded", &bytes.len()).expect("the parent is there");
        });
        bell.flood(flooded, bytes)
    });
}

fn references(child: &Child) {
    answer(child, "deliver", |child, ()| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        let process = child.process();
        bell.deliver(child.remote().callback(move |item: Remote<dyn Item>| {
            process.port().emit("delivered", &item.name()).expect("the parent is there");
        }))
    });
    answer(child, "echo a callback", |child, ()| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        let echoed = bell.echo(guarded(child, "echoed")).expect_err("callbacks do not travel to children");
        Ok::<_, CallError>(echoed)
    });
}
