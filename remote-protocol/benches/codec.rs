//! Encoding and decoding of what travels most: a call, its return, an event, and a value that describes itself.

use std::borrow::Cow;
use std::hint::black_box;

use criterion::Criterion;
use remote_protocol::call::{self, Call, Outcome, Request, Return, Selector};
use remote_protocol::codec::{self, CowBytes};
use remote_protocol::id::{CallId, LentId, LoaderId};
use remote_protocol::message::{Event, Target, ToChild, ToParent};
use remote_protocol::payload::{Fingerprint, Form, Payload, Reference};
use remote_protocol::value::Value;
use serde::Serialize;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    call(&mut criterion);
    returned(&mut criterion);
    event(&mut criterion);
    value_of_its_own(&mut criterion);
    criterion.final_summary();
}

/// Encodes into a buffer that is used again, as links do.
fn encode(criterion: &mut Criterion, name: &str, value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    criterion.bench_function(&format!("encode {name}"), |bencher| {
        bencher.iter(|| {
            bytes.clear();
            codec::encode(black_box(value), &mut bytes).expect("it can be encoded");
        });
    });
    bytes
}

fn call(criterion: &mut Criterion) {
    let arguments = [1; 9];
    let mut request = |name: &str, references| {
        let arguments = Payload { bytes: CowBytes(Cow::Borrowed(&arguments)), references };
        let request = Request::Method { object: OBJECT, method: Selector::Typed(FINGERPRINT), arguments };
        let message = ToParent::Object(call::ToParent::Call(Call { id: CallId(70_000), during: None, request }));
        let bytes = encode(criterion, name, &message);
        criterion.bench_function(&format!("decode {name}"), |bencher| {
            bencher.iter(|| drop(black_box(codec::decode::<ToParent<'_>>(black_box(&bytes)))));
        });
    };
    request("call", Vec::new());
    request("call with a reference", vec![Reference::Object(OBJECT)]);
}

fn returned(criterion: &mut Criterion) {
    let result = [1; 9];
    let payload = Payload { bytes: CowBytes(Cow::Borrowed(&result)), references: Vec::new() };
    let answer = Return { call: CallId(70_000), outcome: Outcome::Done(payload) };
    let bytes = encode(criterion, "return", &ToChild::Object(call::ToChild::Return(answer)));
    criterion.bench_function("decode return", |bencher| {
        bencher.iter(|| drop(black_box(codec::decode::<ToChild<'_>>(black_box(&bytes)))));
    });
}

fn event(criterion: &mut Criterion) {
    let event = Event {
        loader: LoaderId::FIRST,
        target: Target::Process,
        name: "message-from-remote".into(),
        form: Form::Typed(FINGERPRINT),
        payload: Payload::plain(vec![7; 64]),
    };
    let bytes = encode(criterion, "event", &ToParent::Event(event));
    criterion.bench_function("decode event", |bencher| {
        bencher.iter(|| drop(black_box(codec::decode::<ToParent<'_>>(black_box(&bytes)))));
    });
}

#[derive(Serialize)]
struct Window {
    title: &'static str,
    size: (u32, u32),
    scale: f64,
    parent: Option<u64>,
}

fn value_of_its_own(criterion: &mut Criterion) {
    let window = Window { title: "a window", size: (640, 480), scale: 1.5, parent: None };
    let value = Value::from_serialize(&window).expect("it is a value");
    let bytes = encode(criterion, "value", &value);
    criterion.bench_function("decode value", |bencher| {
        bencher.iter(|| drop(black_box(codec::decode::<Value>(black_box(&bytes)))));
    });
}

const OBJECT: LentId = LentId { slot: 300, generation: 2 };
const FINGERPRINT: Fingerprint = Fingerprint(0x1234_5678_9abc_def0);
