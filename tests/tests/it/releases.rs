//! References given back by the thousand.

use remote_object::CallError;
use remote_parent::{Limits, Process};
use tests::gate::Gate;
use tests::objects::Objects;

use crate::harness::{PATIENCE, Setup, ask, every_transport, heard, sync};

/// More than an inbox took, each in a message of its own.
const MANY: u32 = 20_000;

fn served(setup: &Setup) -> Objects {
    let objects = Objects::served(setup.parent());
    setup.require("releases");
    setup.require("basics");
    objects
}

/// A child that may have so many references.
fn limited(setup: &Setup, references: usize) -> Process {
    let limits = Limits::new().references(references);
    setup.parent().processes().spawn_with(setup.options().limits(limits)).expect("the child starts")
}

every_transport! {
    /// B6, B7: a thread of the child lets go of more than any inbox takes while the parent is in a listener: nobody is ended, and all
    /// of it goes.
    fn a_thread_lets_go_of_many_objects_while_the_parent_is_busy(setup) {
        let objects = served(&setup);
        let child = limited(&setup, 2 * MANY as usize);
        let detaches = setup.detaches();
        let [hold, start, report] = [Gate::new(), Gate::new(), Gate::new()];
        let address = hold.address();
        child.port().on("hold", move |_process, ()| tests::gate::wait_at(&address));
        child.port().emit("make and drop while held", &(MANY, start.address(), report.address())).unwrap();
        let held = hold.arrival();
        start.arrival().let_go();
        assert_eq!(report.arrival().text(), "Ok(())");
        held.let_go();
        for _ in 0..MANY {
            objects.dropped.recv_timeout(PATIENCE).expect("it is released");
        }
        sync(&child);
        // What the module asked for is held by nobody any more.
        assert_eq!(objects.exports.alive().objects, 0);
        detaches.none();
    }

    /// B6, B7: the parent lets go of more callbacks than any inbox takes while the child is busy.
    fn the_parent_lets_go_of_many_callbacks_while_the_child_is_busy(setup) {
        let objects = served(&setup);
        let child = limited(&setup, 2 * MANY as usize);
        let detaches = setup.detaches();
        let dropped = heard::<_, ()>(&child.port(), "all dropped");
        ask::<(), _>(&child, "add many", &MANY);
        assert_eq!(objects.exports.alive().callbacks, MANY as usize);
        let gate = Gate::new();
        child.port().emit("wait at a gate", &gate.address()).unwrap();
        let busy = gate.arrival();
        let all = std::mem::take(&mut *objects.bell.listeners.lock().unwrap());
        drop(all);
        assert_eq!(objects.exports.alive().callbacks, 0);
        dropped.none();
        busy.let_go();
        dropped.next();
        sync(&child);
        detaches.none();
    }

    /// B6: what one process may have at a time is limited, objects and callbacks alike; the error is the sender's, and names the limit.
    fn more_references_than_the_limit_are_an_error_at_the_sender(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("releases");
        setup.require("basics");
        let child = limited(&setup, 100);
        // The workshop is one of them.
        let (made, error): (usize, CallError) = ask(&child, "make until refused", &());
        assert_eq!(made, 99);
        assert!(error.to_string().contains("more than 100 references to one process"), "{error}");
        let (added, error): (usize, CallError) = ask(&child, "add until refused", &());
        assert_eq!(added, 100);
        assert!(error.to_string().contains("more than 100 callbacks of one process"), "{error}");
        // Both go on.
        objects.bell.listeners.lock().unwrap().clear();
        let (added, _): (usize, CallError) = ask(&child, "add until refused", &());
        assert_eq!(added, 100);
        let (made, _): (usize, CallError) = ask(&child, "make until refused", &());
        assert_eq!(made, 99);
    }
}
