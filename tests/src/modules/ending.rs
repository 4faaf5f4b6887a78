//! Ends, in one way or another, or does not.

use std::thread;

use remote_child::{Child, FrameOptions};
use remote_object::ChildExt;

use crate::gate::{self, Report};
use crate::interfaces::Workshop;
use crate::modules::answer;

remote_child::register_module!(main);
fn main(child: &Child) {
    let port = child.process().port();
    // Much, so that it is still under way when the process has ended.
    port.on("exit after", |process, (code, events): (i32, u32)| {
        for number in 0..events {
            process.port().emit("before the end", &number).expect("the parent is there");
        }
        process.port().emit("before the end", &u32::MAX).expect("the parent is there");
        if code >= 0 {
            std::process::exit(code);
        }
        std::process::abort();
    });
    let own = child.clone();
    port.on("close yourself", move |process, ()| {
        own.close();
        process.port().emit("before the end", &u32::MAX).expect("the parent is there");
    });
    port.on("get stuck", |_process, gate: String| gate::wait_at(&gate));
    port.on("never come back", |process, ()| {
        process.port().emit("stuck", &()).expect("the parent is there");
        loop {
            std::hint::spin_loop();
        }
    });
    port.on("discard", |_process, _bytes: Vec<u8>| {});
    answer(child, "open frames", |child, count: u32| {
        (0..count).try_for_each(|number| child.frames().register(number, FrameOptions::new()).map(drop))
    });
    // Says at the first gate what came of a call that waits at the second.
    let own = child.clone();
    port.on("call and report", move |_process, (report, gate): (String, String)| {
        let workshop = own.remote().require::<dyn Workshop>("workshop").expect("it is exported");
        let mut report = Report::at(&report);
        let made = workshop.make_at(&gate, "too late");
        report.say(&format!("{:?}", made.map(drop)));
    });
    let own = child.clone();
    port.on("call on a thread and report", move |_process, (report, gate): (String, String)| {
        let workshop = own.remote().require::<dyn Workshop>("workshop").expect("it is exported");
        let mut report = Report::at(&report);
        thread::spawn(move || {
            let made = workshop.make_at(&gate, "too late");
            report.say(&format!("{:?}", made.map(drop)));
        });
    });
    let reports = child.clone();
    port.on("report the unloading", move |_process, report: String| {
        let mut report = Report::at(&report);
        reports.on_unload(move |reason| report.say(&reason.to_string()));
    });
}
