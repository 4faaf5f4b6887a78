//! Functions, where all of the parent's code runs on one thread, which pumps.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use remote_object::CallError;
use remote_parent::Process;
use tests::mill::{Mill, Plan, Works};
use tests::modules::answer_to;
use tests::objects::Objects;

use crate::executor::{Pump, pumped};
use crate::harness::{Events, Setup, every_transport, heard};

fn served(setup: &Setup) -> (Arc<Works>, Objects) {
    let objects = Objects::served(setup.parent());
    let works = Works::exported(&objects.exports);
    setup.require("functions");
    (works, objects)
}

/// Has a module do something; its answer is to be pumped for.
fn begin<R>(process: &Process, event: &str, payload: &impl serde::Serialize) -> Events<(Process, Result<R, String>)>
where
    R: serde::de::DeserializeOwned + Send + 'static,
{
    let answers = heard(&process.port(), &answer_to(event));
    process.port().emit(event, payload).unwrap();
    answers
}

fn enrolled(setup: &Setup, pump: &Pump, count: u32) -> Vec<Process> {
    let enrol = |index: u32| {
        let child = setup.spawn();
        assert_eq!(pump.next(&begin::<()>(&child, "enrol", &index)).1, Ok(()));
        child
    };
    (0..count).map(enrol).collect()
}

/// All of it was here.
#[track_caller]
fn only_here(works: &Works) {
    assert_eq!(*works.threads.lock().unwrap(), HashSet::from([thread::current().id()]));
}

every_transport! {
    /// B11: a method that runs where it is pumped calls a function, whose calls are served there as well, and so on.
    fn functions_nest_on_the_thread_that_pumps(setup) {
        let (setup, pump) = pumped(setup, "functions_nest_on_the_thread_that_pumps");
        let (works, _objects) = served(&setup);
        let children = enrolled(&setup, &pump, 2);
        for ring in [&[0, 0][..], &[0, 1, 0], &[1, 1, 0, 0, 1]] {
            let plan = Plan::chain(ring);
            for _ in 0..10 {
                assert_eq!(pump.next(&begin(&children[0], "carry out", &plan)).1, Ok(plan.len()));
            }
        }
        only_here(&works);
    }

    /// B11: the thread that pumps calls functions outside of any call: in a listener, and between two things that it runs.
    fn the_thread_that_pumps_calls_functions_outside_of_calls(setup) {
        let (setup, pump) = pumped(setup, "the_thread_that_pumps_calls_functions_outside_of_calls");
        let (works, _objects) = served(&setup);
        let children = enrolled(&setup, &pump, 2);
        let (tell, told) = Events::new("carried out");
        let own = Arc::clone(&works);
        children[0].port().on("carry out, please", move |_process, plan: Plan| {
            tell.tell(own.carry_out(plan.clone()).map(|count| count == plan.len()));
        });
        for ring in [&[0][..], &[1], &[0, 1, 0]] {
            let plan = Plan::chain(ring);
            for _ in 0..10 {
                children[0].port().emit("have carried out", &plan).unwrap();
                assert_eq!(pump.next(&told), Ok(true));
                assert_eq!(works.carry_out(plan.clone()), Ok(plan.len()));
            }
        }
        only_here(&works);
    }

    /// B11: two processes call at once, by their loops and by further threads, and each call is served by functions of the other.
    fn two_processes_wait_for_each_other_on_the_thread_that_pumps(setup) {
        let (setup, pump) = pumped(setup, "two_processes_wait_for_each_other_on_the_thread_that_pumps");
        let (works, _objects) = served(&setup);
        let children = enrolled(&setup, &pump, 2);
        let done = heard::<Process, Result<u64, CallError>>(&setup.parent().processes().port(), "carried out");
        for _ in 0..10 {
            let plans = [Plan::chain(&[1, 0, 1]), Plan::chain(&[0, 1, 0])];
            for (child, plan) in children.iter().zip(&plans) {
                child.port().emit("carry out on threads", &vec![plan.clone(); 2]).unwrap();
            }
            let begin = |(child, plan)| begin::<u64>(child, "carry out", plan);
            let answers: Vec<_> = children.iter().zip(&plans).map(begin).collect();
            for (answer, plan) in answers.iter().zip(&plans) {
                assert_eq!(pump.next(answer).1, Ok(plan.len()));
            }
            let mut counts = Vec::new();
            pump.until(|| {
                counts.extend(done.so_far().into_iter().map(|(_, count)| count));
                (counts.len() == 4).then_some(())
            });
            assert_eq!(counts, vec![Ok(plans[0].len()); 4]);
        }
        only_here(&works);
    }
}
