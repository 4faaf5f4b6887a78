//! Calls that take long.

use remote_object::CallError;
use remote_parent::Process;
use tests::gate::{Gate, Waiting};
use tests::objects::Objects;

use crate::harness::{ask, every_transport, heard};

/// Has a child call a method that waits at a gate, and give up. What waits there is let go by the test.
fn give_up(child: &Process, how: &str) -> Waiting {
    let (report, gate) = (Gate::new(), Gate::new());
    child.port().emit(how, &(report.address(), gate.address())).unwrap();
    let waiting = gate.arrival();
    let text = report.arrival().text();
    assert!(text.starts_with("Deadline {"), "{text}");
    waiting
}

every_transport! {
    /// B7: a call that is not answered in time ends with an error; what its late answer brings is given back, and the next call works.
    fn what_a_late_answer_brings_is_given_back(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("calling");
        let child = setup.spawn();
        give_up(&child, "give up").let_go();
        assert_eq!(objects.dropped.recv(), Ok("late".to_owned()));
        assert_eq!(ask::<i64, _>(&child, "add", &(1, 2)), 3);
        assert_eq!(objects.exports.alive().objects, 0);
    }

    /// B7: the next call, too, may be made before the late answer comes.
    fn a_late_answer_is_no_answer_to_the_next_call(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("calling");
        let child = setup.spawn();
        let waiting = give_up(&child, "give up");
        let sum = std::thread::scope(|scope| {
            let sum = scope.spawn(|| ask::<i64, _>(&child, "add", &(1, 2)));
            waiting.let_go();
            sum.join().unwrap()
        });
        assert_eq!(sum, 3);
        assert_eq!(objects.dropped.recv(), Ok("late".to_owned()));
    }

    /// B7: what a call lent that was given up is kept until the method has returned, then given back.
    fn what_a_call_lent_is_kept_until_the_method_has_returned(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("calling");
        let child = setup.spawn();
        let waiting = give_up(&child, "give up what was lent");
        assert!(objects.hall.has("lent"));
        waiting.let_go();
        assert_eq!(objects.dropped.recv(), Ok("lent".to_owned()));
        assert_eq!(ask::<i64, _>(&child, "add", &(1, 2)), 3);
    }

    /// B7: so with the calls of other threads, at the latest when the lane is used again.
    fn what_a_late_answer_brings_to_another_thread_is_given_back(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("calling");
        let child = setup.spawn();
        let gate = Gate::new();
        let gave_up = heard::<Process, CallError>(&child.port(), "gave up");
        let added = heard::<Process, Result<i64, CallError>>(&child.port(), "added");
        child.port().emit("give up on a thread", &gate.address()).unwrap();
        let error = gave_up.next().1;
        assert!(matches!(&error, CallError::Deadline { method, .. } if method == "make_at"), "{error:?}");
        gate.arrival().let_go();
        child.port().emit("add on a thread", &(1, 2)).unwrap();
        assert_eq!(added.next().1, Ok(3));
        assert_eq!(objects.dropped.recv(), Ok("late on a thread".to_owned()));
    }
}
