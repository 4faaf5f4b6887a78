//! Does a little of everything, so that there are many moments to die at.

use std::thread;

use remote_child::{Child, FrameOptions};
use remote_object::{CallError, ChildExt, FrameExt, RemoteObject, Value};

use crate::buffers::Gallery;
use crate::interfaces::{Bell, Workshop};
use crate::mill::Mill;
use crate::modules::answer;

remote_child::register_module!(main);
fn main(child: &Child) {
    child.frames().for_every(|frame| {
        frame.port().on("said to the frame", |frame, text: String| {
            let _ = frame.port().emit("said by the frame", &text);
        });
    });
    answer(child, "take steps", |child, ()| {
        objects(child)?;
        callbacks(child)?;
        buffers(child)?;
        promises(child)?;
        frames(child)?;
        elsewhere(child)
    });
}

fn objects(child: &Child) -> Result<(), CallError> {
    let workshop = child.remote().require::<dyn Workshop>("workshop")?;
    let items = ["one", "two", "three", "four", "five", "six"].map(|name| workshop.make(name));
    for item in items {
        let item = item?;
        workshop.keep(item.clone())?;
        assert!(workshop.is_original(item)?);
    }
    workshop.let_go()?;
    Ok(())
}

fn callbacks(child: &Child) -> Result<(), CallError> {
    let remote = child.remote();
    let bell = remote.require::<dyn Bell>("bell")?;
    let process = child.process();
    let rung = remote.callback(move |text: String| {
        let _ = process.port().emit("rung", &text);
    });
    bell.add(rung.clone())?;
    bell.ring("once")?;
    bell.ring("twice")?;
    bell.remove(rung)?;
    let mill = remote.require::<dyn Mill>("mill")?;
    let inner = mill.clone();
    let mapped = mill.map(&[1, 2, 3], remote.function(move |number: i64| inner.double(number).unwrap_or_default()))?;
    assert_eq!(mapped, [2, 4, 6]);
    Ok(())
}

fn buffers(child: &Child) -> Result<(), CallError> {
    let gallery = child.remote().require::<dyn Gallery>("gallery")?;
    let picture = gallery.picture(100_000)?;
    assert_eq!(picture.to_vec()?.len(), 100_000);
    assert!(gallery.is_original(picture)?);
    Ok(())
}

fn promises(child: &Child) -> Result<(), CallError> {
    let workshop: RemoteObject = child.remote().require_dynamic("workshop")?;
    let promises: Vec<_> = (0..5).map(|number: i64| workshop.call_async::<i64>("add", (number, number))).collect();
    for (number, promise) in (0..).zip(promises) {
        assert_eq!(promise.wait()?, 2 * number);
    }
    drop(workshop.call_async::<Value>("add", (1, 1)));
    Ok(())
}

fn frames(child: &Child) -> Result<(), CallError> {
    for tab in [true, false] {
        let options = if tab { FrameOptions::tab() } else { FrameOptions::new() };
        let frame = child.frames().register((), options).expect("the parent is there");
        let _ = frame.port().emit("said by the frame", "hello");
        drop(frame.remote().callback(|()| ()));
        frame.reload();
        frame.close();
    }
    Ok(())
}

fn elsewhere(child: &Child) -> Result<(), CallError> {
    let workshop = child.remote().require::<dyn Workshop>("workshop")?;
    let threads = [1, 2].map(|number| {
        let workshop = workshop.clone();
        thread::spawn(move || workshop.add(number, number))
    });
    for thread in threads {
        thread.join().expect("it does not panic")?;
    }
    Ok(())
}
