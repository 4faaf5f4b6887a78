//! A child that is none, or not as it should be. Its third argument says in which way.

use std::borrow::Cow;
use std::env;
use std::process::{Command, exit};
use std::thread;
use std::time::Duration;

use remote_protocol::call::{self, Call, Release, Request, Root};
use remote_protocol::codec;
use remote_protocol::id::{CallId, FrameId, LentId, LoaderId, ProcessId};
use remote_protocol::limits::{NAME_BYTES, RECORD_BYTES};
use remote_protocol::message::{Event, Target, ToChild, ToParent};
use remote_protocol::payload::{Form, Payload};
use remote_protocol::value::Value;
use tests::gate::{Report, wait_at};
use tests::raw::Raw;

/// The last piece of a message, of a kind that does not exist.
const GARBAGE: [u8; 4] = [0, 0xff, 0xff, 0xff];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.get(2).map(String::as_str) {
        Some("exits") => exit(7),
        Some("aborts") => std::process::abort(),
        Some("says nothing") => wait_at(&arguments[3]),
        // Another version of the application.
        Some("is newer") => remote_child::Init::new().version("2.0").run(),
        Some("is the same") => remote_child::Init::new().version("1.0").run(),
        // Says what becomes of it when it is of another version.
        Some("tells") => {
            let own = env::current_exe().expect("this program has a path");
            let mut report = Report::at(&arguments[3]);
            let status = Command::new(own).args(&arguments[..2]).arg("is newer").status().expect("it starts");
            report.say(&format!("{:?}", status.code()));
            exit(7);
        }
        // A child like any other, but late.
        Some("waits") => {
            wait_at(&arguments[3]);
            remote_child::init();
        }
        // A hello, and nothing more.
        Some("greets") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.greet("");
            raw.wait_for_the_end();
        }
        // Something that is no message, before hello or after it.
        Some("says garbage") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.say(&GARBAGE);
            raw.wait_for_the_end();
        }
        Some("goes mad") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.greet("1.0");
            raw.say(&GARBAGE);
            raw.wait_for_the_end();
        }
        // A message that is in order, but not now.
        Some("greets twice") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.greet("1.0");
            raw.greet("1.0");
            raw.wait_for_the_end();
        }
        Some(how) => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.greet("");
            misbehave(&mut raw, how);
            raw.wait_for_the_end();
        }
        None => panic!("it is not said in which way to be a misfit"),
    }
}

/// Breaks a rule.
fn misbehave(raw: &mut Raw, how: &str) {
    let process = raw.hear(|message| match message {
        ToChild::Welcome(welcome) => Some(welcome.process),
        _ => None,
    });
    let name = "x".repeat(NAME_BYTES + 1);
    let module = |name| Root::Module(Cow::Borrowed(name));
    let lookup = |root, interface: Option<&str>| {
        let request = Request::Lookup { root, interface: interface.map(|name| name.to_owned().into()) };
        ToParent::Object(call::ToParent::Call(Call { id: CallId(1), during: None, request: request.into_owned() }))
    };
    match how {
        "registers many" => (0..4).for_each(|number| raw.say_message(&register(process, number))),
        "emits a long name" => raw.say_message(&event(&name, 0)),
        "asks for a long name" => raw.say_message(&lookup(module(&name), None)),
        "asks for a long interface" => raw.say_message(&lookup(module("workshop"), Some(&name))),
        "never ends a message" => {
            let piece = [&[1][..], &[7; RECORD_BYTES - 1]].concat();
            for _ in 0..100 {
                raw.say(&piece);
                pace();
            }
        }
        "says what is no record" => raw.say(&[9, 1, 2]),
        // More than the parent may keep, but not faster than it takes it in.
        "floods with events" => (0..10_000).for_each(|_| {
            raw.say_message(&event("flood", RECORD_BYTES / 2));
            pace();
        }),
        "floods with frames" => (0..1_000_000).for_each(|number| {
            raw.say_message(&register(process, number));
            raw.say_message(&ToParent::FrameClosed { frame: FrameId::registered(process, number) });
            if number % 1000 == 0 {
                pace();
            }
        }),
        "floods with releases" => (0..10_000).for_each(|_| {
            let releases = vec![Release { id: LentId { slot: u32::MAX, generation: u32::MAX }, count: 1 }; 1024];
            raw.say_message(&ToParent::Object(call::ToParent::Release(releases.into())));
            pace();
        }),
        other => panic!("{other} is no way to be a misfit"),
    }
}

fn register(process: ProcessId, number: u32) -> ToParent<'static> {
    ToParent::RegisterFrame { frame: FrameId::registered(process, number), tab: false }
}

fn event(name: &str, bytes: usize) -> ToParent<'static> {
    let value = encode(&Value::Bytes(vec![7; bytes]));
    ToParent::Event(Event {
        loader: LoaderId::FIRST,
        target: Target::Process,
        name: name.to_owned().into(),
        form: Form::Dynamic,
        payload: Payload::plain(value),
    })
}

/// Lets the parent take in what was said.
fn pace() {
    thread::sleep(Duration::from_millis(1));
}

fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &mut bytes).expect("it can be encoded");
    bytes
}
