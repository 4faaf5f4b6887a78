//! Ids that a child was not given, and what it was given and misuses.

use std::time::Duration;

use remote_parent::FrameOptions;
use remote_protocol::call::{self, CallError, Outcome, Release, Request, Root};
use remote_protocol::id::{FrameId, LentId, LoaderId};
use remote_protocol::limits::{NAME_BYTES, REFERENCES, REVOKED};
use remote_protocol::message::{Event, Target, ToParent, Trouble};
use remote_protocol::payload::{Form, Payload, Reference};
use remote_protocol::service::Abuse;
use remote_protocol::state::Violation;
use remote_protocol::value::Value;
use tests::gate::Gate;
use tests::interfaces::Bell;
use tests::puppet::Command;

use super::siege::{Puppet, SOON, call_record, callback, hostile, look_up, method};

/// What a child says.
type Attack<'a> = &'a dyn Fn(&Puppet) -> Vec<ToParent<'static>>;
/// What it gives back, of an object that it was lent.
type Releases = fn(LentId) -> Vec<(LentId, u32)>;
/// What it is ended for.
type Expected = fn(&Violation) -> bool;

/// The ids that a child may think of: what others have, what it had, and what nobody has.
fn forged(near: LentId) -> Vec<LentId> {
    let LentId { slot, generation } = near;
    let mut ids = Vec::new();
    for slot in [slot, slot + 1, slot + 100, u32::MAX, u32::MAX / 2] {
        for generation in [generation, generation + 1, u32::MAX] {
            ids.push(LentId { slot, generation });
        }
    }
    ids.retain(|id| *id != near);
    ids
}

#[track_caller]
fn is_refused(outcome: &Outcome<'_>, expected: impl Fn(&CallError) -> bool) {
    match outcome {
        Outcome::Refused(error) if expected(error) => {}
        other => panic!("{other:?}"),
    }
}

const fn is_unknown(error: &CallError) -> bool {
    matches!(error, CallError::NoSuchObject { .. })
}

fn release(releases: &[(LentId, u32)]) -> ToParent<'static> {
    let releases: Vec<_> = releases.iter().map(|(id, count)| Release { id: *id, count: *count }).collect();
    ToParent::Object(call::ToParent::Release(releases.into()))
}

fn event(loader: LoaderId, target: Target) -> ToParent<'static> {
    ToParent::Event(Event {
        loader,
        target,
        name: "forged".into(),
        form: Form::Dynamic,
        payload: Payload::plain(vec![0]),
    })
}

hostile! {
    /// An id that a child was not given reaches nothing, whatever it is used for; the child lives.
    fn hostile_5_forged_ids_reach_nothing(siege) {
        let mut x = siege.puppet();
        let workshop = x.look_up("workshop");
        for id in forged(workshop) {
            let outcome = x.call(method(id, "make", vec![Value::String("x".to_owned())], Vec::new()));
            is_refused(&outcome, is_unknown);
            let outcome = x.call(Request::Read { buffer: id, offset: 0, length: 1 });
            is_refused(&outcome, is_unknown);
            let outcome = x.call(method(workshop, "keep", vec![Value::Object(0)], vec![Reference::Object(id)]));
            is_refused(&outcome, |error| matches!(error, CallError::Arguments { .. }));
            let buffer = Reference::Buffer { id, length: 7, copy: None, place: None };
            let outcome = x.call(method(workshop, "keep", vec![Value::Object(0)], vec![buffer]));
            is_refused(&outcome, |error| matches!(error, CallError::Arguments { .. }));
        }
        // What it has is no buffer, either.
        let outcome = x.call(Request::Read { buffer: workshop, offset: 0, length: 1 });
        is_refused(&outcome, is_unknown);
        siege.kills(&x);
    }

    /// What another child was given is not reached by its id.
    fn hostile_5_ids_of_another_child_reach_nothing(siege) {
        let mut y = siege.puppet();
        let workshop = y.look_up("workshop");
        let items: Vec<_> = (0..8).map(|number| y.make(workshop, &format!("y's {number}"))).collect();
        let mut x = siege.puppet();
        let own = x.look_up("workshop");
        for item in &items {
            is_refused(&x.call(method(*item, "name", Vec::new(), Vec::new())), is_unknown);
            let outcome = x.call(method(own, "keep", vec![Value::Object(0)], vec![Reference::Object(*item)]));
            is_refused(&outcome, |error| matches!(error, CallError::Arguments { .. }));
        }
        // Nor can it take it away.
        x.say_message(&release(&[(items[3], 1)]));
        let violation = siege.violates(&x.process);
        assert_eq!(violation, Violation::Object(Abuse::Release { id: items[3], count: 1, lent: 0 }));
        assert!((0..8).all(|number| siege.objects.hall.has(&format!("y's {number}"))));
        siege.kills(&y);
    }

    /// What is in the place of something that a child gave back is not reached by the old id.
    fn hostile_5_ids_of_what_was_given_back_reach_nothing(siege) {
        let mut x = siege.puppet();
        let workshop = x.look_up("workshop");
        let mut old = Vec::new();
        for number in 0..20 {
            let item = x.make(workshop, &format!("item {number}"));
            old.push(item);
            x.say_message(&release(&[(item, 1)]));
        }
        let last = x.make(workshop, "the last");
        assert!(old.iter().all(|id| id.slot == last.slot && id.generation != last.generation));
        for id in old {
            is_refused(&x.call(method(id, "name", Vec::new(), Vec::new())), is_unknown);
        }
        x.say_message(&release(&[(LentId { generation: last.generation - 1, ..last }, 1)]));
        assert!(matches!(siege.violates(&x.process), Violation::Object(Abuse::Release { lent: 0, .. })));
    }

    /// Frames and loaders of others, and those that there are not, end the child that names them.
    fn hostile_5_forged_frames_and_loaders_end_the_child(siege) {
        let y = siege.puppet();
        let foreign = siege.parent().frames().open(&y.process, FrameOptions::new()).expect("it opens").id();
        let of_x = |x: &Puppet, number| FrameId::registered(x.process.id(), number);
        let first = LoaderId::FIRST;
        let attacks: [(Attack<'_>, Expected); 9] = [
            (&|_| vec![event(first, Target::Frame(foreign))], |v| matches!(v, Violation::NoSuchFrame(_))),
            (&|x| vec![event(first, Target::Frame(of_x(x, 9)))], |v| matches!(v, Violation::NoSuchFrame(_))),
            (&|_| vec![ToParent::FrameClosed { frame: foreign }], |v| matches!(v, Violation::NoSuchFrame(_))),
            (&|_| vec![ToParent::RegisterFrame { frame: foreign, tab: true }], |v| matches!(v, Violation::FrameTaken(_))),
            (
                &|_| vec![ToParent::RegisterFrame { frame: FrameId::opened(77), tab: true }],
                |v| matches!(v, Violation::FrameTaken(_)),
            ),
            (
                &|x| vec![ToParent::RegisterFrame { frame: of_x(x, 1), tab: true }; 2],
                |v| matches!(v, Violation::FrameTaken(_)),
            ),
            (&|_| vec![event(LoaderId(7), Target::Process)], |v| matches!(v, Violation::NoSuchLoader(_))),
            (&|_| vec![ToParent::Unloaded { loader: first }], |v| matches!(v, Violation::NoSuchLoader(_))),
            (&|_| vec![ToParent::Unloaded { loader: LoaderId(7) }], |v| matches!(v, Violation::NoSuchLoader(_))),
        ];
        for (messages, expected) in attacks {
            let mut x = siege.puppet();
            for message in messages(&x) {
                x.say_message(&message);
            }
            let violation = siege.violates(&x.process);
            assert!(expected(&violation), "{violation:?}");
        }
        // To ask for the window of another's frame is refused; to complain of a loader that there is not, noted.
        let mut x = siege.puppet();
        for root in [Root::CurrentWindow(foreign), Root::CurrentWebContents(foreign), Root::CurrentWindow(of_x(&x, 3))] {
            let outcome = x.call(Request::Lookup { root, interface: None });
            is_refused(&outcome, |error| matches!(error, CallError::Denied { .. }));
        }
        let trouble = Trouble::TaskPanicked { message: "says who?".to_owned() };
        x.say_message(&ToParent::Trouble { loader: LoaderId(7), trouble });
        x.look_up("workshop");
        siege.kills(&x);
        siege.kills(&y);
    }

    /// However often its events were let through, a loader that the child has unloaded is none of it any more.
    fn hostile_5_events_of_an_unloaded_loader_end_the_child(siege) {
        let (loader, id) = (siege.parent().loader("second").expect("the parent is there"), LoaderId(1));
        let mut x = siege.puppet();
        for _ in 0..3 {
            x.say_message(&event(id, Target::Process));
        }
        x.look_up("workshop");
        loader.unload("no reason");
        x.say_message(&event(id, Target::Process));
        x.say_message(&ToParent::Unloaded { loader: id });
        x.say_message(&event(id, Target::Process));
        assert_eq!(siege.violates(&x.process), Violation::NoSuchLoader(id));
    }

    /// More than was lent cannot be given back: twice, too many at once, what was never lent, after what was in order.
    fn hostile_6_releases_of_what_was_not_lent_end_the_child(siege) {
        let attacks: [Releases; 5] = [
            |id| vec![(id, 1), (id, 1)],
            |id| vec![(id, 2)],
            |id| vec![(id, u32::MAX)],
            |_| vec![(LentId { slot: u32::MAX, generation: u32::MAX }, 1)],
            |id| vec![(id, 1), (LentId { slot: 1000, generation: 0 }, 0)],
        ];
        for attack in attacks {
            let mut x = siege.puppet();
            let workshop = x.look_up("workshop");
            let item = x.make(workshop, "item");
            x.say_message(&release(&attack(item)));
            assert!(matches!(siege.violates(&x.process), Violation::Object(Abuse::Release { .. })));
            assert!(!siege.objects.hall.has("item"));
        }
    }

    /// The same over and over is the same.
    fn hostile_6_the_same_object_is_given_back_as_often_as_it_was_lent(siege) {
        let mut x = siege.puppet();
        let workshop = x.look_up("workshop");
        for _ in 0..50 {
            assert_eq!(x.look_up("workshop"), workshop);
        }
        x.say_message(&release(&[(workshop, 20), (workshop, 0), (workshop, 30)]));
        x.make(workshop, "still there");
        x.say_message(&release(&[(workshop, 2)]));
        let violation = siege.violates(&x.process);
        assert_eq!(violation, Violation::Object(Abuse::Release { id: workshop, count: 2, lent: 1 }));
    }

    /// An object that is given back while it is called lives until the call has returned.
    fn hostile_6_an_object_that_is_given_back_during_a_call_lives_through_it(siege) {
        let gate = Gate::new();
        let mut x = siege.puppet();
        let workshop = x.look_up("workshop");
        let item = x.make(workshop, "given back");
        // On another lane, which has a thread of its own.
        let arguments = vec![Value::String(gate.address()), Value::Object(0)];
        x.say_on(1, call_record(None, method(workshop, "lend_at", arguments, vec![Reference::Object(item)])));
        let waiting = gate.arrival();
        x.say_message(&release(&[(item, 1), (workshop, 1)]));
        is_refused(&x.call(method(workshop, "make", vec![Value::String("x".to_owned())], Vec::new())), is_unknown);
        assert!(siege.objects.hall.has("given back"));
        waiting.let_go();
        let record = x.acts(&Command::Hear { lane: 1 });
        assert!(matches!(
            tests::raw::message(&record),
            remote_protocol::message::ToChild::Object(call::ToChild::Return(call::Return { outcome: Outcome::Done(_), .. }))
        ));
        siege.kills(&x);
        while siege.objects.hall.has("given back") {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// To have handled what was never sent ends the child, and so does to revoke too much at once.
    fn hostile_6_credit_that_was_not_given_ends_the_child(siege) {
        let attacks: [(ToParent<'static>, Expected); 4] = [
            (ToParent::Handled { cost: u64::MAX }, |v| matches!(v, Violation::HandledTooMuch { .. })),
            (
                ToParent::Object(call::ToParent::Released { batches: 1 }),
                |v| matches!(v, Violation::AcknowledgedTooMuch { batches: 1, sent: 0 }),
            ),
            (
                ToParent::Object(call::ToParent::Released { batches: u32::MAX }),
                |v| matches!(v, Violation::AcknowledgedTooMuch { .. }),
            ),
            (
                ToParent::Object(call::ToParent::Revoked { callbacks: vec![LentId { slot: 0, generation: 0 }; REVOKED + 1] }),
                |v| matches!(v, Violation::Object(Abuse::Revoked { .. })),
            ),
        ];
        for (message, expected) in attacks {
            let mut x = siege.puppet();
            x.say_message(&message);
            let violation = siege.violates(&x.process);
            assert!(expected(&violation), "{violation:?}");
        }
        // To revoke what nobody has, and to give up what nobody asked for, has no effect.
        let mut x = siege.puppet();
        x.say_message(&ToParent::Object(call::ToParent::Revoked { callbacks: vec![LentId { slot: 7, generation: 7 }; REVOKED] }));
        x.say_message(&ToParent::Object(call::ToParent::Cancel { call: remote_protocol::id::CallId(99) }));
        x.look_up("workshop");
        siege.kills(&x);
    }

    /// A child gets no more objects than the limit; past it each is an error, and what it has goes when it does.
    fn hostile_7_a_flood_of_objects_ends_at_the_limit(siege) {
        let mut x = siege.puppet();
        let workshop = x.look_up("workshop");
        let make = call_record(None, method(workshop, "make", vec![Value::String("flood".to_owned())], Vec::new()));
        let fit = u32::try_from(REFERENCES - 1).expect("it is a number of references");
        x.repeat(make.clone(), fit);
        x.acts(&Command::Skip { lane: 0, records: fit });
        for _ in 0..3 {
            x.say(&make);
            is_refused(&x.returned(), |error| error.to_string().contains("16384 references"));
        }
        // Its workshop, and that of the witness.
        assert_eq!(siege.objects.exports.alive().objects, REFERENCES + 1);
        siege.goes_on();
        siege.kills(&x);
        // It never saw the three that were made past the limit, either.
        for _ in 0..REFERENCES + 2 {
            siege.objects.dropped.recv_timeout(SOON).expect("all of them are dropped");
        }
    }

    /// Nor does the parent keep more callbacks of one child than the limit; those past it are given back at once.
    fn hostile_7_a_flood_of_callbacks_ends_at_the_limit(siege) {
        let mut x = siege.puppet();
        let bell = x.look_up("bell");
        let limit = u32::try_from(REFERENCES).expect("it is a number of references");
        // Some hundred in a record, of which the first is passed.
        for first in (0..limit).step_by(512) {
            let references = (first..first + 512).map(callback).collect();
            let arguments = vec![Value::List((0..512).map(Value::Function).collect())];
            let outcome = x.call(method(bell, "no such method", arguments, references));
            assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
        }
        // Nobody kept them.
        assert_eq!(siege.objects.exports.alive().callbacks, 0);
        for first in (0..limit).step_by(1024) {
            for slot in first..first + 1024 {
                let add = call_record(None, method(bell, "add", vec![Value::Function(0)], vec![callback(slot)]));
                x.pull.begin(&Command::Say { lane: 0, record: add, times: 1 });
            }
            x.pull.begin(&Command::Skip { lane: 0, records: 1024 });
            for _ in 0..=1024 {
                x.pull.end().expect("the puppet lives").expect("it can");
            }
        }
        siege.goes_on();
        assert_eq!(siege.objects.exports.alive().callbacks, REFERENCES);
        let outcome = x.call(method(bell, "add", vec![Value::Function(0)], vec![callback(limit)]));
        is_refused(&outcome, |error| error.to_string().contains("more than 16384 callbacks"));
        siege.kills(&x);
        siege.objects.bell.clear().expect("it can be cleared");
    }

    /// A name that nobody exported is an error; one that is longer than it may be ends the child.
    fn hostile_5_names_that_nobody_exported_are_errors(siege) {
        let mut x = siege.puppet();
        let long = "n".repeat(NAME_BYTES);
        for name in ["", "no such thing", "../workshop", "workshop\0", &long] {
            is_refused(&x.call(look_up(name)), |error| matches!(error, CallError::NoSuchExport { .. }));
        }
        x.say(&call_record(None, look_up(&"n".repeat(60_000))));
        let violation = siege.violates(&x.process);
        assert!(matches!(violation, Violation::Object(Abuse::Name { .. })), "{violation:?}");
    }
}
