//! The list of processes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use remote_parent::{DetachReason, Process, ProcessId};

use crate::harness::{Events, ask, every_transport, heard};

/// By the module's process id, whether it takes itself for remote, and the system's process id.
type Identity = (u32, bool, u32);

every_transport! {
    /// A3: there is one process from the start, this one; modules are loaded into it too.
    fn the_main_process_is_there_from_the_start_and_is_not_remote(setup) {
        let processes = setup.parent().processes();
        let all: Vec<Process> = processes.iter().collect();
        assert_eq!((all.len(), processes.len(), processes.is_empty()), (1, 1, false));
        let main = setup.main();
        assert_eq!(all, std::slice::from_ref(&main));
        assert!(!main.is_remote());
        assert_eq!(main.id(), std::process::id());
        setup.require("basics");
        let identity: Identity = ask(&main, "identity", &());
        assert_eq!(identity, (std::process::id(), false, std::process::id()));
        let child = setup.spawn();
        assert_eq!(processes.iter().collect::<Vec<_>>(), [main, child]);
    }

    /// A9: a child knows its id, which is the system's, and that it is remote.
    fn a_child_knows_who_it_is(setup) {
        setup.require("basics");
        let child = setup.spawn();
        let (id, is_remote, pid): Identity = ask(&child, "identity", &());
        assert!(is_remote && child.is_remote());
        assert_eq!((child.id().pid(), id), (pid, pid));
        assert_eq!(pid != std::process::id(), setup.has_processes());
        assert_eq!(child.id().to_string(), pid.to_string());
    }

    /// A7: the list is iterated, counted and searched; it follows what comes and goes.
    fn processes_are_found_by_id_while_they_are_there(setup) {
        let processes = setup.parent().processes();
        let detached = setup.detaches();
        let children = [setup.spawn(), setup.spawn(), setup.spawn()];
        assert_eq!(processes.len(), 4);
        assert_eq!(processes.iter().skip(1).collect::<Vec<_>>(), children);
        for child in &children {
            assert_eq!(processes.get(child.id()).as_ref(), Some(child));
        }
        assert_eq!(processes.get(ProcessId::new(children[0].id().pid(), 77)), None);
        children[1].close();
        detached.next();
        assert_eq!(processes.get(children[1].id()), None);
        assert_eq!(processes.iter().skip(1).collect::<Vec<_>>(), [children[0].clone(), children[2].clone()]);
    }

    /// A7: `for_every` is called for those that are there and those that come, until it is unsubscribed.
    fn for_every_is_called_for_present_and_later_processes_until_it_is_removed(setup) {
        let processes = setup.parent().processes();
        let early = setup.spawn();
        let (tell, told) = Events::new("every process");
        let listener = processes.for_every(move |process| tell.tell(process.id()));
        // Those that are there have been told of when it returns.
        assert_eq!(told.so_far(), [setup.main().id(), early.id()]);
        let late = setup.spawn();
        assert_eq!(told.next(), late.id());
        assert!(processes.off_attach(listener));
        assert!(!processes.off_attach(listener));
        let (tell, attached) = Events::new("attach");
        processes.on_attach(move |process| tell.tell(process.id()));
        let last = setup.spawn();
        assert_eq!(attached.next(), last.id());
        told.none();
    }

    /// A7: exactly once each, also when processes attach while it is subscribed.
    fn for_every_is_called_once_each_while_processes_attach(setup) {
        let processes = setup.parent().processes();
        let counts = Arc::new(Mutex::new(Vec::<Arc<Mutex<HashMap<ProcessId, usize>>>>::new()));
        let spawned = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..6 {
                    setup.spawn();
                    spawned.fetch_add(1, Ordering::Release);
                }
            });
            while spawned.load(Ordering::Acquire) < 6 {
                let count = Arc::new(Mutex::new(HashMap::new()));
                let own = Arc::clone(&count);
                processes.for_every(move |process| *own.lock().unwrap().entry(process.id()).or_default() += 1);
                counts.lock().unwrap().push(count);
                thread::yield_now();
                // Not so many that telling them all is what is measured.
                if counts.lock().unwrap().len() > 500 {
                    break;
                }
            }
        });
        // All have been told of a process before its first event is.
        let loaded = heard::<Process, bool>(&processes.port(), "loaded ports");
        setup.require("ports");
        loaded.take(7);
        let ids: Vec<ProcessId> = processes.iter().map(|process| process.id()).collect();
        for count in counts.lock().unwrap().iter() {
            let count = count.lock().unwrap();
            assert_eq!(count.len(), ids.len());
            assert!(ids.iter().all(|id| count.get(id) == Some(&1)), "{count:?}");
        }
    }

    /// A8: the item and the list tell once that a process was closed, and then it is gone.
    fn detach_is_told_once_on_the_item_and_on_the_list(setup) {
        setup.require("basics");
        let listed = setup.detaches();
        let child = setup.spawn();
        let (tell, own) = Events::new("detach of the item");
        child.on_detach(move |process, reason| tell.tell((process.clone(), reason.clone())));
        let (tell, removed) = Events::new("detach that was unsubscribed");
        let listener = setup.parent().processes().on_detach(move |_process, reason| tell.tell(reason.clone()));
        assert!(setup.parent().processes().off_detach(listener));
        assert_eq!(child.detached(), None);
        child.close();
        child.close();
        assert_eq!(listed.next(), (child.clone(), DetachReason::Closed));
        assert_eq!(own.next(), (child.clone(), DetachReason::Closed));
        assert_eq!(child.wait(crate::harness::PATIENCE), Some(DetachReason::Closed));
        assert_eq!(child.detached(), Some(&DetachReason::Closed));
        child.kill();
        child.close();
        assert!(setup.parent().processes().get(child.id()).is_none());
        assert!(child.port().emit("note", "too late").is_err());
        setup.close().unwrap();
        own.none();
        removed.none();
        // The main process has gone too, perhaps as the last one heard.
        assert!(listed.so_far().iter().all(|(process, _)| !process.is_remote()));
    }
}
