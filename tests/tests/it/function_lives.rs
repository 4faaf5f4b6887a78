//! Functions that end, and those who wait for them.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use remote_object::{CallError, Function};
use remote_parent::{FrameId, Limits, Process, this_module};
use tests::gate::Gate;
use tests::mill::{Mill, Works};
use tests::objects::Objects;

use crate::harness::{PATIENCE, Setup, ask, every_transport, sync};

fn served(setup: &Setup) -> (Arc<Works>, Objects) {
    let objects = Objects::served(setup.parent());
    let works = Works::exported(&objects.exports);
    setup.require("function_lives");
    setup.require("basics");
    (works, objects)
}

fn kept(works: &Works) -> Function<String, u32> {
    works.kept.lock().unwrap().clone().expect("it is kept")
}

/// Waits until nothing of a child is lent or held any more.
fn settle(child: &Process, objects: &Objects) {
    loop {
        sync(child);
        let alive = objects.exports.alive();
        if (alive.objects, alive.callbacks) == (0, 0) {
            return;
        }
    }
}

#[track_caller]
fn assert_gone(error: &CallError, made_at: &str) {
    assert_eq!(*error, CallError::NoSuchFunction { function: format!("function made at {made_at}") });
}

every_transport! {
    /// B10, B11: a reload ends the functions of the frame, also one that the parent is about to call again.
    fn the_functions_of_a_frame_end_with_what_is_in_it(setup) {
        let (works, objects) = served(&setup);
        for process in [setup.main(), setup.spawn()] {
            let frame: FrameId = ask(&process, "new frame", &());
            let made_at: String = ask(&process, "keep of frame", &frame);
            assert!(kept(&works).is_alive());
            assert_eq!(works.ask(kept(&works)), Ok(11));
            ask::<(), _>(&process, "reload", &frame);
            assert!(!kept(&works).is_alive());
            assert_gone(&works.ask(kept(&works)).unwrap_err(), &made_at);
            let (made_at, called, sent): (String, CallError, CallError) = ask(&process, "reload in the midst", &frame);
            assert_gone(&called, &made_at);
            assert!(sent.to_string().contains(&made_at), "{sent}");
            works.kept.lock().unwrap().take();
            if process.is_remote() {
                settle(&process, &objects);
            }
        }
    }

    /// B10, B11: a function that was under way on another lane when its frame was reloaded is known to be dead at the latest when it has
    /// been called.
    fn functions_that_other_threads_pass_while_their_context_ends_are_dead(setup) {
        let (works, objects) = served(&setup);
        let child = setup.spawn();
        for _ in 0..10 {
            let frame: FrameId = ask(&child, "new frame", &());
            ask::<(), _>(&child, "race", &frame);
            let kept = works.kept.lock().unwrap().take().expect("one was passed");
            assert_gone(&works.ask(kept.clone()).unwrap_err(), &kept.made_at());
            assert!(!kept.is_alive());
        }
        settle(&child, &objects);
    }

    /// A19, B11: a function that runs while its loader is being unloaded returns; those that are called after that are gone.
    fn a_function_ends_with_its_loader(setup) {
        let (works, objects) = served(&setup);
        let child = setup.spawn();
        let second = setup.parent().loader("second").unwrap();
        second.remote_require("tests::modules::function_lives", this_module!()).unwrap();
        let gate = Gate::new();
        let seen = second.processes().get(child.id()).expect("the loader sees it");
        let made_at: String = ask(&seen, "wait at", &gate.address());
        thread::scope(|scope| {
            let running = scope.spawn(|| works.ask(kept(&works)));
            let waiting = gate.arrival();
            second.unload("enough");
            let called = scope.spawn(|| works.ask(kept(&works)));
            waiting.let_go();
            assert_eq!(running.join().unwrap(), Ok(11));
            assert_gone(&called.join().unwrap().unwrap_err(), &made_at);
        });
        assert!(!kept(&works).is_alive());
        works.kept.lock().unwrap().take();
        settle(&child, &objects);
    }

    /// B11: more unanswered functions of one process than the limit are an error at once; when they have been answered, all is well.
    fn more_functions_at_once_than_the_limit_are_an_error(setup) {
        let (works, objects) = served(&setup);
        let child = setup.spawn();
        let gate = Gate::new();
        let made_at: String = ask(&child, "wait at", &gate.address());
        let f = kept(&works);
        // Nobody waits for half of them any more.
        for _ in 0..32 {
            let error = f.call_within(Duration::from_millis(1), String::new()).unwrap_err();
            assert!(matches!(error, CallError::Deadline { .. }), "{error:?}");
        }
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            for _ in 0..33 {
                let (f, tell) = (f.clone(), tell.clone());
                scope.spawn(move || tell.send(f.call("four".to_owned())).expect("it is waited for"));
            }
            let error = told.recv_timeout(PATIENCE).unwrap().unwrap_err();
            assert!(matches!(&error, CallError::Busy { .. }), "{error:?}");
            let expected = format!("`function made at {made_at}` was not called: 64 functions of the process are unanswered");
            assert_eq!(error.to_string(), expected);
            for _ in 0..64 {
                gate.arrival().let_go();
            }
            for _ in 0..32 {
                assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Ok(4));
            }
            let again = scope.spawn(|| f.call("again".to_owned()));
            gate.arrival().let_go();
            assert_eq!(again.join().unwrap(), Ok(5));
        });
        drop(f);
        works.kept.lock().unwrap().take();
        settle(&child, &objects);
    }

    /// B11: how many unanswered functions of one process there may be is the parent's to say.
    fn as_many_functions_at_once_as_the_parent_says(setup) {
        let (works, objects) = served(&setup);
        let limits = Limits::new().calls(2);
        let child = setup.parent().processes().spawn_with(setup.options().limits(limits)).expect("the child starts");
        let gate = Gate::new();
        ask::<String, _>(&child, "wait at", &gate.address());
        let f = kept(&works);
        for _ in 0..2 {
            let error = f.call_within(Duration::from_millis(1), String::new()).unwrap_err();
            assert!(matches!(error, CallError::Deadline { .. }), "{error:?}");
        }
        let error = f.call(String::new()).unwrap_err();
        assert!(error.to_string().contains("2 functions of the process are unanswered"), "{error}");
        for _ in 0..2 {
            gate.arrival().let_go();
        }
        drop(f);
        works.kept.lock().unwrap().take();
        settle(&child, &objects);
    }

    /// B10, B11: when a process is killed, all who wait for its functions are told soon: any threads, its own listener, another's.
    fn all_who_wait_for_a_killed_process_are_told_soon(setup) {
        let (works, _objects) = served(&setup);
        let [child, other] = [setup.spawn(), setup.spawn()];
        let gate = Gate::new();
        ask::<String, _>(&child, "wait at", &gate.address());
        let (tell, told) = mpsc::channel();
        let wait = {
            let works = Arc::clone(&works);
            move || {
                let asked = works.ask(kept(&works));
                tell.send((asked, Instant::now())).expect("it is waited for");
            }
        };
        let wait_in_listener = |process: &Process| {
            let wait = wait.clone();
            process.port().once("sync: answer", move |_process, _: Result<(), String>| wait());
            process.port().emit("sync", &()).unwrap();
        };
        wait_in_listener(&child);
        let arrived = gate.arrival();
        wait_in_listener(&other);
        for _ in 0..6 {
            thread::spawn(wait.clone());
        }
        let killed = Instant::now();
        child.kill();
        for _ in 0..8 {
            let (asked, at) = told.recv_timeout(PATIENCE).unwrap();
            assert!(matches!(asked, Err(CallError::Disconnected { .. })), "{asked:?}");
            assert!(at.duration_since(killed) < Duration::from_secs(5));
        }
        // A thread of ours is no process of its own.
        drop(arrived);
        drop(gate);
        assert!(child.wait(PATIENCE).is_some());
        sync(&other);
    }

    /// B6, B11: of thousands of functions that were passed, called and let go of nothing is left on either side.
    fn nothing_is_left_of_thousands_of_functions(setup) {
        let (works, objects) = served(&setup);
        let child = setup.spawn();
        for _ in 0..2 {
            ask::<(), _>(&child, "pass many", &1500_i64);
            works.kept.lock().unwrap().take();
            settle(&child, &objects);
            assert_eq!(ask::<i64, _>(&child, "closures", &()), 0);
        }
        assert!(objects.exports.leaks().is_empty());
    }
}
