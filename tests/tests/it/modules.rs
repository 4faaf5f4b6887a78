//! Loading modules.

use std::thread;

use remote_parent::{ModulePath, Process, ProcessError, Trouble, this_module};
use tests::gate::Gate;

use crate::harness::{MISFIT, Setup, ask, every_process_transport, every_transport, heard, sync};

every_transport! {
    /// A1: a module is loaded into the processes there are and those that come, once into each.
    fn a_module_is_loaded_into_every_process_once(setup) {
        setup.require("basics");
        let loaded = heard::<Process, String>(&setup.parent().processes().port(), "loaded");
        let early = setup.spawn();
        setup.require("loading::first");
        setup.require("loading::first");
        let late = setup.spawn();
        setup.require("loading::first");
        let everybody = [setup.main(), early, late];
        for process in &everybody {
            sync(process);
        }
        let loaded = loaded.so_far();
        assert_eq!(loaded.len(), 3);
        for process in everybody {
            assert!(loaded.contains(&(process, "first".to_owned())));
        }
    }

    /// A1: a relative id means a sibling of the module that asks, an absolute one stands alone.
    fn ids_are_relative_to_the_module_that_asks_or_absolute(setup) {
        let loaded = heard::<Process, String>(&setup.main().port(), "loaded");
        let asking = ModulePath::new("tests::modules::loading::asking");
        setup.parent().remote_require("./second", asking.clone()).unwrap();
        assert_eq!(loaded.next().1, "second");
        setup.parent().remote_require("tests::modules::loading::first", this_module!()).unwrap();
        assert_eq!(loaded.next().1, "first");
        // The same module by another name.
        setup.parent().remote_require("../loading/second", asking.clone()).unwrap();
        let error = setup.parent().remote_require("../../../../far", asking).unwrap_err();
        assert!(error.to_string().contains("../../../../far"), "{error}");
        setup.require("basics");
        sync(&setup.main());
        loaded.none();
    }

    /// A1: a module that does not exist is an error that names it and the process, which lives on.
    fn an_unknown_module_is_an_error_and_the_process_lives_on(setup) {
        setup.require("basics");
        let errors = setup.errors();
        let child = setup.spawn();
        setup.parent().remote_require("nowhere::to::be", this_module!()).unwrap();
        for _ in 0..2 {
            let (process, error) = errors.next();
            assert!(process == child.id() || process == setup.main().id());
            assert_eq!(error, ProcessError::Child(Trouble::UnknownModule { module: "nowhere::to::be".to_owned() }));
            assert!(error.to_string().contains("nowhere::to::be"));
        }
        sync(&child);
        sync(&setup.main());
        errors.none();
        // One that is started later tells it too.
        let late = setup.spawn();
        assert_eq!(errors.next().0, late.id());
        sync(&late);
    }

    /// A1: a module that returns an error or panics is an error that says so, and the process lives on.
    fn a_module_that_fails_to_load_is_an_error_and_the_process_lives_on(setup) {
        setup.require("basics");
        let errors = setup.errors();
        let child = setup.spawn();
        for (module, said) in [("failing", "its file is missing"), ("panicking", "its file is broken")] {
            setup.require(&format!("loading::{module}"));
            let mut troubles = errors.take(2);
            troubles.retain(|(process, _)| *process == child.id());
            let [(_, ProcessError::Child(Trouble::ModuleFailed { module: named, message }))] = &*troubles else {
                panic!("{troubles:?}");
            };
            assert_eq!(*named, format!("tests::modules::loading::{module}"));
            assert!(message.contains(said), "{message}");
        }
        sync(&child);
        errors.none();
    }

    /// A2: a message that is sent right after a module is required reaches it, in order.
    fn what_is_emitted_after_a_module_is_required_reaches_it(setup) {
        let child = setup.spawn();
        let numbers = heard::<_, (String, u32)>(&child.port(), "heard number");
        setup.require("loading::first");
        child.port().emit("numbered", &1).unwrap();
        setup.parent().processes().port().emit("numbered", &2).unwrap();
        setup.require("loading::second");
        child.port().emit("numbered", &3).unwrap();
        let numbers: Vec<_> = numbers.take(4).into_iter().map(|(_, (module, number))| format!("{module} {number}")).collect();
        assert_eq!(numbers, ["first 1", "first 2", "first 3", "second 3"]);
    }

    /// A2: also in processes that are still starting, which hear nothing before their modules are loaded, and miss nothing after.
    fn processes_that_are_starting_hear_what_is_emitted_after_a_module_is_required(setup) {
        let all = setup.parent().processes().port();
        setup.require("basics");
        let heard = heard::<_, (String, u32)>(&all, "heard number");
        setup.require("loading::first");
        let (child, last) = thread::scope(|scope| {
            let spawned = scope.spawn(|| setup.spawn());
            let mut number = 0;
            while !spawned.is_finished() {
                number += 1;
                all.emit("numbered", &number).unwrap();
                thread::yield_now();
            }
            number += 1;
            all.emit("numbered", &number).unwrap();
            (spawned.join().unwrap(), number)
        });
        sync(&child);
        let numbers: Vec<u32> =
            heard.so_far().into_iter().filter(|(process, _)| *process == child).map(|(_, (_, number))| number).collect();
        let first = *numbers.first().expect("the last one at least");
        assert_eq!(numbers, (first..=last).collect::<Vec<_>>());
    }

    /// A2: modules are loaded into a process that is started later; earlier broadcasts are not repeated.
    fn modules_are_replayed_to_later_processes_and_broadcasts_are_not(setup) {
        setup.require("ports");
        setup.parent().processes().port().emit("note", "before").unwrap();
        let late = setup.spawn();
        setup.parent().processes().port().emit("note", "after").unwrap();
        assert_eq!(ask::<Vec<String>, _>(&late, "heard", &()), ["after", "once after", "silenced after"]);
    }
}

every_process_transport! {
    /// A2: what is sent while a process has not yet said hello is held for it.
    fn what_is_sent_before_the_hello_is_held_until_it(transport) {
        let setup = Setup::new("what_is_sent_before_the_hello_is_held_until_it", transport);
        setup.require("basics");
        let all = setup.parent().processes().port();
        let numbers = heard::<Process, (String, u32)>(&all, "heard number");
        let gate = Gate::new();
        let options = setup.options().program(MISFIT).argument("waits").argument(gate.address());
        let (child, last) = thread::scope(|scope| {
            let spawned =
                scope.spawn(|| setup.parent().processes().spawn_with(options).expect("it comes late, but it comes"));
            let waiting = gate.arrival();
            setup.require("loading::first");
            (1..=100).for_each(|number| all.emit("numbered", &number).unwrap());
            waiting.let_go();
            let child = spawned.join().unwrap();
            all.emit("numbered", &101).unwrap();
            (child, 101)
        });
        sync(&child);
        let numbers: Vec<u32> =
            numbers.so_far().into_iter().filter(|(process, _)| *process == child).map(|(_, (_, number))| number).collect();
        // That it has been started may be known to the parent a little later than to itself.
        let first = *numbers.first().expect("the last one at least");
        assert_eq!(numbers, (first..=last).collect::<Vec<_>>());
    }
}
