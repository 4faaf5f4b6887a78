//! A log of all messages, as Wayland's `WAYLAND_DEBUG` has it: with `REMOTE_LOG=1` in the environment of the parent, every message to
//! and from every process is a line on standard error: the time in seconds, the process, the direction, the kind, what
//! it is about, and its size. With `REMOTE_LOG=values` what an event carries is there too.

use std::env;
use std::io::{self, Write};
use std::sync::LazyLock;
use std::time::Instant;

use remote_protocol::codec;
use remote_protocol::id::ProcessId;
use remote_protocol::message::{Event, ToChild, ToParent};
use remote_protocol::payload::Form;
use remote_protocol::value::Value;

mod text;

use text::text;

/// Whether there is a log.
pub(crate) fn is_on() -> bool {
    *DETAIL > Detail::Nothing
}

/// A message is about to be sent to a process.
pub(crate) fn sent(process: ProcessId, message: &ToChild<'_>, bytes: usize) {
    if *DETAIL > Detail::Nothing {
        let event = if let ToChild::Event(event) = message { Some(event) } else { None };
        line(process, "->", message.kind(), &message.subject(), bytes, event);
    }
}

/// A message has come from a process.
pub(crate) fn received(process: ProcessId, message: &ToParent<'_>, bytes: usize) {
    if *DETAIL > Detail::Nothing {
        let event = if let ToParent::Event(event) = message { Some(event) } else { None };
        line(process, "<-", message.kind(), &message.subject(), bytes, event);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    Nothing,
    Messages,
    Values,
}

static DETAIL: LazyLock<Detail> = LazyLock::new(|| match env::var("REMOTE_LOG").as_deref() {
    Err(_) | Ok("" | "0") => Detail::Nothing,
    Ok("values") => Detail::Values,
    Ok(_) => Detail::Messages,
});

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn line(process: ProcessId, direction: &str, kind: &str, subject: &str, bytes: usize, event: Option<&Event<'_>>) {
    let seconds = START.elapsed().as_secs_f64();
    let value = match event {
        Some(event) if *DETAIL == Detail::Values => format!(" {}", value(event)),
        _ => String::new(),
    };
    // What a child says of its troubles may have lines of its own, and be long.
    let subject = text::shortened(subject).replace('\n', "\\n");
    // One write, so that lines of several threads do not mix. Who cannot be told is not told.
    let line = format!("[{seconds:12.6}] {process} {direction} {kind} {subject} {bytes} B{value}\n");
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// What an event carries; of one that is typed, only its type could tell.
fn value(event: &Event<'_>) -> String {
    match event.form {
        Form::Typed(_) => "(typed)".to_owned(),
        Form::Dynamic => match codec::decode::<Value>(&event.payload.bytes.0) {
            Ok(value) => text(&value),
            Err(error) => format!("({error})"),
        },
    }
}
