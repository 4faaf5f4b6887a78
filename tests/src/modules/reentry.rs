//! Listeners that change what they are called by.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use remote_child::{Child, FrameOptions};

use crate::modules::answer;

remote_child::register_module!(main);
fn main(child: &Child) {
    child.process().port().on("go", |process, ()| process.port().emit("gone to", &()).expect("the parent is there"));
    // The parent may have closed what they are on, or may be gone.
    child.process().port().on("told", |process, ()| process.port().emit("heard of it", &()).unwrap_or(()));
    answer(child, "register one", |child, ()| {
        child.frames().register((), FrameOptions::new()).map(|frame| frame.close())
    });
    answer(child, "change listeners", change_listeners);
    answer(child, "change frames", change_frames);
    answer(child, "for every in for every", |child, ()| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let frames = [(); 3].map(|()| child.frames().register((), FrameOptions::new()).expect("the parent is there"));
        let (own, log) = (child.clone(), Rc::clone(&seen));
        let outer = child.frames().for_every(move |frame| {
            let (outer, log) = (frame.id(), Rc::clone(&log));
            own.frames().for_every(move |inner| log.borrow_mut().push((outer, inner.id())));
        });
        assert_eq!(seen.borrow().len(), 9);
        assert!(child.frames().off_attach(outer));
        frames.iter().for_each(remote_child::Frame::close);
        Ok::<_, String>(())
    });
    // From within a listener of a frame.
    let own = child.clone();
    child.process().port().on("close within", move |_process, ()| {
        let other = own.clone();
        own.frames().on_attach(move |frame| {
            other.close();
            other.close();
            frame.close();
            other.process().port().emit("closing", &()).expect("the parent is there");
        });
        own.frames().register((), FrameOptions::new()).expect("the parent is there");
    });
    let own = child.clone();
    child.process().port().on("register while unloading", move |_process, ()| {
        let other = own.clone();
        own.on_unload(move |_reason| {
            // Whether it can, and whether it is heard, is nobody's business; it is not to hang.
            let frame = other.frames().register((), FrameOptions::new());
            drop(frame.map(|frame| frame.close()));
            other.process().port().on("never", |_process, ()| {});
            other.on_unload(|_reason| {});
            other.close();
            other.process().port().emit("unloading", &()).ok();
        });
    });
}

/// Each adds another one, or removes itself, while it is told.
fn change_listeners(child: &Child, (): ()) -> Result<(), String> {
    let log = Rc::new(RefCell::new(Vec::<&'static str>::new()));
    let frame = child.frames().register((), FrameOptions::new()).map_err(|error| error.to_string())?;
    let note = |text: &'static str| {
        let log = Rc::clone(&log);
        move || log.borrow_mut().push(text)
    };
    let itself = Rc::new(Cell::new(None));
    let (own, noted, later) = (Rc::clone(&itself), note("removes itself"), note("added"));
    itself.set(Some(child.frames().on_detach(move |frame| {
        noted();
        let frames = frame.process().port();
        frames.emit("heard of it", &()).expect("the parent is there");
        own.take();
        let later = later.clone();
        frame.on_detach(move |_frame| later());
    })));
    let (own, noted, other) = (child.clone(), note("twice"), note("never"));
    frame.on_detach(move |frame| {
        noted();
        frame.close();
        let other = other.clone();
        let id = own.frames().on_detach(move |_frame| other());
        assert!(own.frames().off_detach(id));
        let id = own.process().port().on("told", |_process, ()| {});
        assert!(own.process().port().off(id) && !own.process().port().off(id));
        own.process().port().once("told", |_process, ()| {});
    });
    frame.close();
    assert_eq!(*log.borrow(), ["twice", "removes itself"]);
    Ok(())
}

/// Frames are made and closed in the listeners for frames.
fn change_frames(child: &Child, (): ()) -> Result<(), String> {
    let left = Rc::new(Cell::new(5));
    let (own, more) = (child.clone(), Rc::clone(&left));
    let attach = child.frames().on_attach(move |frame| {
        frame.port().emit("heard of it", &()).expect("the parent is there");
        if more.replace(more.get().max(1) - 1) > 0 {
            own.frames().register((), FrameOptions::new()).expect("the parent is there");
        }
        frame.close();
    });
    let own = child.clone();
    let closed = Rc::new(Cell::new(0));
    let count = Rc::clone(&closed);
    let detach = child.frames().on_detach(move |frame| {
        count.set(count.get() + 1);
        assert!(own.frames().get(frame.id()).is_none());
    });
    child.frames().register((), FrameOptions::new()).map_err(|error| error.to_string())?;
    assert!(child.frames().off_attach(attach) && child.frames().off_detach(detach));
    assert_eq!((child.frames().len(), closed.get()), (0, 6));
    Ok(())
}
