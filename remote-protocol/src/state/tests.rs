//! Both state machines against each other, every message through the real codec.

use std::borrow::Cow;

use super::*;
use crate::call::{self, Release};
use crate::codec;
use crate::event;
use crate::id::{FrameId, LentId, LoaderId, ProcessId};
use crate::limits::{Limits, RELEASE_BATCHES};
use crate::message::{Event, Target, ToChild, ToParent};
use crate::module::ModulePath;
use crate::payload::Form;
use crate::releases::Due;
use crate::sandbox::Report;
use crate::service::NotifyError;

/// Two sessions and what is on its way between them.
struct Pair {
    parent: parent::Session,
    child: child::Session,
    to_child: Vec<Vec<u8>>,
    to_parent: Vec<Vec<u8>>,
}

impl Pair {
    fn new(parent: parent::Settings, child: child::Settings) -> Self {
        let mut parent = parent::Session::new(PROCESS, parent);
        assert_eq!(parent.open_loader(LoaderId::FIRST), None);
        Self { parent, child: child::Session::new(child), to_child: Vec::new(), to_parent: Vec::new() }
    }

    fn running() -> Self {
        let mut pair = Self::new(parent::Settings::default(), child::Settings::default());
        pair.greet();
        pair
    }

    fn greet(&mut self) {
        self.child.greet(7);
        let hello = self.child.poll().unwrap();
        self.say(&hello);
        assert_eq!(self.hear(), parent::Received::Ready { sandbox: Report::default() });
        self.poll();
        assert!(matches!(self.child_hear(), child::Received::Ready(_)));
        assert_eq!(self.child_hear(), child::Received::OpenLoader { loader: LoaderId::FIRST });
    }

    fn poll(&mut self) {
        while let Some(message) = self.parent.poll() {
            self.tell(&message);
        }
    }

    fn tell(&mut self, message: &ToChild<'_>) {
        self.to_child.push(encoded(message));
    }

    fn say(&mut self, message: &ToParent<'_>) {
        self.to_parent.push(encoded(message));
    }

    fn hear(&mut self) -> parent::Received<'static> {
        self.try_hear().unwrap()
    }

    fn try_hear(&mut self) -> Result<parent::Received<'static>, Violation> {
        let bytes = self.to_parent.remove(0).leak();
        self.parent.receive(codec::decode(bytes).unwrap())
    }

    fn child_hear(&mut self) -> child::Received<'static> {
        let bytes = self.to_child.remove(0).leak();
        self.child.receive(codec::decode(bytes).unwrap()).unwrap()
    }
}

const PROCESS: ProcessId = ProcessId::new(7, 3);

fn encoded<T: serde::Serialize>(message: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(message, &mut bytes).unwrap();
    bytes
}

fn event(target: Target, name: &'static str, payload: &str) -> Event<'static> {
    let form = Form::Dynamic;
    let payload = event::encode(name, form, payload, usize::MAX).unwrap();
    Event { loader: LoaderId::FIRST, target, name: Cow::Borrowed(name), form, payload }
}

/// A2
#[test]
fn what_is_sent_to_a_starting_child_arrives_in_order_after_the_welcome() {
    let mut pair = Pair::new(parent::Settings::default(), child::Settings::default());
    let module = ModulePath::new("app::remote");
    assert_eq!(pair.parent.require(LoaderId::FIRST, &module), None);
    assert_eq!(pair.parent.emit(event(Target::Process, "first", "1")), Ok(None));
    assert_eq!(pair.parent.require(LoaderId::FIRST, &module), None);
    assert_eq!(pair.parent.close(), None);
    pair.greet();
    let child::Received::Require { module, .. } = pair.child_hear() else { panic!("no require") };
    assert_eq!(module, "app::remote");
    assert_eq!(pair.child_hear(), child::Received::Event(event(Target::Process, "first", "1")));
    assert_eq!(pair.child_hear(), child::Received::Close);
    assert!(pair.to_child.is_empty());
    assert_eq!(pair.parent.emit(event(Target::Process, "late", "2")), Err(NotifyError::Gone));
}

#[test]
fn a_child_of_another_version_is_refused_and_both_sides_know_both_versions() {
    let mut pair = Pair::new(
        parent::Settings { application: "2.0".into(), ..parent::Settings::default() },
        child::Settings { application: "1.0".into(), ..child::Settings::default() },
    );
    pair.child.greet(7);
    let hello = pair.child.poll().unwrap();
    pair.say(&hello);
    let parent::Received::Refused { child, parent } = pair.hear() else { panic!("accepted") };
    assert_eq!((&*child.application, &*parent.application), ("1.0", "2.0"));
    pair.poll();
    assert_eq!(pair.child_hear(), child::Received::Refused { child, parent });
}

/// A10
#[test]
fn frames_of_either_side_are_known_to_both_and_go_once() {
    let mut pair = Pair::running();
    let opened = FrameId::opened(1);
    let message = pair.parent.open_frame(opened, true).unwrap().unwrap();
    pair.tell(&message);
    assert_eq!(pair.child_hear(), child::Received::FrameOpened { frame: opened, tab: true });
    let (registered, message) = pair.child.register_frame(false).unwrap();
    pair.say(&message);
    assert_eq!(pair.hear(), parent::Received::FrameAttached { frame: registered, tab: false });

    // Both close the same frame at once: it goes once on each side.
    let asked = pair.parent.close_frame(opened).unwrap();
    let closed = pair.child.close_frame(opened).unwrap();
    pair.tell(&asked);
    pair.say(&closed);
    assert_eq!(pair.child_hear(), child::Received::Nothing);
    assert_eq!(pair.hear(), parent::Received::FrameDetached { frame: opened });
    assert_eq!(pair.parent.close_frame(opened), None);
    assert_eq!(pair.child.close_frame(opened), None);
    assert_eq!(pair.parent.gone(), [registered]);
}

#[test]
fn an_event_that_crosses_with_the_closing_of_its_frame_is_dropped_and_counted() {
    let mut pair = Pair::running();
    let frame = FrameId::opened(1);
    let open = pair.parent.open_frame(frame, false).unwrap().unwrap();
    let emitted = event(Target::Frame(frame), "e", "x");
    let cost = emitted.cost();
    let emitted = pair.parent.emit(emitted).unwrap().unwrap();
    pair.tell(&open);
    pair.tell(&emitted);
    let _ = pair.child_hear();
    let closed = pair.child.close_frame(frame).unwrap();
    pair.say(&closed);
    assert_eq!(pair.child_hear(), child::Received::Nothing);
    assert_eq!(pair.child.handled(cost), None);
    let handled = pair.child.idle().unwrap();
    pair.say(&handled);
    let _ = pair.hear();
    let before = pair.parent.unhandled();
    assert_eq!(pair.hear(), parent::Received::Nothing);
    assert_eq!((before - pair.parent.unhandled(), pair.parent.progress()), (cost, cost));
}

#[test]
fn what_no_honest_child_says_is_a_violation() {
    let foreign = FrameId::registered(ProcessId::new(7, 9), 1);
    let unknown = FrameId::opened(44);
    let cases: Vec<(ToParent<'static>, &str)> = vec![
        (ToParent::RegisterFrame { frame: foreign, tab: false }, "frame id 10.1 is not free"),
        (ToParent::RegisterFrame { frame: unknown, tab: false }, "frame id 0.44 is not free"),
        (ToParent::FrameClosed { frame: unknown }, "no frame 0.44 in this process"),
        (ToParent::Event(event(Target::Frame(unknown), "e", "x")), "no frame 0.44 in this process"),
        (ToParent::Handled { cost: 65 }, "handled 65 of 64 unhandled bytes"),
        (ToParent::Object(call::ToParent::Released { batches: 1 }), "acknowledged 1 batches of releases, 0 were sent"),
        (ToParent::Event(Event { loader: LoaderId(5), ..event(Target::Process, "e", "x") }), "no loader 5"),
    ];
    for (message, expected) in cases {
        let mut pair = Pair::running();
        pair.say(&message);
        assert_eq!(pair.try_hear().unwrap_err().to_string(), expected);
    }
    let mut pair = Pair::new(parent::Settings::default(), child::Settings::default());
    pair.say(&ToParent::Bye);
    assert_eq!(pair.try_hear().unwrap_err().to_string(), "`Bye` before hello");
}

#[test]
fn emitting_past_the_window_is_refused_until_the_child_has_handled_some() {
    let settings = parent::Settings { limits: Limits::new().window(300), ..parent::Settings::default() };
    let mut pair = Pair::new(settings, child::Settings::default());
    pair.greet();
    let mut sent = 0;
    while let Ok(message) = pair.parent.emit(event(Target::Process, "e", "payload")) {
        pair.tell(&message.unwrap());
        sent += 1;
    }
    assert!((1..10).contains(&sent));
    let child::Received::Event(first) = pair.child_hear() else { panic!("no event") };
    let told = pair.child.handled(first.cost()).or_else(|| pair.child.idle()).unwrap();
    pair.say(&told);
    let _ = pair.hear();
    assert!(pair.parent.emit(event(Target::Process, "e", "payload")).is_ok());
}

/// B7
#[test]
fn releases_that_nobody_acknowledges_are_added_up_and_go_on_when_somebody_does() {
    let mut pair = Pair::running();
    let release = |slot| Release { id: LentId { slot, generation: 0 }, count: 1 };
    let batches = |pair: &mut Pair| {
        let mut batches = 0;
        while let Some(message) = pair.parent.releases() {
            let message = message.into_owned();
            pair.tell(&message);
            batches += 1;
        }
        batches
    };
    let mut sent = 0;
    for slot in 0..3 * RELEASE_BATCHES {
        let _ = pair.parent.release(release(slot));
        sent += batches(&mut pair);
    }
    assert_eq!(sent, RELEASE_BATCHES);
    assert!(pair.parent.rest());
    for _ in 0..RELEASE_BATCHES {
        assert!(matches!(pair.child_hear(), child::Received::Object(call::ToChild::Release(_))));
        if let Some(message) = pair.child.released() {
            pair.say(&message);
        }
    }
    assert_eq!(pair.hear(), parent::Received::Acknowledged);
    assert!(!pair.parent.rest());
    assert_eq!(batches(&mut pair), 1);
    let child::Received::Object(call::ToChild::Release(rest)) = pair.child_hear() else { panic!("no release") };
    assert_eq!(rest.len(), 2 * RELEASE_BATCHES as usize);
    pair.parent.gone();
    assert_eq!(pair.parent.release(release(1)), Due::Later);
    assert!(pair.parent.releases().is_none());
}

/// A18, A19
#[test]
fn a_loader_that_is_unloaded_is_heard_until_it_is_gone_and_not_after() {
    let mut pair = Pair::running();
    let second = LoaderId(1);
    let message = pair.parent.open_loader(second).unwrap();
    pair.tell(&message);
    assert_eq!(pair.child_hear(), child::Received::OpenLoader { loader: second });
    let message = pair.parent.unload(second, "upgrade").unwrap().unwrap();
    pair.tell(&message);
    assert_eq!(pair.parent.unload(second, "again"), None);
    let of_second = || Event { loader: second, ..event(Target::Process, "e", "x") };
    assert_eq!(pair.parent.emit(of_second()), Err(NotifyError::Gone));
    assert!(pair.parent.emit(event(Target::Process, "e", "x")).is_ok());

    // Its last words cross with the request.
    pair.say(&ToParent::Event(of_second()));
    assert!(matches!(pair.hear(), parent::Received::Event(_)));
    assert_eq!(pair.child_hear(), child::Received::Unload { loader: second, reason: "upgrade".into() });
    let unloaded = pair.child.unloaded(second).unwrap();
    pair.say(&unloaded);
    assert_eq!(pair.hear(), parent::Received::Unloaded { loader: second });
    pair.say(&ToParent::Event(of_second()));
    assert_eq!(pair.try_hear().unwrap_err(), Violation::NoSuchLoader(second));
}
