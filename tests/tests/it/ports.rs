//! Events between the parent and its processes.

use remote_parent::Process;

use crate::harness::{Events, ask, every_transport, heard};

every_transport! {
    /// A4: both sides emit and hear; several values travel as a tuple.
    fn events_go_both_ways(setup) {
        setup.require("ports");
        let child = setup.spawn();
        child.port().emit("note", "hello").unwrap();
        child.port().emit("sized", &("window", 800, 600)).unwrap();
        let noted: Vec<String> = ask(&child, "heard", &());
        assert_eq!(noted, ["hello", "once hello", "silenced hello", "window 800x600"]);
        let said = heard::<_, (u64, String)>(&child.port(), "pair");
        ask::<(), _>(&child, "say two", &("pair", (u64::MAX, "two")));
        assert_eq!(said.next(), (child, (u64::MAX, "two".to_owned())));
    }

    /// A4: `once` is called once, also when two events are under way; on both sides.
    fn once_fires_once_when_two_events_are_under_way(setup) {
        setup.require("ports");
        let child = setup.spawn();
        let (tell, once) = Events::new("once");
        child.port().once("twice", move |_process, text: String| tell.tell(text));
        let all = heard::<_, String>(&child.port(), "twice");
        ask::<(), _>(&child, "say", &("twice", ["one", "two"]));
        assert_eq!(all.take(2).into_iter().map(|(_, text)| text).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(once.so_far(), ["one"]);
        child.port().emit("note", "one").unwrap();
        child.port().emit("note", "two").unwrap();
        let noted: Vec<String> = ask(&child, "heard", &());
        assert_eq!(noted, ["one", "once one", "silenced one", "two", "silenced two"]);
    }

    /// A4: a listener that is taken off hears no more; taking it off twice is told.
    fn off_takes_a_listener_off_once(setup) {
        setup.require("ports");
        let child = setup.spawn();
        let (tell, off) = Events::new("off");
        let listener = child.port().on("said", move |_process, text: String| tell.tell(text));
        let all = heard::<_, String>(&child.port(), "said");
        ask::<(), _>(&child, "say", &("said", ["one"]));
        assert!(child.port().off(listener));
        assert!(!child.port().off(listener));
        ask::<(), _>(&child, "say", &("said", ["two"]));
        all.take(2);
        assert_eq!(off.so_far(), ["one"]);
        assert_eq!(ask::<(bool, bool), _>(&child, "silence", &()), (true, false));
        child.port().emit("note", "three").unwrap();
        assert_eq!(ask::<Vec<String>, _>(&child, "heard", &()), ["three", "once three"]);
    }

    /// A4: one that is taken off by another listener of the same event is not told any more.
    fn a_listener_may_take_off_the_next_one(setup) {
        setup.require("ports");
        let child = setup.spawn();
        child.port().emit("remove the next", &()).unwrap();
        child.port().emit("remove the next", &()).unwrap();
        assert_eq!(ask::<Vec<String>, _>(&child, "heard", &()), [""; 0]);
        // A listener that is added while an event is told hears the next one.
        let (tell, heard) = Events::new("added meanwhile");
        let tell = std::sync::Arc::new(tell);
        child.port().once("said", move |process: &Process, _: String| {
            let tell = std::sync::Arc::clone(&tell);
            process.port().on("said", move |_process, text: String| tell.tell(text));
        });
        ask::<(), _>(&child, "say", &("said", ["one", "two"]));
        assert_eq!(heard.next(), "two");
        heard.none();
    }

    /// A5: what the list's port emits reaches every process, the main one among them.
    fn what_is_emitted_to_all_reaches_every_process(setup) {
        setup.require("ports");
        let everybody = [setup.main(), setup.spawn(), setup.spawn()];
        setup.parent().processes().port().emit("note", "to all").unwrap();
        for process in &everybody {
            assert_eq!(ask::<Vec<String>, _>(process, "heard", &()), ["to all", "once to all", "silenced to all"]);
        }
    }

    /// A5: what a process emits is heard on its own port and on the list's, the process first, the payload the same.
    fn what_a_process_emits_is_heard_on_its_own_port_and_on_that_of_all(setup) {
        setup.require("ports");
        let everybody = [setup.main(), setup.spawn(), setup.spawn()];
        let all = heard::<_, String>(&setup.parent().processes().port(), "said");
        for process in &everybody {
            let own = heard::<_, String>(&process.port(), "said");
            ask::<(), _>(process, "say", &("said", ["the same"]));
            assert_eq!(own.next(), (process.clone(), "the same".to_owned()));
            assert_eq!(all.next(), (process.clone(), "the same".to_owned()));
            own.none();
        }
        all.none();
    }

    /// A6: what is for one process is heard in no other.
    fn what_is_for_one_process_is_heard_in_no_other(setup) {
        setup.require("ports");
        let everybody = [setup.main(), setup.spawn(), setup.spawn()];
        everybody[1].port().emit("note", "for one").unwrap();
        assert_eq!(ask::<Vec<String>, _>(&everybody[1], "heard", &()).len(), 3);
        for process in [&everybody[0], &everybody[2]] {
            assert_eq!(ask::<Vec<String>, _>(process, "heard", &()), [""; 0]);
        }
        let own = heard::<_, String>(&everybody[1].port(), "said");
        ask::<(), _>(&everybody[2], "say", &("said", ["by another"]));
        own.none();
    }
}
