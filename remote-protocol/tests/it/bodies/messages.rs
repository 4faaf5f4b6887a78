//! The decoder of each direction, and what the state machines make of a message.

use remote_protocol::codec;
use remote_protocol::event::{self, Arrived};
use remote_protocol::id::{FrameId, LoaderId, ProcessId};
use remote_protocol::limits::{CALL, Limits};
use remote_protocol::message::{Event, Hello, PROTOCOL_VERSION, Target, ToChild, ToParent, Versions, Welcome};
use remote_protocol::module::ModulePath;
use remote_protocol::payload::Form;
use remote_protocol::sandbox::Report;
use remote_protocol::state::{child, parent};
use remote_protocol::value::Value;
use serde::Serialize;

/// Takes the bytes for what a child says. Gives whether they are a message.
///
/// What was decoded is compared with what is decoded from its own encoding. It can be, although values may hold a NaN,
/// which equals nothing: in a message payloads are bytes, and the message's own numbers are integers.
pub(crate) fn to_parent(bytes: &[u8]) -> bool {
    assert_eq!(ToParent::decode(bytes), codec::decode(bytes));
    let Ok(message) = ToParent::decode(bytes) else { return false };
    let again = encoded(&message, bytes.len());
    assert_eq!(codec::decode::<ToParent<'_>>(&again).as_ref(), Ok(&message));
    for mut session in [parent_starting(), parent_running(), parent_closing()] {
        // What is all right once may be a violation the second time.
        let _ = parent_receives(&mut session, message.clone()) && parent_receives(&mut session, message.clone());
        let frames = session.gone();
        assert!(frames.len() <= 2, "a frame was there, and a message makes one at most: {frames:?}");
    }
    true
}

/// Takes the bytes for what the parent says; otherwise as [`to_parent`].
pub(crate) fn to_child(bytes: &[u8]) -> bool {
    assert_eq!(ToChild::decode(bytes), codec::decode(bytes));
    let Ok(message) = ToChild::decode(bytes) else { return false };
    let again = encoded(&message, bytes.len());
    assert_eq!(codec::decode::<ToChild<'_>>(&again).as_ref(), Ok(&message));
    assert_eq!(message.clone().into_owned(), message);
    for mut session in [child_greeting(), child_running(), child_ended()] {
        let _ = child_receives(&mut session, message.clone()) && child_receives(&mut session, message.clone());
        let _ = session.idle();
    }
    true
}

/// The frame that the sessions below have.
const FRAME: FrameId = FrameId::opened(1);

/// The loader that is being unloaded in those that run.
const UNLOADING: LoaderId = LoaderId(1);

const PROCESS: ProcessId = ProcessId::new(7, 3);

/// What was decoded can be encoded, and does not grow by that: a peer pays for all it makes us keep. Only a duration may, by a byte: one
/// whose nanoseconds are some seconds is read as what it amounts to.
fn encoded<M: Serialize>(message: &M, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(message, &mut bytes).expect("what was decoded can be encoded");
    assert!(bytes.len() <= limit + 1, "{limit} bytes became {}", bytes.len());
    bytes
}

/// Does what a driver does with a message. `false` when it is a violation.
fn parent_receives(session: &mut parent::Session, message: ToParent<'_>) -> bool {
    let Ok(received) = session.receive(message) else { return false };
    match received {
        parent::Received::Event(event) => {
            assert!(event.payload.references.is_empty());
            read(&event);
            let _ = session.handled(event.cost());
        }
        parent::Received::FrameAttached { frame, .. } => assert!(frame.is_from(PROCESS)),
        parent::Received::Unloaded { loader } => assert_eq!(loader, UNLOADING),
        parent::Received::Ready { .. }
        | parent::Received::Refused { .. }
        | parent::Received::FrameDetached { .. }
        | parent::Received::Object(_)
        | parent::Received::Trouble { .. }
        | parent::Received::Acknowledged
        | parent::Received::Nothing => {}
    }
    assert!(session.released().is_none(), "a message is not half of what may be under way");
    assert!(session.releases().is_none() && session.rest(), "nothing was let go of");
    while session.poll().is_some() {}
    true
}

/// Does what a driver does with a message. `false` when it is a violation.
fn child_receives(session: &mut child::Session, message: ToChild<'_>) -> bool {
    let cost = message.cost();
    let Ok(received) = session.receive(message) else { return false };
    match received {
        child::Received::Event(event) => read(&event),
        child::Received::Unload { loader, .. } => drop(session.unloaded(loader)),
        child::Received::CloseFrame { frame } => assert!(session.close_frame(frame).is_some()),
        child::Received::Close => drop(session.end()),
        child::Received::Ready(_) => drop(session.register_frame(true)),
        child::Received::Refused { .. }
        | child::Received::Require { .. }
        | child::Received::FrameOpened { .. }
        | child::Received::Object(_)
        | child::Received::OpenLoader { .. }
        | child::Received::Nothing => {}
    }
    let _ = session.handled(cost);
    true
}

/// Reads a payload as listeners do.
fn read(event: &Event<'_>) {
    let arrived = Arrived::new(event);
    let _ = arrived.payload::<Value>(Form::Dynamic);
    let _ = arrived.payload::<(String, Vec<u8>)>(Form::Dynamic);
    let _ = arrived.payload::<(String, Vec<u8>)>(event.form);
}

fn parent_starting() -> parent::Session {
    let mut session = parent::Session::new(PROCESS, parent::Settings::default());
    for loader in [LoaderId::FIRST, UNLOADING] {
        assert_eq!(session.open_loader(loader), None);
        assert_eq!(session.require(loader, &ModulePath::new("app::remote")), None);
    }
    session
}

fn parent_running() -> parent::Session {
    let mut session = parent_starting();
    let hello = ToParent::Hello(Hello { versions: versions(), pid: PROCESS.pid(), sandbox: Report::default() });
    assert!(parent_receives(&mut session, hello));
    assert!(session.unload(UNLOADING, "upgrade").is_some());
    session.open_frame(FRAME, true).expect("the process is there");
    // Something that can have been handled.
    session.emit(event(Target::Frame(FRAME))).expect("the frame is there");
    session
}

fn parent_closing() -> parent::Session {
    let mut session = parent_running();
    assert_eq!(session.close(), Some(ToChild::Close));
    session
}

fn child_greeting() -> child::Session {
    let mut session = child::Session::new(child::Settings::default());
    session.greet(PROCESS.pid());
    assert!(session.poll().is_some());
    session
}

fn child_running() -> child::Session {
    let mut session = child_greeting();
    let welcome = Welcome { process: PROCESS, remote: true, limits: Limits::new().window(1 << 20), deadline: CALL };
    assert!(child_receives(&mut session, ToChild::Welcome(welcome)));
    assert!(child_receives(&mut session, ToChild::OpenFrame { frame: FRAME, tab: false }));
    assert_eq!(session.admit(&event(Target::Frame(FRAME))), Ok(true));
    session
}

fn child_ended() -> child::Session {
    let mut session = child_running();
    assert_eq!(session.end(), Some(ToParent::Bye));
    session
}

fn versions() -> Versions<'static> {
    Versions { protocol: PROTOCOL_VERSION, application: "".into() }
}

fn event(target: Target) -> Event<'static> {
    let payload = event::encode("changeLocation", Form::Dynamic, "foo", usize::MAX).expect("a text can be sent");
    Event { loader: LoaderId::FIRST, target, name: "changeLocation".into(), form: Form::Dynamic, payload }
}
