//! Contexts of callbacks: those of frames, which end by a reload, and those of loaders.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use remote_object::{CallError, Callback, CallbackError, Listeners};
use remote_parent::{FrameId, Limits, ParentOptions, Task, this_module};
use tests::objects::Objects;

use crate::executor::Queue;
use crate::harness::{Events, PATIENCE, Setup, ask, every_transport, heard, sync};

/// The callbacks that the bell keeps, in the order they were added.
fn kept(objects: &Objects) -> Vec<Callback<String>> {
    objects.bell.listeners.lock().unwrap().clone()
}

#[track_caller]
fn assert_dead(callback: &Callback<String>) {
    assert!(!callback.is_alive());
    let error = callback.call("too late".to_owned()).unwrap_err();
    assert_eq!(error, CallbackError::Detached { made_at: callback.made_at() });
    assert!(error.to_string().contains("modules/contexts.rs:"), "{error}");
}

every_transport! {
    /// B8, B10: a callback counts as handled also when its closure goes while it runs, and the destructor of that panics.
    fn a_callback_that_explodes_counts_as_handled(setup) {
        let name = "a_callback_that_explodes_counts_as_handled";
        let transport = setup.transport();
        drop(setup);
        let setup = Setup::with(name, transport, ParentOptions::new().limits(Limits::new().window(4096)));
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        setup.require("basics");
        let child = setup.spawn();
        let frame: FrameId = ask(&child, "new frame", &());
        for round in 0..4 {
            ask::<(), _>(&child, "add what explodes", &frame);
            let callback = kept(&objects).remove(round);
            // There is room as soon as the child has said that it has handled the one before.
            let called = (0..1_000_000).any(|_| {
                thread::yield_now();
                callback.call("x".repeat(3000)).is_ok()
            });
            assert!(called, "{round}");
            sync(&child);
        }
    }

    /// A10, A19: a frame and a loader go also when the destructor of one of their listeners panics, which is reported.
    fn what_explodes_goes_all_the_same(setup) {
        setup.require("basics");
        let second = setup.parent().loader("second").unwrap();
        second.remote_require("tests::modules::contexts", this_module!()).unwrap();
        let child = setup.spawn();
        let (tell, errors) = Events::new("error");
        let tell = Mutex::new(tell);
        second.processes().on_error(move |_process, error| tell.lock().unwrap().tell(error.to_string()));
        let seen = second.processes().get(child.id()).unwrap();
        let frame: FrameId = ask(&seen, "new frame", &());
        ask::<(), _>(&seen, "listen explosively", &frame);
        second.frames().get(frame).unwrap().close();
        sync(&child);
        assert!(setup.parent().frames().get(frame).is_none());
        assert!(errors.next().contains("the destructor's own fault"));
        second.unload("enough");
        for process in [&child, &setup.main()] {
            sync(process);
        }
        assert!(setup.parent().snapshot().loaders.iter().all(|loader| loader.name != "second"));
    }

    /// B10: a reload ends the callbacks of the frame and of no other; their closures are dropped, and the frame goes on.
    fn a_reload_ends_the_callbacks_of_its_frame(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        for process in [setup.main(), setup.spawn()] {
            let called = heard::<_, String>(&process.port(), "called");
            let dropped = heard::<_, String>(&process.port(), "closure dropped");
            let frames: [FrameId; 2] = [ask(&process, "new frame", &()), ask(&process, "new frame", &())];
            for (frame, name) in [(frames[0], "one"), (frames[0], "two"), (frames[1], "other")] {
                ask::<(), _>(&process, "add of frame", &(frame, name));
            }
            ask::<(), _>(&process, "add of loader", "loader");
            ask::<(), _>(&process, "reload", &frames[0]);
            let mut gone: Vec<_> = dropped.take(2).into_iter().map(|(_, name)| name).collect();
            gone.sort();
            assert_eq!(gone, ["one", "two"]);
            let callbacks = kept(&objects);
            callbacks[..2].iter().for_each(assert_dead);
            for callback in &callbacks[2..] {
                assert!(callback.is_alive());
                callback.call("still".to_owned()).unwrap();
            }
            assert_eq!(called.next().1, "other still");
            assert_eq!(called.next().1, "loader still");

            // The frame is still there, with its listeners and a context of its own.
            let frame = setup.parent().frames().get(frames[0]).expect("it is attached");
            let said = heard::<_, String>(&frame.port(), "said");
            frame.port().emit("say", "hello").unwrap();
            assert_eq!(said.next().1, "hello");
            ask::<(), _>(&process, "add of frame", &(frames[0], "again"));
            kept(&objects)[4].call("hello".to_owned()).unwrap();
            assert_eq!(called.next().1, "again hello");

            drop(callbacks);
            objects.bell.listeners.lock().unwrap().clear();
            let mut gone: Vec<_> = dropped.take(3).into_iter().map(|(_, name)| name).collect();
            gone.sort();
            assert_eq!(gone, ["again", "loader", "other"]);
            assert_eq!(objects.exports.alive().callbacks, 0);
        }
    }

    /// B10: the callbacks of a frame that goes are dead when its detaching is heard, whoever closed it.
    fn the_callbacks_of_a_frame_that_goes_are_dead(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        for process in [setup.main(), setup.spawn()] {
            for by_parent in [true, false] {
                let id: FrameId = ask(&process, "new frame", &());
                ask::<(), _>(&process, "add of frame", &(id, "page"));
                ask::<(), _>(&process, "add of loader", "loader");
                let frame = setup.parent().frames().get(id).expect("it is attached");
                let (tell, told) = Events::new("detach");
                let callbacks = kept(&objects);
                let own = callbacks.clone();
                frame.on_detach(move |_frame| tell.tell((own[0].is_alive(), own[1].is_alive())));
                if by_parent {
                    frame.close();
                } else {
                    ask::<(), _>(&process, "close", &id);
                }
                assert_eq!(told.next(), (false, true));
                assert_dead(&callbacks[0]);
                drop(callbacks);
                objects.bell.listeners.lock().unwrap().clear();
            }
            assert_eq!(objects.exports.alive().callbacks, 0);
        }
    }

    /// B10: the end of a process ends those of its frames.
    fn the_callbacks_of_frames_end_with_their_process(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        let child = setup.spawn();
        let frame: FrameId = ask(&child, "new frame", &());
        ask::<(), _>(&child, "add of frame", &(frame, "page"));
        child.kill();
        child.wait(PATIENCE).expect("it goes");
        kept(&objects).iter().for_each(assert_dead);
    }

    /// B10: a callback that is dead can be neither sent nor called; both errors name where it was made.
    fn a_dead_callback_cannot_be_sent(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        let child = setup.spawn();
        let frame: FrameId = ask(&child, "new frame", &());
        let (made_at, sent, called): (String, CallError, String) = ask(&child, "send dead", &frame);
        assert!(made_at.contains("modules/contexts.rs:"), "{made_at}");
        assert!(matches!(&sent, CallError::Arguments { method, reason } if method == "add" && reason.contains(&made_at)), "{sent:?}");
        assert!(called.contains(&made_at), "{called}");
        assert_eq!(kept(&objects), []);
    }

    /// B10: what is made for a frame that is gone is dead from the beginning.
    fn what_is_made_for_a_frame_that_is_gone_is_dead(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("contexts");
        let child = setup.spawn();
        let dropped = heard::<_, String>(&child.port(), "closure dropped");
        let frame: FrameId = ask(&child, "new frame", &());
        ask::<(), _>(&child, "use after the end", &frame);
        assert_eq!(dropped.take(2).into_iter().map(|(_, name)| name).collect::<Vec<_>>(), ["too late", "too late"]);
    }

    /// B9: the callbacks of a frame have an identity as well.
    fn the_same_callback_of_a_frame_is_one_to_the_parent(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        for process in [setup.main(), setup.spawn()] {
            let frame: FrameId = ask(&process, "new frame", &());
            ask::<(), _>(&process, "identity in a frame", &frame);
            assert_eq!(objects.exports.alive().callbacks, 0);
        }
    }

    /// B10: a list of listeners calls those that are alive, in order, and drops those whose frame was reloaded.
    fn listeners_drop_those_whose_frame_was_reloaded(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        for process in [setup.main(), setup.spawn()] {
            let called = heard::<_, String>(&process.port(), "called");
            let frame: FrameId = ask(&process, "new frame", &());
            ask::<(), _>(&process, "add of loader", "first");
            ask::<(), _>(&process, "add of frame", &(frame, "page"));
            ask::<(), _>(&process, "add of loader", "last");
            let listeners = Listeners::new();
            for callback in std::mem::take(&mut *objects.bell.listeners.lock().unwrap()) {
                assert!(listeners.add("ring", callback));
            }
            assert_eq!(listeners.call("ring", &"one".to_owned()).called, 3);
            assert_eq!(listeners.call("other", &"one".to_owned()).called, 0);
            ask::<(), _>(&process, "reload", &frame);
            let told = listeners.call("ring", &"two".to_owned());
            assert_eq!((told.called, told.dead, listeners.len()), (2, 1, 2));
            let texts: Vec<_> = called.take(5).into_iter().map(|(_, text)| text).collect();
            assert_eq!(texts, ["first one", "page one", "last one", "first two", "last two"]);
            listeners.clear();
            assert_eq!(objects.exports.alive().callbacks, 0);
        }
    }

    /// B6: what is alive is listed for each process, and in the snapshot, with places and methods, until it is let go of.
    fn leaks_are_listed_until_they_are_let_go_of(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        let children = [setup.spawn(), setup.spawn()];
        let frames = children.each_ref().map(|child| {
            let frame: FrameId = ask(child, "new frame", &());
            ask::<(), _>(child, "add of frame", &(frame, "page"));
            ask::<(), _>(child, "add of loader", "loader");
            ask::<(), _>(child, "reload", &frame);
            frame
        });
        let leaks = objects.exports.leaks();
        assert_eq!(leaks.processes.len(), 2, "{leaks}");
        for ((of_process, child), frame) in leaks.processes.iter().zip(&children).zip(frames) {
            assert_eq!((of_process.pid, of_process.serial), (child.id().pid(), child.id().serial()));
            let [of_loader, of_frame] = &of_process.callbacks[..] else { panic!("{of_process:?}") };
            assert_eq!((of_loader.count, of_loader.dead, &of_loader.frame), (1, 0, &None));
            assert_eq!((of_frame.count, of_frame.dead, &of_frame.frame), (1, 1, &Some(frame.to_string())));
            assert_eq!([&*of_loader.passed_to, &*of_frame.passed_to], ["Bell::add"; 2]);
            assert!(of_frame.made_at.contains("modules/contexts.rs:"), "{of_frame:?}");
            let text = format!("1 callback made at {} for frame {frame}, passed to Bell::add, 1 dead", of_frame.made_at);
            assert!(leaks.to_string().contains(&text), "{leaks}");
            let snapshot = setup.parent().snapshot();
            let process = snapshot.processes.iter().find(|process| process.serial == of_process.serial).unwrap();
            assert_eq!(process.callbacks[&of_frame.made_at], 2);
        }
        objects.bell.listeners.lock().unwrap().clear();
        children[0].close();
        children[0].wait(PATIENCE).expect("it goes");
        let objects_of: Vec<_> = objects.exports.leaks().processes.into_iter().map(|leaks| leaks.callbacks).collect();
        assert!(objects_of.iter().all(Vec::is_empty), "{objects_of:?}");
        children[1].close();
        children[1].wait(PATIENCE).expect("it goes");
        assert!(objects.exports.leaks().is_empty());
    }

    /// B10: on an executor too a revocation comes in its place among calls and events.
    fn a_reload_is_handled_in_order_on_an_executor(setup) {
        let transport = setup.transport();
        drop(setup);
        let (tasks, queue) = mpsc::channel::<Task>();
        thread::spawn(move || queue.into_iter().for_each(|task| task()));
        let options = ParentOptions::new().executor(Arc::new(Queue(tasks)));
        let setup = Setup::with("a_reload_is_handled_in_order_on_an_executor", transport, options);
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        for process in [setup.main(), setup.spawn()] {
            let frame: FrameId = ask(&process, "new frame", &());
            for _ in 0..20 {
                ask::<(), _>(&process, "add of frame", &(frame, "page"));
                assert!(kept(&objects)[0].is_alive());
                ask::<(), _>(&process, "reload", &frame);
                assert_dead(&kept(&objects)[0]);
                objects.bell.listeners.lock().unwrap().clear();
            }
        }
    }

    /// B8: the callbacks of frames and of loaders are called in one order.
    fn callbacks_of_frames_and_loaders_keep_one_order(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        let child = setup.spawn();
        let called = heard::<_, String>(&child.port(), "called");
        let frames: [FrameId; 2] = [ask(&child, "new frame", &()), ask(&child, "new frame", &())];
        ask::<(), _>(&child, "add of frame", &(frames[0], "one"));
        ask::<(), _>(&child, "add of loader", "loader");
        ask::<(), _>(&child, "add of frame", &(frames[1], "other"));
        let callbacks = kept(&objects);
        let mut expected = Vec::new();
        for round in 0..30 {
            for (callback, name) in callbacks.iter().rev().zip(["other", "loader", "one"]) {
                callback.call(round.to_string()).unwrap();
                expected.push(format!("{name} {round}"));
            }
        }
        assert_eq!(called.take(90).into_iter().map(|(_, text)| text).collect::<Vec<_>>(), expected);
    }

    /// B10: a callback may reload its own frame: it runs to its end, and then its closure is dropped.
    fn a_callback_may_end_its_own_context(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        let child = setup.spawn();
        let called = heard::<_, String>(&child.port(), "called");
        let dropped = heard::<_, String>(&child.port(), "closure dropped");
        let frame: FrameId = ask(&child, "new frame", &());
        ask::<(), _>(&child, "reload itself", &frame);
        let callback = kept(&objects).remove(0);
        callback.call("once".to_owned()).unwrap();
        // It had not been told of the end when it was called, or it had.
        assert!(matches!(callback.call("twice".to_owned()), Ok(()) | Err(CallbackError::Detached { .. })));
        assert_eq!(called.next().1, "itself once");
        assert_eq!(dropped.next().1, "itself");
        assert_dead(&callback);
        called.none();
    }

    /// B10: closures whose destructors come back to the context, and panic, are dropped one by one, and the process lives on.
    fn the_end_of_a_context_contains_what_it_runs(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        let child = setup.spawn();
        let dropped = heard::<_, String>(&child.port(), "closure dropped");
        let frame: FrameId = ask(&child, "new frame", &());
        ask::<(), _>(&child, "explode when dropped", &frame);
        assert_eq!(dropped.next().1, "last");
        let callbacks = kept(&objects);
        assert_eq!(callbacks.len(), 4);
        callbacks.iter().for_each(assert_dead);
    }

    /// B10: a reference that was under way on another lane when its callback was revoked does not make it alive: at the latest when it
    /// has been called.
    fn callbacks_that_other_threads_pass_while_their_context_ends_are_dead(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("contexts");
        setup.require("basics");
        let child = setup.spawn();
        let called = heard::<_, String>(&child.port(), "called");
        for _ in 0..10 {
            let frame: FrameId = ask(&child, "new frame", &());
            let passed: usize = ask(&child, "race", &frame);
            let callbacks = kept(&objects);
            assert_eq!(callbacks.len(), passed);
            for callback in &callbacks {
                assert!(matches!(callback.call("too late".to_owned()), Ok(()) | Err(CallbackError::Detached { .. })));
            }
            sync(&child);
            callbacks.iter().for_each(assert_dead);
            drop(callbacks);
            objects.bell.listeners.lock().unwrap().clear();
            assert_eq!(objects.exports.alive().callbacks, 0);
        }
        called.none();
    }
}
