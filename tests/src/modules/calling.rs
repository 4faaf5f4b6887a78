//! Calls that wait.

use std::time::Duration;

use remote_child::Child;
use remote_object::ChildExt;

use crate::gate::Report;
use crate::interfaces::Workshop;
use crate::modules::answer;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(30);

remote_child::register_module!(main);
fn main(child: &Child) {
    // What is said about giving up cannot be an event: the parent's thread for this process waits, too.
    let own = child.clone();
    child.process().port().on("give up", move |_process, (report, gate): (String, String)| {
        let remote = own.remote();
        let workshop = remote.require::<dyn Workshop>("workshop").expect("it is exported");
        remote.set_call_deadline(SHORT);
        let late = workshop.make_at(&gate, "late").expect_err("nobody opens the gate so soon");
        remote.set_call_deadline(LONG);
        Report::at(&report).say(&format!("{late:?}"));
    });
    let own = child.clone();
    child.process().port().on("give up what was lent", move |_process, (report, gate): (String, String)| {
        let remote = own.remote();
        let workshop = remote.require::<dyn Workshop>("workshop").expect("it is exported");
        let item = workshop.make("lent").expect("it is made");
        remote.set_call_deadline(SHORT);
        let late = workshop.lend_at(&gate, item).expect_err("nobody opens the gate so soon");
        remote.set_call_deadline(LONG);
        Report::at(&report).say(&format!("{late:?}"));
    });
    answer(child, "add", |child, (one, other): (i64, i64)| {
        child.remote().require::<dyn Workshop>("workshop")?.add(one, other)
    });
    let own = child.clone();
    child.process().port().on("give up on a thread", move |_process, gate: String| {
        let remote = own.remote();
        let workshop = remote.require::<dyn Workshop>("workshop").expect("it is exported");
        remote.set_call_deadline(SHORT);
        let handle = own.handle();
        std::thread::spawn(move || {
            let late = workshop.make_at(&gate, "late on a thread").expect_err("nobody opens the gate so soon");
            let told = handle.run(move |child| {
                child.remote().set_call_deadline(LONG);
                child.process().port().emit("gave up", &late).expect("the parent is there");
            });
            told.expect("the loop runs");
        });
    });
    // The same lane as before: the one that was used last.
    let own = child.clone();
    child.process().port().on("add on a thread", move |_process, (one, other): (i64, i64)| {
        let workshop = own.remote().require::<dyn Workshop>("workshop").expect("it is exported");
        let handle = own.handle();
        std::thread::spawn(move || {
            let sum = workshop.add(one, other);
            let told =
                handle.run(move |child| child.process().port().emit("added", &sum).expect("the parent is there"));
            told.expect("the loop runs");
        });
    });
}
