//! What runs on which thread, and in which order.

use std::sync::{Arc, Barrier, PoisonError};
use std::thread;

use remote_object::CallError;
use remote_parent::Process;
use tests::gate::Gate;
use tests::objects::Objects;

use crate::harness::{Events, ask, every_transport, heard};

/// Those of one kind, without it.
fn of(marks: &[String], kind: &str) -> Vec<u32> {
    let number = |mark: &String| mark.strip_prefix(kind).map(|number| number.trim().parse().expect("a number"));
    marks.iter().filter_map(number).collect()
}

/// The marks that calls make, and events too.
fn marks(objects: &Objects, child: &Process) {
    let hall = Arc::clone(&objects.hall);
    child.port().on("mark", move |_process, text: String| {
        hall.marks.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    });
}

every_transport! {
    /// A5: all listeners for one process run on one thread, in the order sent; those for another process on another one.
    fn listeners_for_one_process_run_on_one_thread(setup) {
        setup.require("ports");
        let children = [setup.main(), setup.spawn(), setup.spawn()];
        let (tell, told) = Events::new("told");
        let tell = Arc::new(tell);
        let own = Arc::clone(&tell);
        setup.parent().processes().port().on("said", move |process, text: String| {
            own.tell((process.id(), thread::current().id(), text));
        });
        let mut threads = Vec::new();
        for child in &children {
            let own = Arc::clone(&tell);
            child.port().on("said", move |process, text: String| own.tell((process.id(), thread::current().id(), text)));
            let texts: Vec<String> = (0..200).map(|number| number.to_string()).collect();
            ask::<(), _>(child, "say", &("said", &texts));
            let all = told.take(400);
            let thread = all[0].1;
            assert!(all.iter().all(|(id, other, _)| (*id, *other) == (child.id(), thread)));
            // Each once on its own port and once on the list's.
            let twice: Vec<&String> = texts.iter().flat_map(|text| [text, text]).collect();
            assert_eq!(all.iter().map(|(_, _, text)| text).collect::<Vec<_>>(), twice);
            assert!(thread != thread::current().id() && !threads.contains(&thread));
            threads.push(thread);
        }
    }

    /// A5: listeners for different processes run at once: each of these waits until the other has been entered.
    fn listeners_for_different_processes_run_at_once(setup) {
        setup.require("ports");
        let children = [setup.main(), setup.spawn(), setup.spawn()];
        let (tell, told) = Events::new("met");
        let barrier = Barrier::new(children.len());
        setup.parent().processes().port().on("said", move |process, _: String| {
            barrier.wait();
            tell.tell(process.id());
        });
        for child in &children {
            child.port().emit("say", &("said", ["together"])).unwrap();
        }
        let mut met = told.take(children.len());
        met.sort();
        let mut all: Vec<_> = children.iter().map(Process::id).collect();
        all.sort();
        assert_eq!(met, all);
    }

    /// B8: many events and calls of the loop thread are handled in the order sent; another thread's calls keep theirs.
    fn each_thread_of_a_child_keeps_its_order(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("turns");
        let child = setup.spawn();
        marks(&objects, &child);
        let rounds = 300;
        ask::<(), _>(&child, "mark from two threads", &rounds);
        let marks = objects.hall.marks.lock().unwrap().clone();
        let numbers: Vec<u32> = (0..rounds).collect();
        assert_eq!(of(&marks, "thread"), numbers);
        let loops: Vec<&String> = marks.iter().filter(|mark| !mark.starts_with("thread")).collect();
        let expected: Vec<String> =
            numbers.iter().flat_map(|round| [format!("event {round}"), format!("call {round}")]).collect();
        assert_eq!(loops, expected.iter().collect::<Vec<_>>());
    }

    /// B19: a call of another thread is not held up by what the loop thread sent before: a listener that takes long.
    fn another_thread_overtakes_the_loop_thread(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("turns");
        let child = setup.spawn();
        let (gate, report) = (Gate::new(), Gate::new());
        let address = gate.address();
        child.port().on("hold", move |_process, ()| tests::gate::wait_at(&address));
        child.port().emit("overtake", &report.address()).unwrap();
        let waiting = gate.arrival();
        assert_eq!(report.arrival().text(), "Ok(())");
        assert_eq!(*objects.hall.marks.lock().unwrap(), ["overtook"]);
        waiting.let_go();
    }

    /// B5: what threads post to the loop runs there, in the order in which each of them posted it.
    fn what_threads_post_runs_on_the_loop_thread_in_order(setup) {
        setup.require("turns");
        for child in [setup.main(), setup.spawn()] {
            let ran = heard::<Process, (u32, u32, String)>(&child.port(), "ran");
            let loop_thread: String = ask(&child, "run from threads", &(4, 200));
            let ran = ran.take(4 * 200);
            assert!(ran.iter().all(|(_, (_, _, thread))| *thread == loop_thread));
            for number in 0..4 {
                let own = ran.iter().filter(|(_, (thread, ..))| *thread == number).map(|(_, (_, task, _))| *task);
                assert_eq!(own.collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
            }
        }
    }

    /// B8: while the loop thread waits in a call, events and callbacks wait too, and come afterwards in order.
    fn events_and_callbacks_wait_while_the_loop_thread_is_in_a_call(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("turns");
        let child = setup.spawn();
        ask::<(), _>(&child, "listen to the bell", &());
        let listener = objects.bell.listeners.lock().unwrap()[0].clone();
        let gate = Gate::new();
        child.port().emit("wait in a call", &gate.address()).unwrap();
        let waiting = gate.arrival();
        let mut expected = vec!["calls".to_owned(), "returned".to_owned(), "returned again".to_owned()];
        for round in 0..50 {
            child.port().emit("noted", &format!("event {round}")).unwrap();
            listener.call(format!("callback {round}")).unwrap();
            expected.extend([format!("event {round}"), format!("callback {round}")]);
        }
        waiting.let_go();
        assert_eq!(ask::<Vec<String>, _>(&child, "noted so far", &()), expected);
    }

    /// B7: the release of an object does not overtake a use of it that is on its way on another lane.
    fn no_release_overtakes_a_use_on_another_lane(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("turns");
        let child = setup.spawn();
        let used = heard::<Process, Result<(), CallError>>(&child.port(), "used");
        ask::<(), _>(&child, "use and release", &(4, 200));
        for (_, used) in used.take(4) {
            used.unwrap();
        }
        // All of them go in the end.
        for _ in 0..4 * 200 {
            objects.dropped.recv().unwrap();
        }
    }

    /// B5: as many threads as there are lanes are in calls at once; more wait for a lane, and get it.
    fn more_threads_than_lanes_call_at_once(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("turns");
        let child = setup.spawn();
        let made = heard::<Process, Result<String, CallError>>(&child.port(), "made");
        let (threads, lanes) = (40, 15);
        let gate = Gate::new();
        ask::<(), _>(&child, "make on threads", &(threads, gate.address()));
        let waiting: Vec<_> = (0..lanes).map(|_| gate.arrival()).collect();
        made.none();
        drop(waiting);
        for _ in lanes..threads {
            gate.arrival().let_go();
        }
        let mut made: Vec<String> = made.take(threads).into_iter().map(|(_, made)| made.unwrap()).collect();
        made.sort();
        let mut expected: Vec<String> = (0..threads).map(|number| format!("item {number}")).collect();
        expected.sort();
        assert_eq!(made, expected);
    }
}
