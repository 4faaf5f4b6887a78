//! Processes that start and die, many at once.

use std::thread;

use crate::harness::{every_transport, sync};

every_transport! {
    /// A8: many are started at once, from 16 threads.
    fn many_are_started_from_many_threads(setup) {
        setup.require("basics");
        let each = if setup.has_processes() { 2 } else { 8 };
        let attached = {
            let (tell, attached) = crate::harness::Events::new("attach");
            setup.parent().processes().on_attach(move |process| tell.tell(process.id()));
            attached
        };
        thread::scope(|scope| {
            for number in 0..16 {
                let setup = &setup;
                scope.spawn(move || {
                    for _ in 0..each {
                        let child = setup.spawn();
                        sync(&child);
                        match number % 4 {
                            0 => child.kill(),
                            1 => child.close(),
                            _ => {}
                        }
                    }
                });
            }
        });
        let mut ids = attached.take(16 * each);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 16 * each);
        attached.none();
    }
}
