//! What a process has of its parent: what is listed in `docs/inheritance.md`, and nothing else.

use std::collections::BTreeMap;
use std::fs::File;
use std::thread;

use remote_parent::{Process, Transport};
use rustix::io::{FdFlags, fcntl_setfd};
use tests::modules::inherited::{Inherited, inherited};

use crate::harness::{Setup, ask, every_free_process_transport};

fn setup(name: &str, transport: Transport) -> Setup {
    let setup = Setup::new(name, transport);
    setup.require("inherited");
    setup
}

/// A child has its standard streams, and no other descriptor that was open before it began.
#[track_caller]
fn has_nothing_but_streams(child: &Process) {
    let (_, _, descriptors): Inherited = ask(child, "inherited", &());
    // Those that ours opened since would not survive becoming another program.
    assert_eq!(descriptors, [0, 1, 2]);
}

every_free_process_transport! {
    /// 21: a child has the descriptors that it was given and no others, also where its parent is careless with its own, and where many
    /// children are started at once.
    fn hostile_21_descriptors_are_those_that_were_given(transport) {
        let setup = setup("hostile_descriptors_are_those_that_were_given", transport);
        has_nothing_but_streams(&setup.spawn());
        let careless: Vec<_> = (0..8).map(|_| File::open("/dev/null").expect("it is always there")).collect();
        for file in &careless {
            fcntl_setfd(file, FdFlags::empty()).expect("it is open");
        }
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..3).for_each(|_| has_nothing_but_streams(&setup.spawn())));
            }
        });
    }

    /// 21: what else a child has of its parent: the mask for files, how nice it is, process group, session and terminal, and which signals
    /// are ignored; but no signal is blocked.
    fn hostile_21_what_a_child_inherits_is_what_is_listed(transport) {
        let setup = setup("what_a_child_inherits_is_what_is_listed", transport);
        let (fields, stat, _): Inherited = ask(&setup.spawn(), "inherited", &());
        let (own_fields, own_stat, _) = inherited().expect("it can be read");
        let (fields, own): (BTreeMap<_, _>, BTreeMap<_, _>) = (fields.into_iter().collect(), own_fields.into_iter().collect());
        assert_eq!(stat, own_stat);
        // What comes after these is the C library's own business.
        let ignored = |fields: &BTreeMap<String, String>| u64::from_str_radix(&fields["SigIgn"], 16).unwrap() & 0x7fff_ffff;
        assert_eq!((&fields["Umask"], ignored(&fields)), (&own["Umask"], ignored(&own)));
        assert_eq!(u64::from_str_radix(&fields["SigBlk"], 16), Ok(0));
    }
}
