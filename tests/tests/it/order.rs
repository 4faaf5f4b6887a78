//! What comes before what.

use std::sync::PoisonError;

use remote_parent::{DetachReason, Process};
use tests::objects::Objects;

use crate::harness::{Log, ask, every_transport, heard};

every_transport! {
    /// B8: events and calls of a child's loop thread are handled in the order in which they were sent.
    fn events_and_calls_of_the_loop_thread_are_handled_in_order(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("objects");
        let child = setup.spawn();
        let hall = std::sync::Arc::clone(&objects.hall);
        child.port().on("mark", move |_process, text: String| {
            hall.marks.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        });
        ask::<(), _>(&child, "mark in turn", &());
        let marks = objects.hall.marks.lock().unwrap().clone();
        assert_eq!(marks, ["event 1", "call 1", "event 2", "call 2", "event 3", "call 3", "last event"]);
    }

    /// A8: `attach` comes before the first event of a process, `detach` after its last.
    fn attach_is_first_and_detach_last(setup) {
        setup.require("ports");
        setup.require("ending");
        let log = Log::default();
        let processes = setup.parent().processes();
        let own = log.clone();
        processes.on_attach(move |process| {
            own.push("attach");
            let item = own.clone();
            process.port().on("before the end", move |_process, number: u32| item.push(format!("own {number}")));
            let item = own.clone();
            process.on_detach(move |_process, reason| item.push(format!("own detach {reason}")));
        });
        let own = log.clone();
        processes.port().on("loaded ports", move |process, _: bool| {
            if process.is_remote() {
                own.push("loaded");
            }
        });
        let own = log.clone();
        processes.port().on("before the end", move |_process, number: u32| own.push(format!("all {number}")));
        let own = log.clone();
        processes.on_detach(move |_process, reason| own.push(format!("detach {reason}")));
        let child = setup.spawn();
        child.port().emit("close yourself", &()).unwrap();
        assert_eq!(child.wait(crate::harness::PATIENCE), Some(DetachReason::Closed));
        let last = u32::MAX;
        assert_eq!(
            log.take(),
            ["attach", "loaded", &format!("own {last}"), &format!("all {last}"), "own detach closed", "detach closed"]
        );
    }

    /// A2: many events of one process are heard in the order in which they were sent, both ways.
    fn events_keep_their_order(setup) {
        setup.require("ports");
        let child = setup.spawn();
        let texts: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
        let said = heard::<Process, String>(&child.port(), "said");
        ask::<(), _>(&child, "say", &("said", &texts));
        assert_eq!(said.so_far().into_iter().map(|(_, text)| text).collect::<Vec<_>>(), texts);
        ask::<(bool, bool), _>(&child, "silence", &());
        child.port().emit("note", "first").unwrap();
        ask::<Vec<String>, _>(&child, "heard", &());
        for text in &texts {
            child.port().emit("note", text).unwrap();
        }
        assert_eq!(ask::<Vec<String>, _>(&child, "heard", &()), texts);
    }
}
