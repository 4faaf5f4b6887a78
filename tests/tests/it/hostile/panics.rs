//! Code of the application that panics, on both sides.

use remote_parent::{DetachReason, FrameOptions};

use super::siege::hostile;
use crate::harness::{ask, sync};

hostile! {
    /// Whatever of the application's code panics in a child or in the parent, it is contained: both live, and the next one works.
    fn hostile_22_panics_of_the_application_are_contained(siege) {
        siege.require("panics");
        let processes = siege.parent().processes();
        let listeners = [
            processes.on_attach(|_process| panic!("the parent's own fault")),
            processes.port().on("panic: method: answer", |_process, _: Result<(), String>| panic!("the parent's own fault")),
        ];
        let reported = processes.on_error(|_process, _error| panic!("the parent's own fault"));
        let opened = siege.parent().frames().on_attach(|_frame| panic!("the parent's own fault"));
        let x = siege.spawn();
        x.on_detach(|_process, _reason| panic!("the parent's own fault"));
        for _ in 0..5 {
            x.port().emit("panic: listener", &()).expect("it is there");
            for what in ["content event", "callback", "function", "method", "task", "destructor"] {
                ask::<(), _>(&x, &format!("panic: {what}"), &());
            }
            sync(&x);
            siege.parent().frames().open(&x, FrameOptions::new()).expect("it is there").close();
        }
        siege.goes_on();
        x.close();
        assert_eq!(siege.ends(&x), DetachReason::Closed);
        assert!(processes.off_attach(listeners[0]) && processes.port().off(listeners[1]));
        assert!(processes.off_error(reported) && siege.parent().frames().off_attach(opened));
    }
}
