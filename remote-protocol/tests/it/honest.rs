//! Messages that honest peers say: at least one of each kind, as bytes, with a name for each. The workspace `fuzz` takes
//! this file by its path, too, for its first inputs.

use std::collections::BTreeMap;
use std::time::Duration;

use remote_protocol::call::{
    self, Access, Call, CallError, FunctionResult, Invoke, Outcome, Release, Report, Request, Return, Root, Run,
    Selector,
};
use remote_protocol::codec::{self, CowBytes};
use remote_protocol::event::{self, PayloadError};
use remote_protocol::id::{CallId, FrameId, InvocationId, LentId, LoaderId, ProcessId};
use remote_protocol::limits::{CALL, Limits};
use remote_protocol::message::{Event, Hello, PROTOCOL_VERSION, Target, ToChild, ToParent, Trouble, Versions, Welcome};
use remote_protocol::payload::{Encoding, Fingerprint, Form, Location, Payload, Reference};
use remote_protocol::sandbox::{self, Layer, State};
use remote_protocol::value::Value;
use serde::Serialize;

/// What a child says.
pub(crate) fn to_parent() -> Vec<(&'static str, Vec<u8>)> {
    let frame = FrameId::registered(PROCESS, 1);
    let call = |request| ToParent::Object(call::ToParent::Call(Call { id: CallId(300), during: None, request }));
    let result = |outcome| ToParent::Object(call::ToParent::Result(FunctionResult { invocation: INVOCATION, outcome }));
    let by_name = |name: &'static str, access| Selector::Named { name: name.into(), access };
    let method = |selector, arguments| call(Request::Method { object: OBJECT, method: selector, arguments });
    let mut named: Vec<(&'static str, ToParent<'static>)> = vec![
        ("hello", ToParent::Hello(Hello { versions: versions(""), pid: 7, sandbox: sandbox::Report::default() })),
        ("hello-other-version", ToParent::Hello(Hello { versions: versions("2.0"), pid: u32::MAX, sandbox: walls() })),
        ("register-frame", ToParent::RegisterFrame { frame, tab: true }),
        ("register-foreign-frame", ToParent::RegisterFrame { frame: FRAME, tab: false }),
        ("frame-closed", ToParent::FrameClosed { frame: FRAME }),
        ("event-typed", ToParent::Event(Event { form: Form::Typed(Fingerprint::of("ping")), ..text(Target::Process) })),
        ("event-other-loader", ToParent::Event(Event { loader: LoaderId(5), ..text(Target::Process) })),
        ("lookup", call(Request::Lookup { root: Root::Module("greeter".into()), interface: Some("Greeter".into()) })),
        ("lookup-global", call(Request::Lookup { root: Root::Global("settings".into()), interface: None })),
        ("lookup-process", call(Request::Lookup { root: Root::Process, interface: Some("Main".into()) })),
        ("lookup-window", call(Request::Lookup { root: Root::CurrentWindow(FRAME), interface: None })),
        ("lookup-contents", call(Request::Lookup { root: Root::CurrentWebContents(frame), interface: None })),
        ("call", method(Selector::Typed(Fingerprint::of("greet")), bytes(&("World", 7_u32)))),
        ("call-with-references", method(Selector::Typed(Fingerprint(u64::MAX)), references())),
        ("read", call(Request::Read { buffer: OBJECT, offset: 1 << 20, length: 300 })),
        ("share", call(Request::Share { buffer: OBJECT })),
        ("call-named", method(by_name("greet", Access::Call), bytes(&value()))),
        ("get-named", method(by_name("title", Access::Get), bytes(&Value::Null))),
        ("set-named", method(by_name("title", Access::Set), references())),
        ("construct", method(by_name("", Access::Construct), bytes(&value()))),
        ("members", method(by_name("", Access::Members), bytes(&Value::Null))),
        ("release", ToParent::Object(call::ToParent::Release(vec![Release { id: OBJECT, count: 2 }].into()))),
        ("release-many", ToParent::Object(call::ToParent::Release(releases().into()))),
        ("released", ToParent::Object(call::ToParent::Released { batches: 1 })),
        ("released-too-much", ToParent::Object(call::ToParent::Released { batches: u32::MAX })),
        ("revoked", ToParent::Object(call::ToParent::Revoked { callbacks: vec![OBJECT] })),
        (
            "call-of-function",
            ToParent::Object(call::ToParent::Call(Call {
                id: CallId(301),
                during: Some(INVOCATION),
                request: Request::Lookup { root: Root::Module("greeter".into()), interface: None },
            })),
        ),
        ("result", result(Outcome::Done(references()))),
        ("result-refused", result(Outcome::Refused(Box::new(CallError::NoSuchFunction { function: "f".into() })))),
        ("cancel", ToParent::Object(call::ToParent::Cancel { call: CallId(300) })),
        ("handled", ToParent::Handled { cost: 72 }),
        ("handled-too-much", ToParent::Handled { cost: u64::MAX }),
        ("unloaded", ToParent::Unloaded { loader: LoaderId(1) }),
        ("bye", ToParent::Bye),
    ];
    named.extend(events().map(|(name, event)| (name, ToParent::Event(event))));
    named.extend(troubles().map(|(name, trouble)| (name, ToParent::Trouble { loader: LoaderId::FIRST, trouble })));
    named.into_iter().map(|(name, message)| (name, encoded(&message))).collect()
}

/// What the parent says.
pub(crate) fn to_child() -> Vec<(&'static str, Vec<u8>)> {
    let object = ToChild::Object;
    let answer = |outcome| ToChild::Object(call::ToChild::Return(Return { call: CallId(300), outcome }));
    let report = Report {
        kind: "ParseIntError".into(),
        message: "invalid digit found in string".into(),
        causes: vec!["one".into(), "another".into()],
        method: "parse".into(),
    };
    let failed = Outcome::Failed { report: Box::new(report.clone()), error: bytes(&"x") };
    let run =
        |form, argument| object(call::ToChild::Run(Run { invocation: INVOCATION, function: OBJECT, form, argument }));
    let invoke = |form, argument| object(call::ToChild::Invoke(Invoke { callback: OBJECT, form, argument }));
    let mut named: Vec<(&'static str, ToChild<'static>)> = vec![
        (
            "welcome",
            ToChild::Welcome(Welcome { process: PROCESS, remote: true, limits: Limits::new(), deadline: CALL }),
        ),
        (
            "welcome-hosted",
            ToChild::Welcome(Welcome {
                process: PROCESS,
                remote: false,
                limits: Limits::new().window(u64::MAX),
                deadline: CALL,
            }),
        ),
        ("refuse", ToChild::Refuse(versions("2.0"))),
        ("open-loader", ToChild::OpenLoader { loader: LoaderId::FIRST }),
        ("unload", ToChild::Unload { loader: LoaderId::FIRST, reason: "upgrade".into() }),
        ("require", ToChild::Require { loader: LoaderId::FIRST, module: "app::documents::remote".into() }),
        ("open-frame", ToChild::OpenFrame { frame: FrameId::opened(2), tab: true }),
        ("close-frame", ToChild::CloseFrame { frame: FRAME }),
        ("return", answer(Outcome::Done(bytes(&"Hello, World!")))),
        ("return-with-references", answer(Outcome::Done(references()))),
        ("return-failed", answer(failed)),
        ("invoke", invoke(Encoding::Typed, bytes(&(800_u32, 600_u32)))),
        ("invoke-dynamic", invoke(Encoding::Dynamic, bytes(&value()))),
        ("invoke-with-references", invoke(Encoding::Typed, references())),
        ("run", run(Encoding::Typed, bytes(&3_i64))),
        ("run-dynamic", run(Encoding::Dynamic, bytes(&value()))),
        ("run-with-references", run(Encoding::Typed, references())),
        ("release", object(call::ToChild::Release(vec![Release { id: OBJECT, count: 1 }].into()))),
        ("release-many", object(call::ToChild::Release(releases().into()))),
        ("released", object(call::ToChild::Released { batches: 32 })),
        ("handled", ToChild::Handled { cost: 72 }),
        ("close", ToChild::Close),
    ];
    named.extend(events().map(|(name, event)| (name, ToChild::Event(event))));
    named.extend(call_errors(report).map(|(name, error)| (name, answer(Outcome::Refused(Box::new(error))))));
    named.into_iter().map(|(name, message)| (name, encoded(&message))).collect()
}

fn events() -> impl Iterator<Item = (&'static str, Event<'static>)> {
    [
        ("event", text(Target::Process)),
        ("event-frame", text(Target::Frame(FRAME))),
        ("event-frames", text(Target::Frames)),
        ("event-unit", event(Target::Process, &())),
        ("event-tuple", event(Target::Process, &(1_u8, -2_i64, "three", [4.5_f64, f64::NAN]))),
        ("event-value", event(Target::Process, &value())),
        ("event-long", event(Target::Process, &"long ".repeat(100))),
    ]
    .into_iter()
}

fn troubles() -> impl Iterator<Item = (&'static str, Trouble)> {
    let module = || "app::remote".to_owned();
    let mismatch = PayloadError::Mismatch { event: "e".into(), expected: "u32".into(), reason: "found a map".into() };
    [
        ("trouble-module", Trouble::UnknownModule { module: module() }),
        ("trouble-failed", Trouble::ModuleFailed { module: module(), message: "no such file".into() }),
        ("trouble-payload", Trouble::Payload(mismatch)),
        ("trouble-panic", Trouble::ListenerPanicked { event: "e".into(), message: "it is 3".into() }),
        ("trouble-callback", Trouble::CallbackFailed { made_at: "src/remote.rs:1:2".into(), message: "no".into() }),
    ]
    .into_iter()
}

fn call_errors(report: Report) -> impl Iterator<Item = (&'static str, CallError)> {
    let method = || "greet".to_owned();
    let waits = "thread main waits for the function made at src/remote.rs:1:2 in process 7".into();
    let deadline = CallError::Deadline { method: method(), after: Duration::new(30, 999_999_999), waits };
    let wrong = CallError::WrongInterface { root: "module `a`".into(), expected: "B".into(), found: "C".into() };
    [
        ("refused-export", CallError::NoSuchExport { root: "module `greeter`".into() }),
        ("refused-denied", CallError::Denied { root: "module `fs`".into(), rule: "no files".into() }),
        ("refused-frame", CallError::NoFrame { asked: "current window".into() }),
        ("refused-interface", wrong),
        ("refused-object", CallError::NoSuchObject { id: "4#1".into(), method: method() }),
        ("refused-method", CallError::NoSuchMethod { interface: "Greeter".into(), method: method() }),
        ("refused-member", CallError::NoSuchMember { interface: "Greeter".into(), member: "method `grete`".into() }),
        ("refused-arguments", CallError::Arguments { method: method(), reason: "expected a text".into() }),
        ("refused-range", CallError::Range { start: 4, end: u64::MAX, length: 6 }),
        ("refused-failed", CallError::Failed(report)),
        (
            "refused-panicked",
            CallError::Panicked {
                method: method(),
                message: "it is 3".into(),
                location: Some("src/main.rs:3:5".into()),
            },
        ),
        ("refused-busy", CallError::Busy { method: method(), reason: "64 functions".into() }),
        ("refused-too-deep", CallError::TooDeep { function: "function made at a:1:2".into(), limit: 16 }),
        ("refused-function", CallError::NoSuchFunction { function: "function 4#1".into() }),
        ("refused-unanswered", CallError::Unanswered { method: method() }),
        ("refused-deadline", deadline),
    ]
    .into_iter()
}

fn text(target: Target) -> Event<'static> {
    event(target, "foo")
}

fn event<P: Serialize + ?Sized>(target: Target, payload: &P) -> Event<'static> {
    let form = Form::Dynamic;
    let payload = event::encode("changeLocation", form, payload, usize::MAX).expect("it can be sent");
    Event { loader: LoaderId::FIRST, target, name: "changeLocation".into(), form, payload }
}

fn value() -> Value {
    let map: BTreeMap<&str, (Option<bool>, Vec<u64>)> =
        BTreeMap::from([("a", (None, vec![u64::MAX])), ("ü", (Some(true), Vec::new()))]);
    Value::from_serialize(&map).expect("it is a value")
}

fn references() -> Payload<'static> {
    let made_at = Location { file: "src/remote.rs".into(), line: 12, column: 9 };
    let described = Reference::ObjectOf { id: OBJECT, interfaces: vec!["Greeter".into(), "Speaker".into()] };
    let references = vec![
        Reference::Object(OBJECT),
        Reference::Callback { id: OBJECT, frame: None, made_at: made_at.clone() },
        Reference::Function { id: OBJECT, frame: Some(FRAME), made_at: made_at.clone() },
        Reference::Returning { result: bytes(&42_u32).bytes, made_at },
        described,
        Reference::Buffer { id: OBJECT, length: 1 << 40, copy: None, place: Some(1 << 16) },
        Reference::Buffer { id: OBJECT, length: 3, copy: Some(CowBytes(b"PNG".into())), place: None },
    ];
    Payload { references, ..bytes(&[0_u32, 1, 2, 3, 4, 5, 6]) }
}

fn walls() -> sandbox::Report {
    let states = [
        State::Enforced,
        State::Partly { missing: "threads".into() },
        State::NotAvailable { reason: "not there".into() },
    ];
    Layer::ALL.into_iter().zip(states.into_iter().cycle()).collect()
}

fn releases() -> Vec<Release> {
    (0..300).map(|slot| Release { id: LentId { slot, generation: slot % 3 }, count: slot * slot }).collect()
}

fn bytes<T: Serialize + ?Sized>(value: &T) -> Payload<'static> {
    Payload::plain(encoded(value))
}

fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &mut bytes).expect("it can be encoded");
    bytes
}

fn versions(application: &'static str) -> Versions<'static> {
    Versions { protocol: PROTOCOL_VERSION, application: application.into() }
}

/// As the sessions have them that the messages are said to.
const PROCESS: ProcessId = ProcessId::new(7, 3);
const FRAME: FrameId = FrameId::opened(1);
const INVOCATION: InvocationId = InvocationId(70_000);
const OBJECT: LentId = LentId { slot: 4, generation: 1 };
