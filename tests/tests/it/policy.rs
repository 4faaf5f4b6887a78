//! Who may reach what.

use std::sync::{Arc, Mutex};

use remote_object::{CallError, Decision, Exports, NotServing, Root};
use remote_parent::{FrameOptions, Process, ProcessId};
use tests::interfaces::Item;
use tests::objects::Named;

use crate::harness::{Events, PATIENCE, Setup, ask, every_transport};

type Answer = Result<String, CallError>;

/// Exports a module, a global, a process, a window and web contents, each of which says what it is.
fn served(setup: &Setup) -> Exports {
    let exports = Exports::new();
    exports.module("module", Named::item("module")).unwrap();
    exports.module("fs", Named::item("fs")).unwrap();
    exports.global("global", Named::item("global")).unwrap();
    exports.process(Named::item("process")).unwrap();
    exports.current_window::<dyn Item>(|_frame| Some(Named::item("window")));
    exports.current_web_contents::<dyn Item>(|_frame| Some(Named::item("contents")));
    exports.serve(setup.parent()).unwrap();
    setup.require("roots");
    exports
}

/// What a process is given for one of each kind, in this order: module, global, process, window, contents.
fn all(setup: &Setup, process: &Process) -> [Answer; 5] {
    let frame = setup.parent().frames().open(process, FrameOptions::new()).unwrap().id();
    [
        ask(process, "module", "module"),
        ask(process, "global", "global"),
        ask(process, "process", &()),
        ask(process, "window", &frame),
        ask(process, "contents", &frame),
    ]
}

fn fs(process: &Process) -> Answer {
    ask(process, "module", "fs")
}

fn denied(root: &str, rule: &str) -> Answer {
    Err(CallError::Denied { root: root.to_owned(), rule: rule.to_owned() })
}

const NAMES: [&str; 5] = ["module", "global", "process", "window", "contents"];

every_transport! {
    /// B16, B1: a filter denies each kind, for all processes, the main process too; the error names what was asked for and the rule.
    fn what_is_denied_to_all_nobody_gets(setup) {
        let exports = served(&setup);
        exports.filter(|access| {
            assert!(access.root.name().is_none() || access.root.frame().is_none());
            Decision::deny(format!("no {access}"))
        });
        for process in [setup.main(), setup.spawn()] {
            for answer in all(&setup, &process) {
                let Err(CallError::Denied { root, rule }) = &answer else { panic!("expected a denial: {answer:?}") };
                assert_eq!(*rule, format!("no {root}"));
            }
            assert_eq!(fs(&process), denied("module `fs`", "no module `fs`"));
            let by_name = ask::<Option<CallError>, _>(&process, "module by name", "fs");
            assert_eq!(by_name, denied("module `fs`", "no module `fs`").err());
            // It is not told whether there is such a thing.
            assert_eq!(ask::<Answer, _>(&process, "module", "unknown"), denied("module `unknown`", "no module `unknown`"));
        }
        assert_eq!(exports.alive().objects, 0);
    }

    /// B16: a filter answers with something else for each kind, also where nothing is exported; each time with the same object.
    fn what_is_replaced_all_get_instead(setup) {
        let exports = served(&setup);
        let other = Named::item("something else");
        let replacement = Arc::clone(&other);
        exports.filter(move |_access| Decision::replace::<dyn Item>(Arc::clone(&replacement)));
        for process in [setup.main(), setup.spawn()] {
            assert_eq!(all(&setup, &process), NAMES.map(|_| Ok("something else".to_owned())));
            assert_eq!(ask::<Answer, _>(&process, "module", "unknown"), Ok("something else".to_owned()));
        }
    }

    /// B16: the filter of one process says nothing about the others; what all filters allow is given.
    fn the_filter_of_one_process_is_for_it_alone(setup) {
        let exports = served(&setup);
        let [one, other] = [setup.spawn(), setup.spawn()];
        exports.filter_process(one.id(), |access| match access.root {
            Root::Module(name) if name == "fs" => Decision::deny("no files"),
            Root::Global(_) => Decision::replace(Named::item("its own global")),
            _ => Decision::Allow,
        }).unwrap();
        let named = NAMES.map(|name| Ok(name.to_owned()));
        assert_eq!(all(&setup, &other), named);
        assert_eq!(all(&setup, &setup.main()), named);
        assert_eq!(fs(&other), Ok("fs".to_owned()));
        assert_eq!(fs(&one), denied("module `fs`", "no files"));
        let answers = all(&setup, &one);
        assert_eq!(answers[1], Ok("its own global".to_owned()));
        assert_eq!((&answers[0], &answers[2..]), (&named[0], &named[2..]));
    }

    /// B16: the main process has filters of its own as well.
    fn the_main_process_has_filters_of_its_own(setup) {
        let exports = served(&setup);
        exports.filter_process(setup.main().id(), |_access| Decision::deny("not in the main process")).unwrap();
        assert!(all(&setup, &setup.main()).iter().all(|answer| matches!(answer, Err(CallError::Denied { .. }))));
        assert_eq!(all(&setup, &setup.spawn()), NAMES.map(|name| Ok(name.to_owned())));
    }

    /// B16: the process's own filters come first, then those for all, each in the order they were added, until one objects.
    fn the_first_filter_that_objects_decides(setup) {
        let exports = served(&setup);
        let (tell, asked) = Events::new("filter");
        let tell = Arc::new(tell);
        let filter = |name: &'static str, denies: &'static str| {
            let tell = Arc::clone(&tell);
            move |access: &remote_object::Access<'_>| {
                tell.tell(name);
                if access.name() == Some(denies) { Decision::deny(name) } else { Decision::Allow }
            }
        };
        exports.filter(filter("first for all", "fs"));
        exports.filter(filter("second for all", "module"));
        let child = setup.spawn();
        exports.filter_process(child.id(), filter("its own", "fs")).unwrap();
        assert_eq!(fs(&child), denied("module `fs`", "its own"));
        assert_eq!(asked.so_far(), ["its own"]);
        assert_eq!(ask::<Answer, _>(&child, "module", "module"), denied("module `module`", "second for all"));
        assert_eq!(asked.so_far(), ["its own", "first for all", "second for all"]);
        assert_eq!(ask::<Answer, _>(&child, "global", "global"), Ok("global".to_owned()));
        assert_eq!(asked.so_far(), ["its own", "first for all", "second for all"]);
    }

    /// B16: added when the process attaches, a filter is there before its modules ask for anything.
    fn a_filter_is_there_when_the_process_attaches(setup) {
        let exports = served(&setup);
        let own = exports.clone();
        setup.parent().processes().on_attach(move |process: &Process| {
            own.filter_process(process.id(), |_access| Decision::deny("not yet")).unwrap();
        });
        let child = setup.spawn();
        assert_eq!(fs(&child), denied("module `fs`", "not yet"));
    }

    /// B16: a filter that panics denies, and the next access works.
    fn a_filter_that_panics_denies(setup) {
        let exports = served(&setup);
        exports.filter(|access| {
            assert_ne!(access.name(), Some("fs"), "no files");
            Decision::Allow
        });
        let child = setup.spawn();
        assert_eq!(fs(&child), denied("module `fs`", "the filter panicked"));
        assert_eq!(ask::<Answer, _>(&child, "module", "module"), Ok("module".to_owned()));
    }

    /// B16: every access is told, with what was decided and whether something was found; a listener that panics changes nothing.
    fn every_access_is_told(setup) {
        let exports = served(&setup);
        exports.filter(|access| match access.name() {
            Some("fs") => Decision::deny("no files"),
            Some("global") => Decision::replace(Named::item("another")),
            _ => Decision::Allow,
        });
        exports.on_access(|_record| panic!("it is not for me"));
        let records = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&records);
        exports.on_access(move |record| {
            let decision = match record.decision {
                Decision::Allow => "allow".to_owned(),
                Decision::Deny { rule } => format!("deny: {rule}"),
                Decision::Replace(replacement) => format!("replace: {}", replacement.interface()),
                _ => unreachable!("there is no other"),
            };
            assert_eq!(record.rule().is_some(), decision.starts_with("deny"));
            told.lock().unwrap().push((record.access.process, record.access.to_string(), decision, record.found));
        });
        for process in [setup.main(), setup.spawn()] {
            assert!(fs(&process).is_err());
            assert!(ask::<Answer, _>(&process, "module", "unknown").is_err());
            assert!(ask::<Answer, _>(&process, "module", "module").is_ok());
            assert!(ask::<Answer, _>(&process, "global", "global").is_ok());
            let frame = setup.parent().frames().open(&process, FrameOptions::new()).unwrap().id();
            assert!(ask::<Answer, _>(&process, "window", &frame).is_ok());
            assert!(ask::<Answer, _>(&process, "close and ask", &frame).is_err());
            let window = format!("current window of frame {frame}");
            let expected = [
                ("module `fs`", "deny: no files", false),
                ("module `unknown`", "allow", false),
                ("module `module`", "allow", true),
                ("global `global`", "replace: Item", true),
                (&*window, "allow", true),
                (&*window, "deny: it is no frame of this process", false),
            ];
            let expected = expected.map(|(root, decision, found)| (process.id(), root.to_owned(), decision.to_owned(), found));
            assert_eq!(std::mem::take(&mut *records.lock().unwrap()), expected);
        }
    }

    /// B16: filters and listeners may use the exports and the parent: none of our locks is held.
    fn a_filter_may_use_the_exports(setup) {
        let exports = served(&setup);
        let (own, processes) = (exports.clone(), setup.parent().processes());
        exports.filter(move |access| {
            assert!(processes.get(access.process).is_some() && own.alive().callbacks == 0);
            if access.name() == Some("late") {
                own.module("late", Named::item("late")).expect("it is asked for once");
                own.filter(|_access| Decision::Allow);
                own.on_access(|_record| {});
            }
            Decision::Allow
        });
        assert_eq!(ask::<Answer, _>(&setup.spawn(), "module", "late"), Ok("late".to_owned()));
    }

    /// B16: the filter of a process goes with it; for one that is gone there is none.
    fn the_filter_of_a_process_goes_with_it(setup) {
        let exports = served(&setup);
        let child = setup.spawn();
        let held = Arc::new(());
        let gone = Arc::downgrade(&held);
        exports.filter_process(child.id(), move |_access| { let _held = &held; Decision::Allow }).unwrap();
        child.close();
        child.wait(PATIENCE).expect("it goes");
        assert!(gone.upgrade().is_none());
        assert_eq!(exports.filter_process(child.id(), |_access| Decision::Allow), Err(NotServing { process: child.id() }));
    }
}

/// B16: a process that nothing is served to is filtered by nobody.
#[test]
fn a_process_that_is_not_served_has_no_filter() {
    let process = ProcessId::new(7, 1);
    assert_eq!(Exports::new().filter_process(process, |_access| Decision::Allow), Err(NotServing { process }));
}
