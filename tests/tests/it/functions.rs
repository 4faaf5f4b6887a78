//! Callbacks that return.

use std::sync::{Arc, Barrier};
use std::thread;

use remote_object::CallError;
use remote_parent::{Limits, ParentOptions, Process};
use tests::gate::Gate;
use tests::mill::{Mill, Plan, Works};
use tests::objects::Objects;

use crate::harness::{PATIENCE, Setup, ask, every_transport, heard, sync, try_ask};

/// The mill, and the workshop besides it.
fn served(setup: &Setup) -> (Arc<Works>, Objects) {
    let objects = Objects::served(setup.parent());
    let works = Works::exported(&objects.exports);
    setup.require("functions");
    setup.require("basics");
    (works, objects)
}

/// Waits until nothing of a child is lent or held any more: what one side lets go of may hold what the other has lent.
fn settle(child: &Process, objects: &Objects) {
    loop {
        sync(child);
        let alive = objects.exports.alive();
        if (alive.objects, alive.callbacks) == (0, 0) {
            return;
        }
    }
}

/// Children whose functions carry out plans.
fn enrolled(setup: &Setup, count: u32) -> Vec<Process> {
    let enrol = |index| {
        let child = setup.spawn();
        ask::<(), _>(&child, "enrol", &index);
        child
    };
    (0..count).map(enrol).collect()
}

every_transport! {
    /// B11: a callback that returns is called while the parent serves the call that passed it.
    fn numbers_are_mapped_by_a_function_of_a_child(setup) {
        let (_works, objects) = served(&setup);
        for process in [setup.spawn(), setup.main()] {
            assert_eq!(ask::<Vec<i64>, _>(&process, "map", &[1, 2, 3]), [2, 3, 4]);
            assert_eq!(ask::<Vec<i64>, _>(&process, "map", &[0_i64; 0]), []);
            // The functions are given back.
            settle(&process, &objects);
        }
    }

    /// B11: a function may call the parent, which calls another function meanwhile, and so on.
    fn functions_and_calls_nest(setup) {
        let (_works, _objects) = served(&setup);
        for process in [setup.spawn(), setup.main()] {
            assert_eq!(ask::<Vec<i64>, _>(&process, "map by calls", &[1, 10]), [4, 40]);
        }
    }

    /// B5, B11: objects are arguments and results of functions, and arrive as the originals; callbacks are results.
    fn what_functions_take_and_return_may_refer_to_things(setup) {
        let (_works, objects) = served(&setup);
        let child = setup.spawn();
        assert_eq!(ask::<usize, _>(&child, "pass", &()), 4);
        let rung = heard::<Process, String>(&child.port(), "rung");
        ask::<(), _>(&child, "ring", &());
        assert_eq!(rung.next().1, "rung");
        settle(&child, &objects);
    }

    /// B7, B11: what a function returns and lets go of in the same moment arrives, whoever receives it.
    fn what_a_function_returns_outlives_its_own_release(setup) {
        let (_works, objects) = served(&setup);
        let child = setup.spawn();
        ask::<(), _>(&child, "name", &300_u32);
        settle(&child, &objects);
    }

    /// B11: arguments and results may be as long as a message.
    fn arguments_and_results_of_functions_may_be_long(setup) {
        let (_works, _objects) = served(&setup);
        let child = setup.spawn();
        for bytes in [0_u64, 1, 60_000, 70_000, 6 << 20] {
            assert_eq!(ask::<usize, _>(&child, "grind", &bytes), usize::try_from(2 * bytes).unwrap());
        }
        for bytes in [10_u64 << 20, 20 << 20] {
            let error = try_ask::<usize, _>(&child, "grind", &bytes).unwrap_err();
            assert!(error.contains("function made at "), "{error}");
        }
        assert_eq!(ask::<Vec<i64>, _>(&child, "map", &[1]), [2]);
    }

    /// B12: a function whose result is known beforehand needs no round trip, nor its process.
    fn a_function_that_returns_a_known_value_needs_no_process(setup) {
        let (works, _objects) = served(&setup);
        let child = setup.spawn();
        assert_eq!(ask::<u32, _>(&child, "returning", &()), 7);
        child.kill();
        assert!(child.wait(PATIENCE).is_some());
        assert_eq!(works.ask(works.kept.lock().unwrap().clone().unwrap()), Ok(7));
        let main = setup.main();
        assert_eq!(ask::<u32, _>(&main, "returning", &()), 7);
    }

    /// B12: a value that refers to something is not known beforehand.
    fn a_known_value_cannot_refer_to_anything(setup) {
        let (_works, _objects) = served(&setup);
        let child = setup.spawn();
        let [called, sent] = ask::<[String; 2], _>(&child, "return what refers to something", &());
        assert!(called.contains("cannot refer to anything"), "{called}");
        assert!(sent.contains("cannot refer to anything"), "{sent}");
    }

    /// B11, B13: a panic in a function is an error that names it, and says what the panic said.
    fn a_function_that_panics_is_an_error(setup) {
        let (_works, _objects) = served(&setup);
        for process in [setup.spawn(), setup.main()] {
            let [made_at, error] = ask::<[String; 2], _>(&process, "panic", &());
            assert!(error.starts_with(&format!("`function made at {made_at}` panicked at tests/src/modules/functions.rs:")), "{error}");
            assert!(error.ends_with(": the function's own fault"), "{error}");
            assert_eq!(ask::<Vec<i64>, _>(&process, "map", &[1]), [2]);
        }
    }

    /// B11: a function is called at any time, by any thread of the parent, in its turn.
    fn functions_are_called_outside_of_calls(setup) {
        let (works, _objects) = served(&setup);
        let child = setup.spawn();
        let made_at = ask::<String, _>(&child, "keep", &());
        let kept = works.kept.lock().unwrap().clone().unwrap();
        assert_eq!(kept.made_at(), made_at);
        assert_eq!(works.ask(kept.clone()), Ok(11));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..50).for_each(|_| assert_eq!(works.ask(kept.clone()), Ok(11))));
            }
        });
        // In a listener too, which runs on the thread that would receive the result otherwise.
        let (own, again) = (Arc::clone(&works), kept.clone());
        let told = heard::<Process, Result<(), String>>(&child.port(), "sync: answer");
        child.port().once("sync: answer", move |process, _: Result<(), String>| {
            assert_eq!(own.ask(again.clone()), Ok(11));
            process.port().emit("sync", &()).unwrap();
        });
        child.port().emit("sync", &()).unwrap();
        told.take(2);
        child.close();
        assert!(child.wait(PATIENCE).is_some());
        assert!(!kept.is_alive());
        assert!(matches!(works.ask(kept), Err(CallError::Disconnected { .. } | CallError::NoSuchFunction { .. })));
    }

    /// B11: a function is called on the loop thread for a call of another thread, whether the loop waits in a call or not.
    fn functions_are_called_for_calls_of_other_threads(setup) {
        let (_works, objects) = served(&setup);
        let child = setup.spawn();
        let mapped = heard::<Process, Result<Vec<i64>, CallError>>(&child.port(), "mapped");
        child.port().emit("from a thread", &(None::<String>, [1, 2])).unwrap();
        assert_eq!(mapped.next().1, Ok(vec![2, 3]));
        let gate = Gate::new();
        child.port().emit("from a thread", &(Some(gate.address()), vec![5_i64; 20])).unwrap();
        // The event cannot come before the loop thread is let go.
        let waiting = gate.arrival();
        mapped.none();
        waiting.let_go();
        assert_eq!(mapped.next().1, Ok(vec![6; 20]));
        settle(&child, &objects);
    }

    /// B11: a function is called within its own process: at once on the loop thread, also by itself; and by another thread whether the loop
    /// waits in a call or not.
    fn functions_are_called_within_their_own_process(setup) {
        let (_works, _objects) = served(&setup);
        for process in [setup.spawn(), setup.main()] {
            assert_eq!(ask::<i64, _>(&process, "within itself", &10), 3_628_800);
            let called = heard::<Process, Result<i64, CallError>>(&process.port(), "called");
            process.port().emit("here, from a thread", &None::<String>).unwrap();
            assert_eq!(called.next().1, Ok(42));
        }
        let child = setup.spawn();
        let called = heard::<Process, Result<i64, CallError>>(&child.port(), "called");
        let gate = Gate::new();
        child.port().emit("here, from a thread", &Some(gate.address())).unwrap();
        gate.arrival().let_go();
        assert_eq!(called.next().1, Ok(42));
    }

    /// B11: a function that takes too long is an error that says who waits for whom; what it does and returns after that does no harm.
    fn a_function_that_takes_too_long_is_an_error(setup) {
        let (works, objects) = served(&setup);
        let child = setup.spawn();
        let gate = Gate::new();
        thread::scope(|scope| {
            let asked = scope.spawn(|| ask::<[String; 2], _>(&child, "too long", &gate.address()));
            let waiting = gate.arrival();
            // It is let go when it has been given up.
            while works.attempted.lock().unwrap().is_empty() {
                thread::yield_now();
            }
            waiting.let_go();
            let [made_at, error] = asked.join().unwrap();
            assert!(error.starts_with(&format!("no answer from `function made at {made_at}` within 200ms: method `attempt` for process {}", child.id())), "{error}");
            assert!(error.contains(&format!("waits for the function made at {made_at} in process {}", child.id())), "{error}");
        });
        assert_eq!(ask::<Vec<i64>, _>(&child, "map", &[1]), [2]);
        settle(&child, &objects);
    }

    /// B7, B11: what a function has called and given up before it returns is served all the same, and what that gives comes back.
    fn what_a_function_gives_up_is_served_all_the_same(setup) {
        let (works, objects) = served(&setup);
        let child = setup.spawn();
        let gate = Gate::new();
        ask::<(), _>(&child, "keep what gives up", &gate.address());
        let kept = works.kept.lock().unwrap().take().unwrap();
        let gave_up = heard::<Process, ()>(&child.port(), "gave up");
        thread::scope(|scope| {
            let asked = scope.spawn(|| works.ask(kept));
            let waiting = gate.arrival();
            // The result has been read by the process's own thread, while the one that waits for it serves the first call.
            gave_up.next();
            waiting.let_go();
            assert_eq!(asked.join().unwrap(), Ok(3));
        });
        let mut dropped = [objects.dropped.recv().unwrap(), objects.dropped.recv().unwrap()];
        dropped.sort();
        assert_eq!(dropped, ["left", "slow"]);
        settle(&child, &objects);
    }

    /// B11: a lock of the application that a function needs in the end meets the deadline, whose error names the whole chain.
    fn a_lock_of_the_application_meets_the_deadline(setup) {
        let (_works, _objects) = served(&setup);
        let child = setup.spawn();
        let [made_at, error] = ask::<[String; 2], _>(&child, "wait for a lock", &());
        let id = child.id();
        let first = format!("method `locked` for process {id} (thread remote-{id}) waits for the function made at {made_at}");
        assert!(error.contains(&first), "{error}");
        let second = format!("; method `needs_the_lock` for process {id} (thread remote-lane-{id}-1) has not returned");
        assert!(error.ends_with(&second), "{error}");
        assert_eq!(ask::<Vec<i64>, _>(&child, "map", &[1]), [2]);
    }

    /// B10, B11: whoever waits for a function of a process that goes is told at once, and so are those who call it later.
    fn a_process_that_is_killed_answers_nobody(setup) {
        let (works, _objects) = served(&setup);
        let child = setup.spawn();
        let gate = Gate::new();
        ask::<(), _>(&child, "wait at", &gate.address());
        let kept = works.kept.lock().unwrap().clone().unwrap();
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| works.ask(kept.clone()))).collect();
            let arrived = gate.arrival();
            child.kill();
            for waiting in waiting {
                assert!(matches!(waiting.join().unwrap(), Err(CallError::Disconnected { .. })));
            }
            // A thread of ours is no process of its own.
            drop(arrived);
            drop(gate);
        });
        assert!(child.wait(PATIENCE).is_some());
        assert!(matches!(works.ask(kept), Err(CallError::Disconnected { .. })));
    }

    /// B11: in a function, nothing waits for room in the window, since the thread that waits for the function may be what would make it.
    fn an_event_in_a_function_waits_for_nothing(setup) {
        let name = "an_event_in_a_function_waits_for_nothing";
        let transport = setup.transport();
        drop(setup);
        let setup = Setup::with(name, transport, ParentOptions::new().limits(Limits::new().window(64 * 1024)));
        let (_works, _objects) = served(&setup);
        let child = setup.spawn();
        assert_eq!(ask::<Result<i64, String>, _>(&child, "emit in a function", &1000_usize), Ok(1));
    }

    /// B11: functions nest as deep as the limit, and no deeper: on one thread of the parent, and in one child whoever calls it.
    fn functions_nest_no_deeper_than_the_limit(setup) {
        let (_works, _objects) = served(&setup);
        let children = enrolled(&setup, 1);
        // On one thread of the parent, and on one more for each.
        for elsewhere in [false, true] {
            let plan = |functions: u32| Plan { depth: 2 * functions, elsewhere, ..Plan::default() };
            assert_eq!(ask::<u64, _>(&children[0], "carry out", &plan(16)), 33);
            let error = try_ask::<u64, _>(&children[0], "carry out", &plan(17)).unwrap_err();
            assert!(error.ends_with("functions nest at most 16 deep"), "{error}");
        }
        assert_eq!(ask::<u64, _>(&children[0], "carry out", &Plan::chain(&[0, 0])), 5);
    }

    /// B11: they nest less deep, or deeper, where the limit says so.
    fn functions_nest_as_deep_as_the_parent_lets_them(setup) {
        let transport = setup.transport();
        drop(setup);
        for most in [3, 20] {
            let options = ParentOptions::new().limits(Limits::new().nested_functions(most as usize));
            let setup = Setup::with("functions_nest_as_deep_as_the_parent_lets_them", transport, options);
            let (_works, _objects) = served(&setup);
            let children = enrolled(&setup, 1);
            for elsewhere in [false, true] {
                let plan = |functions: u32| Plan { depth: 2 * functions, elsewhere, ..Plan::default() };
                assert_eq!(ask::<u64, _>(&children[0], "carry out", &plan(most)), u64::from(2 * most + 1));
                let error = try_ask::<u64, _>(&children[0], "carry out", &plan(most + 1)).unwrap_err();
                assert!(error.ends_with(&format!("functions nest at most {most} deep")), "{error}");
            }
        }
    }
}

/// What waits for what, and how: no cycle of these waits locks up.
mod shapes {
    use super::*;

    every_transport! {
        /// B11: two listeners, each for one of two children, each of which waits for the other child's function.
        fn two_listeners_wait_for_the_others_child(setup) {
            meet_in_listeners(&setup, 2);
        }

        /// B11: three in a ring.
        fn three_listeners_wait_in_a_ring(setup) {
            meet_in_listeners(&setup, 3);
        }

        /// B11: calls of two children, and of three in a ring, each served by calling a function of the next, which calls on.
        fn calls_wait_for_functions_in_a_ring(setup) {
            let (_works, _objects) = served(&setup);
            for count in [2_u32, 3] {
                let children = enrolled(&setup, count);
                for _ in 0..10 {
                    thread::scope(|scope| {
                        for (index, child) in (0..).zip(&children) {
                            let ring: Vec<_> = (1..=2 * count).map(|step| (index + step) % count).collect();
                            let plan = Plan::chain(&ring);
                            scope.spawn(move || assert_eq!(ask::<u64, _>(child, "carry out", &plan), plan.len()));
                        }
                    });
                }
            }
        }

        /// B11: the same from several threads of each child at once, while its loop does so too.
        fn calls_of_several_threads_wait_for_functions(setup) {
            let (_works, _objects) = served(&setup);
            let children = enrolled(&setup, 2);
            let done = heard::<Process, Result<u64, CallError>>(&setup.parent().processes().port(), "carried out");
            for _ in 0..10 {
                let plan = Plan::chain(&[0, 1, 0]);
                for child in &children {
                    child.port().emit("carry out on threads", &vec![plan.clone(); 2]).unwrap();
                }
                for child in &children {
                    assert_eq!(ask::<u64, _>(child, "carry out", &plan), plan.len());
                }
                assert!(done.take(4).into_iter().all(|(_, count)| count == Ok(plan.len())));
            }
        }

        /// B11: threads of the parent call functions of both, which call on, while the children call as well.
        fn threads_of_the_parent_wait_for_functions(setup) {
            let (works, _objects) = served(&setup);
            let children = enrolled(&setup, 2);
            let plan = Plan::chain(&[0, 1, 0]);
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| (0..20).for_each(|_| assert_eq!(works.carry_out(plan.clone()), Ok(plan.len()))));
                }
                for child in &children {
                    let plan = &plan;
                    scope.spawn(move || (0..20).for_each(|_| assert_eq!(ask::<u64, _>(child, "carry out", plan), plan.len())));
                }
            });
        }

        /// B11: the main process's own functions are called by other threads while its loop waits for a function of a child.
        fn the_main_loop_waits_for_a_function_that_waits_for_its_own(setup) {
            let (works, _objects) = served(&setup);
            let [main, child] = [setup.main(), setup.spawn()];
            ask::<(), _>(&main, "enrol", &0_u32);
            ask::<(), _>(&child, "enrol", &1_u32);
            // The main loop calls a function of the child, which has another thread of it call one of the main loop.
            let inner = Plan { child: 0, ..Plan::default() };
            let aside = Plan { aside: true, steps: vec![inner], ..Plan::default() };
            let outer = Plan { child: 1, steps: vec![aside], ..Plan::default() };
            let plan = Plan { steps: vec![outer], ..Plan::default() };
            for _ in 0..20 {
                assert_eq!(ask::<u64, _>(&main, "carry out", &plan), plan.len());
                assert_eq!(works.carry_out(plan.clone()), Ok(plan.len()));
                assert_eq!(ask::<u64, _>(&child, "carry out", &plan), plan.len());
            }
            works.steps.lock().unwrap().clear();
        }

        /// B11: many threads of many processes carry out plans of all kinds, and none hangs.
        fn random_plans_are_all_carried_out(setup) {
            let (works, _objects) = served(&setup);
            let children = enrolled(&setup, 3);
            let done = heard::<Process, Result<u64, CallError>>(&setup.parent().processes().port(), "carried out");
            let mut random = Random(0x9e37_79b9_7f4a_7c15);
            for _ in 0..15 {
                // Three threads of each child, its loop, and three of the parent: so that no child is in more than sixteen at once.
                let mut plan = || random.plan(2, 3);
                let mut expected = Vec::new();
                for child in &children {
                    let plans = [plan(), plan()];
                    expected.extend(plans.iter().map(Plan::len));
                    child.port().emit("carry out on threads", &plans).unwrap();
                }
                thread::scope(|scope| {
                    for child in &children {
                        let plan = plan();
                        scope.spawn(move || assert_eq!(ask::<u64, _>(child, "carry out", &plan), plan.len()));
                    }
                    for plan in [plan(), plan()] {
                        let works = &works;
                        scope.spawn(move || assert_eq!(works.carry_out(plan.clone()), Ok(plan.len())));
                    }
                });
                let mut counts: Vec<_> = done.take(6).into_iter().map(|(_, count)| count.unwrap()).collect();
                counts.sort_unstable();
                expected.sort_unstable();
                assert_eq!(counts, expected);
            }
        }
    }

    /// In the listener for each child, once all are in theirs, the next child's function is called, which calls on around the ring.
    fn meet_in_listeners(setup: &Setup, count: u32) {
        let (works, _objects) = served(setup);
        let children = enrolled(setup, count);
        let all_here = Arc::new(Barrier::new(children.len()));
        let (tell, told) = crate::harness::Events::new("carried out");
        let tell = Arc::new(std::sync::Mutex::new(tell));
        for child in &children {
            let (works, all_here, tell) = (Arc::clone(&works), Arc::clone(&all_here), Arc::clone(&tell));
            child.port().on("carry out, please", move |_process, plan: Plan| {
                all_here.wait();
                let count = works.carry_out(plan.clone()).map(|count| count == plan.len());
                tell.lock().unwrap().tell(count);
            });
        }
        for _ in 0..20 {
            for (index, child) in (0..).zip(&children) {
                let ring: Vec<_> = (1..=count).map(|step| (index + step) % count).collect();
                child.port().emit("have carried out", &Plan::chain(&ring)).unwrap();
            }
            assert!(told.take(children.len()).into_iter().all(|done| done == Ok(true)));
        }
    }

    /// Xorshift: the same plans in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }

        /// For so many children, so many functions deep at most.
        fn plan(&mut self, children: u64, depth: u64) -> Plan {
            let steps = if depth == 0 { 0 } else { self.below(3) };
            let step = |random: &mut Self| {
                let child = u32::try_from(random.below(children + 1)).expect("there are few");
                let calls = (0..random.below(3))
                    .map(|_| Plan { elsewhere: random.below(4) == 0, ..random.plan(children, depth - 1) });
                Plan { child, steps: calls.collect(), ..Plan::default() }
            };
            Plan { steps: (0..steps).map(|_| step(self)).collect(), ..Plan::default() }
        }
    }
}
