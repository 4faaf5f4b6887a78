//! The message that most events are, written and read in one go: where every id and every length in it takes one byte.
//!
//! Its bytes are those of the general encoding, which takes several times as long because it goes through every part for itself. So
//! either way to write a message can be combined with either way to read it, and whatever is not of this kind is left to the general one.

use std::borrow::Cow;

use super::{Event, Target};
use crate::id::{FrameId, LoaderId};
use crate::payload::{Fingerprint, Form};
use crate::short::{self, LONG, is_short};

/// An event whose name and payload have fewer than 128 bytes each, on its way to one of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortEvent<'a> {
    /// Whose ports.
    pub loader: LoaderId,
    /// Which port.
    pub target: Target,
    /// The event's name.
    pub name: &'a str,
    /// How its payload is encoded.
    pub form: Form,
    /// The encoded payload.
    pub payload: &'a [u8],
}

impl<'a> ShortEvent<'a> {
    /// This event, if it is a short one.
    #[inline]
    #[must_use]
    pub fn new(event: &'a Event<'_>) -> Option<Self> {
        let Event { loader, target, name, form, payload } = event;
        let has_short_ids = match target {
            Target::Process | Target::Frames => true,
            Target::Frame(frame) => is_short_id(frame.origin()) && is_short_id(frame.number()),
        };
        let payload = short::bytes_of(payload)?;
        let is_short = has_short_ids && is_short_id(loader.0) && is_short(name.len());
        is_short.then_some(Self { loader: *loader, target: *target, name, form: *form, payload })
    }

    /// Appends the encoding of the message, to the child.
    #[inline]
    pub fn write_to_child(&self, buffer: &mut Vec<u8>) {
        self.write(TO_CHILD, buffer);
    }

    /// Appends the encoding of the message, to the parent.
    #[inline]
    pub fn write_to_parent(&self, buffer: &mut Vec<u8>) {
        self.write(TO_PARENT, buffer);
    }

    /// Reads a message to the child, if it is a short event.
    #[inline]
    #[must_use]
    pub fn read_by_child(message: &'a [u8]) -> Option<Self> {
        Self::read(TO_CHILD, message)
    }

    /// Reads a message to the parent, if it is a short event.
    #[inline]
    #[must_use]
    pub fn read_by_parent(message: &'a [u8]) -> Option<Self> {
        Self::read(TO_PARENT, message)
    }

    #[inline]
    fn write(&self, kind: u8, buffer: &mut Vec<u8>) {
        buffer.reserve(HEAD_BYTES + self.name.len() + self.payload.len());
        buffer.extend_from_slice(&[kind, self.loader.0 as u8]);
        match self.target {
            Target::Process => buffer.push(PROCESS),
            Target::Frame(frame) => buffer.extend_from_slice(&[FRAME, frame.origin() as u8, frame.number() as u8]),
            Target::Frames => buffer.push(FRAMES),
        }
        short::write(self.name.as_bytes(), buffer);
        match self.form {
            Form::Dynamic => buffer.push(DYNAMIC),
            Form::Typed(fingerprint) => {
                buffer.push(TYPED);
                buffer.extend_from_slice(&fingerprint.0.to_le_bytes());
            }
        }
        short::write_payload(self.payload, buffer);
    }

    #[inline]
    fn read(kind: u8, message: &'a [u8]) -> Option<Self> {
        let [first, loader @ ..LONG, rest @ ..] = message else { return None };
        if *first != kind {
            return None;
        }
        let (target, rest) = match rest {
            [PROCESS, rest @ ..] => (Target::Process, rest),
            [FRAME, origin @ ..LONG, number @ ..LONG, rest @ ..] => {
                (Target::Frame(FrameId::of(u32::from(*origin), u32::from(*number))), rest)
            }
            [FRAMES, rest @ ..] => (Target::Frames, rest),
            _ => return None,
        };
        let (name, rest) = short::read(rest)?;
        let (form, rest) = match rest {
            [DYNAMIC, rest @ ..] => (Form::Dynamic, rest),
            [TYPED, rest @ ..] => {
                let (fingerprint, rest) = rest.split_first_chunk()?;
                (Form::Typed(Fingerprint(u64::from_le_bytes(*fingerprint))), rest)
            }
            _ => return None,
        };
        let payload = short::read_payload(rest)?;
        let name = str::from_utf8(name).ok()?;
        Some(Self { loader: LoaderId(u32::from(*loader)), target, name, form, payload })
    }
}

impl<'a> From<ShortEvent<'a>> for Event<'a> {
    #[inline]
    fn from(event: ShortEvent<'a>) -> Self {
        let ShortEvent { loader, target, name, form, payload } = event;
        Event { loader, target, name: Cow::Borrowed(name), form, payload: short::payload(payload) }
    }
}

#[inline]
const fn is_short_id(id: u32) -> bool {
    id < LONG as u32
}

const TO_CHILD: u8 = 5;
const TO_PARENT: u8 = 1;
const PROCESS: u8 = 0;
const FRAME: u8 = 1;
const FRAMES: u8 = 2;
const DYNAMIC: u8 = 0;
const TYPED: u8 = 1;

/// What is beside the name and the payload, at most.
const HEAD_BYTES: usize = 17;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec;
    use crate::id::LentId;
    use crate::message::{ToChild, ToParent};
    use crate::payload::{Payload, Reference};

    const TARGETS: [Target; 3] = [Target::Process, Target::Frame(FrameId::of(1, 2)), Target::Frames];
    const FORMS: [Form; 2] = [Form::Dynamic, Form::Typed(Fingerprint(u64::MAX - 1))];

    fn event(name: &str, payload: Payload<'static>, loader: u32, target: Target) -> Event<'static> {
        Event { loader: LoaderId(loader), target, name: name.to_owned().into(), form: Form::Dynamic, payload }
    }

    proptest! {
        #[test]
        fn both_ways_to_write_and_to_read_are_one(
            loader in 0..u32::from(LONG),
            frame in (0..u32::from(LONG), 0..u32::from(LONG)),
            target in 0..TARGETS.len(),
            name in "\\PC{0,31}",
            fingerprint: Option<u64>,
            payload in proptest::collection::vec(any::<u8>(), 0..usize::from(LONG)),
        ) {
            let target = [Target::Process, Target::Frame(FrameId::of(frame.0, frame.1)), Target::Frames][target];
            let form = fingerprint.map_or(Form::Dynamic, |number| Form::Typed(Fingerprint(number)));
            let short = ShortEvent { loader: LoaderId(loader), target, name: &name, form, payload: &payload };
            let event = Event::from(short);
            prop_assert_eq!(ShortEvent::new(&event), Some(short));

            let (mut bytes, mut general) = (vec![1], vec![1]);
            short.write_to_parent(&mut bytes);
            codec::encode(&ToParent::Event(event.clone()), &mut general).unwrap();
            prop_assert_eq!(&bytes, &general);
            prop_assert_eq!(ShortEvent::read_by_parent(&bytes[1..]), Some(short));
            prop_assert_eq!(codec::decode(&bytes[1..]), Ok(ToParent::Event(event.clone())));

            let (mut bytes, mut general) = (vec![1], vec![1]);
            short.write_to_child(&mut bytes);
            codec::encode(&ToChild::Event(event.clone()), &mut general).unwrap();
            prop_assert_eq!(&bytes, &general);
            prop_assert_eq!(ShortEvent::read_by_child(&bytes[1..]), Some(short));
            prop_assert_eq!(codec::decode(&bytes[1..]), Ok(ToChild::Event(event)));
        }

        /// One byte of a short message is any other: then it is none, or the general decoder reads the same.
        #[test]
        fn what_is_read_as_short_is_read_alike_by_the_general_decoder(
            target in proptest::sample::select(&TARGETS[..]),
            form in proptest::sample::select(&FORMS[..]),
            payload in proptest::collection::vec(any::<u8>(), 0..8),
            at: prop::sample::Index,
            byte: u8,
            cut: bool,
        ) {
            let short = ShortEvent { loader: LoaderId(1), target, name: "n\u{e4}me", form, payload: &payload };
            let change = |message: &mut Vec<u8>| {
                let at = at.index(message.len());
                if cut { message.truncate(at) } else { message[at] = byte }
            };
            let mut message = Vec::new();
            short.write_to_parent(&mut message);
            change(&mut message);
            if let Some(event) = ShortEvent::read_by_parent(&message) {
                prop_assert_eq!(codec::decode(&message), Ok(ToParent::Event(event.into())));
            }
            let mut message = Vec::new();
            short.write_to_child(&mut message);
            change(&mut message);
            if let Some(event) = ShortEvent::read_by_child(&message) {
                prop_assert_eq!(codec::decode(&message), Ok(ToChild::Event(event.into())));
            }
        }
    }

    #[test]
    fn what_is_long_or_refers_to_something_is_not_short() {
        let long = u32::from(LONG);
        let empty = || Payload::plain(Vec::new());
        let reference = Reference::Object(LentId { slot: 1, generation: 2 });
        for event in [
            event(&"n".repeat(LONG.into()), empty(), 0, Target::Process),
            event("n", Payload::plain(vec![0; LONG.into()]), 0, Target::Process),
            event("n", Payload { references: vec![reference], ..empty() }, 0, Target::Process),
            event("n", empty(), long, Target::Process),
            event("n", empty(), 0, Target::Frame(FrameId::of(long, 0))),
            event("n", empty(), 0, Target::Frame(FrameId::of(0, long))),
        ] {
            assert_eq!(ShortEvent::new(&event), None);
            let mut bytes = Vec::new();
            codec::encode(&ToParent::Event(event), &mut bytes).unwrap();
            assert_eq!(ShortEvent::read_by_parent(&bytes), None);
        }
    }
}
