//! Every rule that a child can break: each is its end, and its reason is told everywhere.

use std::collections::BTreeSet;

use remote_parent::{Limits, Violation};
use remote_protocol::call::{self, Release, Request, Selector};
use remote_protocol::id::{FrameId, InvocationId, LentId, LoaderId};
use remote_protocol::limits::{NAME_BYTES, REFERENCES, RELEASES, REVOKED};
use remote_protocol::message::{Event, Target, ToParent};
use remote_protocol::payload::{Fingerprint, Form, Payload, Reference};
use tests::puppet::Command;

use super::log::errors;
use super::siege::{Puppet, Siege, call_record, callback, hostile_over_the_lane, look_up, record};

/// How a rule is broken, by a child that has these limits.
type Attack = fn(&mut Puppet);

/// What no child can be ended for: a link that has ended is no violation, though a closure can say so.
const IMPOSSIBLE: &str = "Link::Ended";

const NOBODYS: LentId = LentId { slot: 7, generation: 7 };

/// A piece of a message that goes on.
fn piece() -> Vec<u8> {
    [vec![1], vec![7; 60_000]].concat()
}

/// More callbacks than are under way, and twice as many.
const LENT: u32 = 4 * 64 * 1024;

/// Pieces of a message that is a little shorter than 2 MiB.
const PIECES: u32 = 34;

fn event(name: &str, loader: LoaderId, references: Vec<Reference<'static>>) -> ToParent<'static> {
    let payload = Payload { references, ..Payload::plain(vec![0]) };
    ToParent::Event(Event {
        loader,
        target: Target::Process,
        name: name.to_owned().into(),
        form: Form::Dynamic,
        payload,
    })
}

const fn object(message: call::ToParent<'static>) -> ToParent<'static> {
    ToParent::Object(message)
}

fn register(x: &Puppet, number: u32) -> ToParent<'static> {
    ToParent::RegisterFrame { frame: FrameId::registered(x.process.id(), number), tab: false }
}

/// One for each kind of violation.
const ATTACKS: [(&str, Attack); 25] = [
    ("Malformed", |x| x.say(&record(b""))),
    ("Record::Empty", |x| x.say(b"")),
    ("Record::Unknown", |x| x.say(&[2])),
    ("Record::TooLong", |x| x.repeat(piece(), PIECES + 1)),
    // On each lane what one message may have; together it is too much.
    ("Record::TooMuch", |x| (0..16).for_each(|lane| x.repeat_on(lane, piece(), PIECES))),
    ("Link::Overflow", |x| drop(x.act(&Command::Tell(vec![0x40])))),
    ("Link::Misused", |x| drop(x.act(&Command::Tell(vec![0x10])))),
    ("Link::Corrupted", |x| drop(x.act(&Command::Tell(vec![0x00])))),
    ("Unexpected", |x| (0..2).for_each(|_| x.say_message(&ToParent::Bye))),
    ("WrongLane", |x| x.say_on(2, tests::raw::short(&ToParent::Bye))),
    ("NoSuchLoader", |x| x.say_message(&ToParent::Unloaded { loader: LoaderId(7) })),
    ("NoSuchFrame", |x| x.say_message(&ToParent::FrameClosed { frame: FrameId::opened(77) })),
    ("FrameTaken", |x| x.say_message(&ToParent::RegisterFrame { frame: FrameId::opened(77), tab: true })),
    ("TooManyFrames", |x| (0..3).for_each(|number| x.say_message(&register(x, number)))),
    // None may be kept, so that all are given back.
    ("TooManyLent", |x| {
        for first in (0..LENT).step_by(1024) {
            let arguments =
                Payload { references: (first..first + 1024).map(callback).collect(), ..Payload::plain(Vec::new()) };
            x.say(&call_record(
                None,
                Request::Method { object: NOBODYS, method: Selector::Typed(Fingerprint(0)), arguments },
            ));
        }
    }),
    ("TooManyLanes", |x| x.say_on(15, call_record(None, look_up("workshop")))),
    ("LongName", |x| x.say_message(&event(&"x".repeat(NAME_BYTES + 1), LoaderId::FIRST, Vec::new()))),
    ("ReferencesInEvent", |x| x.say_message(&event("x", LoaderId::FIRST, vec![Reference::Object(NOBODYS)]))),
    ("NoSuchInvocation", |x| x.say(&call_record(Some(InvocationId(9)), look_up("workshop")))),
    ("HandledTooMuch", |x| x.say_message(&ToParent::Handled { cost: u64::MAX })),
    ("AcknowledgedTooMuch", |x| x.say_message(&object(call::ToParent::Released { batches: 1 }))),
    ("Object::Release", |x| {
        x.say_message(&object(call::ToParent::Release(vec![Release { id: NOBODYS, count: 1 }].into())))
    }),
    ("Object::Releases", |x| {
        let releases = vec![Release { id: NOBODYS, count: 0 }; RELEASES + 1];
        x.say_message(&object(call::ToParent::Release(releases.into())))
    }),
    ("Object::Name", |x| x.say(&call_record(None, look_up(&"x".repeat(NAME_BYTES + 1))))),
    ("Object::Revoked", |x| x.say_message(&object(call::ToParent::Revoked { callbacks: vec![NOBODYS; REVOKED + 1] }))),
];

/// What lets each of the limits be reached soon.
fn limits(kind: &str) -> Limits {
    let lanes = if kind == "TooManyLanes" { 15 } else { 16 };
    let references = if kind == "TooManyLent" { 0 } else { REFERENCES };
    Limits::new().message_bytes(2 << 20).window(1 << 20).calls(1).frames(2).lanes(lanes).references(references)
}

hostile_over_the_lane! {
    /// A8: a child is ended by each rule that it can break, and there is none that is not broken here; detach, log and snapshot say which.
    fn hostile_11_every_violation_has_a_reason_that_is_told(siege) {
        let attacked: BTreeSet<_> = ATTACKS.iter().map(|(kind, _)| *kind).collect();
        let kinds: BTreeSet<_> = Violation::KINDS.iter().copied().filter(|kind| *kind != IMPOSSIBLE).collect();
        assert_eq!(attacked, kinds);
        for (kind, attack) in ATTACKS {
            let mut x = siege.puppet_with(limits(kind));
            attack(&mut x);
            let violation = siege.violates(&x.process);
            assert_eq!(violation.kind(), kind, "{violation}");
            let logged = format!("message=ending the process; process={}; kind={kind:?}; violation={violation}; ", x.process.id());
            assert_eq!(errors(), [logged]);
            is_in_the_snapshot(siege, &x, &format!("broke the protocol: {violation}"));
        }
    }
}

#[track_caller]
fn is_in_the_snapshot(siege: &Siege, x: &Puppet, reason: &str) {
    let snapshot = siege.parent().snapshot();
    let last = snapshot.gone.last().expect("one has gone");
    assert_eq!((last.pid, last.serial, last.reason.as_str()), (x.process.id().pid(), x.process.id().serial(), reason));
    assert!(snapshot.to_string().contains(reason), "{snapshot}");
}
