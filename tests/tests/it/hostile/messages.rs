//! Messages and payloads that are none, too deep, or say that they are longer than they are.

use std::borrow::Cow;

use remote_object::{Interface, Value};
use remote_parent::{DetachReason, ProcessError};
use remote_protocol::call::{self, Access, CallError, Outcome, Report, Request, Selector};
use remote_protocol::codec::{self, CowBytes};
use remote_protocol::id::{LentId, LoaderId};
use remote_protocol::limits::DEPTH;
use remote_protocol::message::{Event, Target, ToChild, ToParent};
use remote_protocol::payload::{Fingerprint, Form, Payload, Reference};
use remote_protocol::record::{Budget, Joiner};
use remote_protocol::state::Violation;
use tests::interfaces::{Mirror, Workshop};
use tests::puppet::Command;
use tests::samples::{Nest, Sample};

use super::siege::{Puppet, call_record, encoded, hostile, hostile_over_the_lane, look_up, record};

/// A number as it is on the wire, as long as it gets.
const ENDLESS: [u8; 10] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];

fn raw_method(object: LentId, method: Selector<'static>, bytes: Vec<u8>) -> Request<'static> {
    Request::Method {
        object,
        method,
        arguments: Payload { bytes: CowBytes(Cow::Owned(bytes)), references: Vec::new() },
    }
}

fn named(name: &'static str) -> Selector<'static> {
    Selector::Named { name: name.into(), access: Access::Call }
}

fn typed<T: Interface + ?Sized>(name: &str) -> Selector<'static> {
    let method = T::METHODS.iter().find(|method| method.name == name).expect("there is such a method");
    Selector::Typed(Fingerprint(method.fingerprint))
}

/// A value so many lists deep.
fn deep(levels: usize) -> Vec<u8> {
    let one = encoded(&Value::List(vec![Value::Null]));
    let null = encoded(&Value::Null);
    let (list, inner) = one.split_at(one.len() - null.len());
    [list.repeat(levels), inner.to_vec()].concat()
}

/// What announces more than there is: a list, a text, bytes and a map of values.
fn bombs() -> Vec<Vec<u8>> {
    let of = |value: Value| encoded(&value);
    let kinds = [of(Value::List(Vec::new())), of(Value::String(String::new())), of(Value::Bytes(Vec::new()))];
    let mut bombs = Vec::new();
    for kind in kinds {
        let (tag, _length) = kind.split_at(kind.len() - 1);
        bombs.push([tag, &ENDLESS].concat());
        // A little over a million, and nothing there.
        bombs.push([tag, &[0xff, 0xff, 0x7f]].concat());
    }
    bombs
}

hostile_over_the_lane! {
    /// Arguments that are too deep, announce more than there is, or have something behind them are an error of the call; the child lives.
    fn hostile_4_arguments_that_are_bombs_are_errors(siege) {
        let mut x = siege.puppet();
        let mirror = x.look_up("mirror");
        let workshop = x.look_up("workshop");
        let mut bad = bombs();
        bad.extend([DEPTH as usize + 1, 1000, 30_000].map(deep));
        bad.push([encoded(&Value::List(Vec::new())), vec![0]].concat());
        bad.push([encoded(&Value::List(vec![Value::String("text".to_owned())])), b"behind".to_vec()].concat());
        // A million units in three bytes.
        bad.push(vec![0xff, 0xff, 0x3f]);
        for bytes in bad {
            let typed = [
                (mirror, typed::<dyn Mirror>("sample")),
                (mirror, typed::<dyn Mirror>("nans")),
                (mirror, typed::<dyn Mirror>("byte_vec")),
                (workshop, typed::<dyn Workshop>("depth")),
                (workshop, named("make")),
                (mirror, named("text")),
            ];
            for (object, method) in typed {
                let outcome = x.call(raw_method(object, method, bytes.clone()));
                let Outcome::Refused(error) = outcome else { panic!("{outcome:?}") };
                let is_expected = matches!(*error, CallError::Arguments { .. } | CallError::NoSuchMember { .. });
                assert!(is_expected, "{error:?}");
            }
        }
        siege.kills(&x);
    }

    /// So are payloads of events, which are reported where somebody listens.
    fn hostile_4_events_that_are_bombs_are_reported(siege) {
        let (tell, errors) = crate::harness::Events::new("error");
        siege.parent().processes().on_error(move |process, error| tell.tell((process.id(), error.clone())));
        let mut x = siege.puppet();
        x.process.port().on("units", |_process, _: Vec<()>| ());
        let say = |x: &mut Puppet, form, bytes: Vec<u8>| {
            let payload = Payload::plain(bytes);
            let (loader, target) = (LoaderId::FIRST, Target::Process);
            x.say_message(&ToParent::Event(Event { loader, target, name: "units".into(), form, payload }));
        };
        for bytes in bombs().into_iter().chain([deep(1000)]) {
            say(&mut x, Form::Dynamic, bytes);
            let (process, error) = errors.next();
            assert_eq!(process, x.process.id());
            assert!(matches!(error, ProcessError::Payload(_)), "{error:?}");
        }
        // A thousand units.
        say(&mut x, Form::Typed(Fingerprint(7)), vec![0xe8, 0x07]);
        assert!(matches!(errors.next().1, ProcessError::Payload(_)));
        siege.kills(&x);
    }

    /// Messages that announce more than there is, or have something behind them, end the child.
    fn hostile_4_messages_that_are_bombs_end_the_child(siege) {
        let release = encoded(&ToParent::Object(call::ToParent::Release(Vec::new().into())));
        let revoked = encoded(&ToParent::Object(call::ToParent::Revoked { callbacks: Vec::new() }));
        let mut bad = vec![[release.clone(), vec![0]].concat(), [encoded(&ToParent::Bye), vec![0]].concat()];
        for message in [release, revoked] {
            let head = &message[..message.len() - 1];
            bad.push([head, &ENDLESS].concat());
            bad.push([head, &[0xff, 0xff, 0x7f], &[0; 100]].concat());
        }
        let call = call_record(None, look_up("name"));
        let at = call.windows(5).position(|window| window == b"\x04name").expect("the name is in it");
        bad.push([&call[1..at], &ENDLESS, b"name"].concat());
        // Text that is none.
        bad.push([&call[1..at], b"\x04n\xff\xfee\x00"].concat());
        for message in bad {
            let mut x = siege.puppet();
            x.say(&record(&message));
            let violation = siege.violates(&x.process);
            assert!(matches!(violation, Violation::Malformed(_)), "{violation:?}");
        }
    }

    /// A message that never ends is as long as a message may be, and no longer; and all on further lanes together are.
    fn hostile_4_messages_without_end_end_the_child(siege) {
        let piece = [vec![1], vec![7; 60_000]].concat();
        let mut x = siege.puppet();
        x.pull.begin(&Command::Say { lane: 0, record: piece.clone(), times: 1000 });
        siege.outlasts(&x.process);
        let violation = siege.violates(&x.process);
        assert!(matches!(violation, Violation::Record(_)), "{violation:?}");
        let mut x = siege.puppet();
        for lane in 1..16 {
            x.pull.begin(&Command::Say { lane, record: piece.clone(), times: 120 });
        }
        siege.outlasts(&x.process);
        let violation = siege.violates(&x.process);
        assert!(matches!(violation, Violation::Record(_)), "{violation:?}");
    }

    /// Garbage as arguments, by the ten thousand, of every length: each is an error, or what it happens to be.
    fn hostile_3_garbage_as_arguments_harms_nobody(siege) {
        let mut x = siege.puppet();
        let mirror = x.look_up("mirror");
        let workshop = x.look_up("workshop");
        let methods = [
            (mirror, typed::<dyn Mirror>("sample")),
            (mirror, typed::<dyn Mirror>("text")),
            (workshop, typed::<dyn Workshop>("depth")),
            (mirror, named("sample")),
            (workshop, named("depth")),
        ];
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for round in 0..20 {
            let mut count = 0;
            for length in 0..100 {
                for (object, method) in &methods {
                    let bytes = random.bytes(length * (round + 1));
                    let record = call_record(None, raw_method(*object, method.clone(), bytes));
                    x.pull.begin(&Command::Say { lane: 0, record, times: 1 });
                    count += 1;
                }
            }
            x.pull.begin(&Command::Skip { lane: 0, records: count });
            for _ in 0..=count {
                x.pull.end().expect("the puppet lives").expect("it can");
            }
        }
        siege.kills(&x);
    }

    /// Garbage as messages ends the child, each time.
    fn hostile_3_garbage_as_messages_ends_the_child(siege) {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        for length in (0..50).chain([1000, 60_000]) {
            let mut x = siege.puppet();
            let mut bytes = random.bytes(length);
            // No message begins so.
            bytes.insert(0, 0x7f);
            x.say(&record(&bytes));
            let violation = siege.violates(&x.process);
            assert!(matches!(violation, Violation::Malformed(_)), "{violation:?}");
        }
    }
}

/// A million inputs to all that decodes what a peer says: nothing panics, and nothing is kept that was only announced.
#[test]
fn hostile_3_a_million_inputs_to_the_decoders_do_no_harm() {
    type Decode = fn(&[u8]) -> bool;
    let decoders: [Decode; 10] = [
        |bytes| codec::decode::<ToParent<'_>>(bytes).is_ok(),
        |bytes| codec::decode::<ToChild<'_>>(bytes).is_ok(),
        |bytes| codec::decode::<Value>(bytes).is_ok(),
        |bytes| codec::decode::<(String, Vec<u8>)>(bytes).is_ok(),
        |bytes| codec::decode::<Vec<()>>(bytes).is_ok(),
        |bytes| codec::decode::<Sample>(bytes).is_ok(),
        |bytes| codec::decode::<Nest>(bytes).is_ok(),
        |bytes| codec::decode::<Report>(bytes).is_ok(),
        |bytes| codec::decode::<Vec<Reference<'_>>>(bytes).is_ok(),
        |bytes| Joiner::new(Budget::unlimited()).join(&mut bytes.to_vec()).is_ok(),
    ];
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut taken = [0_u32; 10];
    for (decode, taken) in decoders.iter().zip(&mut taken) {
        for case in 0..100_000_usize {
            // Every length up to a page, most of them short.
            let length = if case < 4096 { case } else { case % 40 };
            let mut bytes = random.bytes(length);
            if let (Some(first), true) = (bytes.first_mut(), case % 3 > 0) {
                // Else few begin a message.
                *first %= 12;
            }
            *taken += u32::from(decode(&bytes));
        }
    }
    eprintln!("taken for something: {taken:?}");
    assert!(taken.iter().filter(|taken| **taken > 0).count() >= 7, "{taken:?}");
}

hostile! {
    /// What could not be encoded, on either side, leaves nothing behind for what is said next.
    fn hostile_23_what_cannot_be_encoded_leaves_nothing_behind(siege) {
        siege.require("misuse");
        let x = siege.spawn();
        for _ in 0..20 {
            let error = x.port().emit("deep", &Nest::deep(1000)).expect_err("it is too deep");
            assert!(error.to_string().contains("deep"), "{error}");
            crate::harness::sync(&x);
            for (what, error) in [("send deep", "levels deep"), ("emit deep", "levels deep")] {
                let found = crate::harness::try_ask::<(), _>(&x, what, &1000_usize).expect_err("it is too deep");
                assert!(found.contains(error), "{found}");
            }
            // Half of its references have been counted when it fails.
            let found = crate::harness::try_ask::<(), _>(&x, "send a stray", &()).expect_err("it cannot be sent");
            assert!(found.contains("`Item`"), "{found}");
        }
        x.kill();
        assert_eq!(siege.ends(&x), DetachReason::Killed { signal: 9 });
    }
}

/// Xorshift, 64 bits: the same in every run.
struct Random(u64);

impl Random {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            bytes.extend_from_slice(&self.0.to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}
