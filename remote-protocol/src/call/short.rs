//! The two messages that most calls consist of, written and read in one go.
//!
//! Their bytes are those of the general encoding, which takes several times as long because it goes through every part for itself. So
//! either way to write a message can be combined with either way to read it, and whatever is not of this kind is left to the general one.

use super::{Call, Outcome, Request, Return, Selector};
use crate::codec::EncodeError;
use crate::id::{CallId, InvocationId, LentId};
use crate::message::{Message, ToChild, ToParent};
use crate::payload::Fingerprint;
use crate::short::{self, payload};

/// A call of a typed method, made outside of functions, whose arguments refer to nothing and have fewer than 128 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortCall<'a> {
    /// What the return will name.
    pub id: CallId,
    /// The object.
    pub object: LentId,
    /// Which of its methods.
    pub method: Fingerprint,
    /// The encoded arguments.
    pub arguments: &'a [u8],
}

impl<'a> ShortCall<'a> {
    /// The call that a message is, if it is a short one.
    #[inline]
    #[must_use]
    pub fn of(message: &'a ToParent<'_>) -> Option<Self> {
        let ToParent::Object(super::ToParent::Call(Call { id, during, request })) = message else { return None };
        Self::new(*id, *during, request)
    }

    /// The call that asks for this, if it is a short one.
    #[inline]
    #[must_use]
    pub fn new(id: CallId, during: Option<InvocationId>, request: &'a Request<'_>) -> Option<Self> {
        match request {
            Request::Method { object, method: Selector::Typed(method), arguments } if during.is_none() => {
                Some(Self { id, object: *object, method: *method, arguments: short::bytes_of(arguments)? })
            }
            _ => None,
        }
    }

    /// Appends the encoding of the message.
    #[inline]
    pub fn write(&self, buffer: &mut Vec<u8>) {
        let [i0, i1, i2, i3] = self.id.0.to_le_bytes();
        let [s0, s1, s2, s3] = self.object.slot.to_le_bytes();
        let [g0, g1, g2, g3] = self.object.generation.to_le_bytes();
        let [m0, m1, m2, m3, m4, m5, m6, m7] = self.method.0.to_le_bytes();
        let head = [
            OBJECT_TO_PARENT,
            CALL,
            i0,
            i1,
            i2,
            i3,
            NOT_IN_A_FUNCTION,
            METHOD,
            s0,
            s1,
            s2,
            s3,
            g0,
            g1,
            g2,
            g3,
            TYPED,
            m0,
            m1,
            m2,
            m3,
            m4,
            m5,
            m6,
            m7,
        ];
        write(&head, self.arguments, buffer);
    }

    /// Reads a message, if it is a short call.
    #[inline]
    #[must_use]
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let (head, rest) = message.split_first_chunk()?;
        let [
            OBJECT_TO_PARENT,
            CALL,
            i0,
            i1,
            i2,
            i3,
            NOT_IN_A_FUNCTION,
            METHOD,
            s0,
            s1,
            s2,
            s3,
            g0,
            g1,
            g2,
            g3,
            TYPED,
            m0,
            m1,
            m2,
            m3,
            m4,
            m5,
            m6,
            m7,
        ] = *head
        else {
            return None;
        };
        let object =
            LentId { slot: u32::from_le_bytes([s0, s1, s2, s3]), generation: u32::from_le_bytes([g0, g1, g2, g3]) };
        let method = Fingerprint(u64::from_le_bytes([m0, m1, m2, m3, m4, m5, m6, m7]));
        Some(Self {
            id: CallId(u32::from_le_bytes([i0, i1, i2, i3])),
            object,
            method,
            arguments: short::read_payload(rest)?,
        })
    }
}

impl Message for ShortCall<'_> {
    #[inline]
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.write(buffer);
        Ok(())
    }
}

impl<'a> From<ShortCall<'a>> for Call<'a> {
    #[inline]
    fn from(call: ShortCall<'a>) -> Self {
        let ShortCall { id, object, method, arguments } = call;
        let request = Request::Method { object, method: Selector::Typed(method), arguments: payload(arguments) };
        Self { id, during: None, request }
    }
}

impl<'a> From<ShortCall<'a>> for ToParent<'a> {
    #[inline]
    fn from(call: ShortCall<'a>) -> Self {
        Self::Object(super::ToParent::Call(call.into()))
    }
}

/// The return of a call that was done, whose result refers to nothing and has fewer than 128 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortReturn<'a> {
    /// The call.
    pub call: CallId,
    /// The encoded result.
    pub result: &'a [u8],
}

impl<'a> ShortReturn<'a> {
    /// The return that a message is, if it is a short one.
    #[inline]
    #[must_use]
    pub fn of(message: &'a ToChild<'_>) -> Option<Self> {
        let ToChild::Object(super::ToChild::Return(answer)) = message else { return None };
        Self::new(answer)
    }

    /// This return, if it is a short one.
    #[inline]
    #[must_use]
    pub fn new(answer: &'a Return<'_>) -> Option<Self> {
        match &answer.outcome {
            Outcome::Done(result) => Some(Self { call: answer.call, result: short::bytes_of(result)? }),
            _ => None,
        }
    }

    /// Appends the encoding of the message.
    #[inline]
    pub fn write(&self, buffer: &mut Vec<u8>) {
        let [c0, c1, c2, c3] = self.call.0.to_le_bytes();
        write(&[OBJECT_TO_CHILD, RETURN, c0, c1, c2, c3, DONE], self.result, buffer);
    }

    /// Reads a message, if it is a short return.
    #[inline]
    #[must_use]
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let (head, rest) = message.split_first_chunk()?;
        let [OBJECT_TO_CHILD, RETURN, c0, c1, c2, c3, DONE] = *head else { return None };
        Some(Self { call: CallId(u32::from_le_bytes([c0, c1, c2, c3])), result: short::read_payload(rest)? })
    }

    /// How the call went.
    #[inline]
    #[must_use]
    pub fn outcome(&self) -> Outcome<'a> {
        Outcome::Done(payload(self.result))
    }
}

impl Message for ShortReturn<'_> {
    #[inline]
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.write(buffer);
        Ok(())
    }
}

impl<'a> From<ShortReturn<'a>> for ToChild<'a> {
    #[inline]
    fn from(answer: ShortReturn<'a>) -> Self {
        Self::Object(super::ToChild::Return(Return { call: answer.call, outcome: answer.outcome() }))
    }
}

/// Appends the head of a message, and its payload.
#[inline]
fn write<const N: usize>(head: &[u8; N], bytes: &[u8], buffer: &mut Vec<u8>) {
    buffer.reserve(N + bytes.len() + short::PAYLOAD_HEAD_BYTES);
    buffer.extend_from_slice(head);
    short::write_payload(bytes, buffer);
}

const OBJECT_TO_PARENT: u8 = 5;
const CALL: u8 = 0;
const NOT_IN_A_FUNCTION: u8 = 0;
const METHOD: u8 = 1;
const TYPED: u8 = 0;
const OBJECT_TO_CHILD: u8 = 8;
const RETURN: u8 = 0;
const DONE: u8 = 0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec;
    use crate::payload::{Payload, Reference};

    const LONG: usize = short::LONG as usize;

    fn call(object: LentId, arguments: Payload<'_>, during: Option<InvocationId>) -> ToParent<'_> {
        let method = Selector::Typed(Fingerprint(u64::MAX - 1));
        let request = Request::Method { object, method, arguments };
        ToParent::Object(super::super::ToParent::Call(Call { id: CallId(7), during, request }))
    }

    proptest! {
        #[test]
        fn both_ways_to_write_and_to_read_are_one(
            id: u32,
            slot: u32,
            generation: u32,
            method: u64,
            bytes in proptest::collection::vec(any::<u8>(), 0..LONG),
        ) {
            let object = LentId { slot, generation };
            let call = ShortCall { id: CallId(id), object, method: Fingerprint(method), arguments: &bytes };
            let message = ToParent::from(call);
            prop_assert_eq!(ShortCall::of(&message), Some(call));
            let (mut short, mut general) = (vec![1], vec![1]);
            call.write(&mut short);
            codec::encode(&message, &mut general).unwrap();
            prop_assert_eq!(&short, &general);
            prop_assert_eq!(ShortCall::read(&short[1..]), Some(call));
            prop_assert_eq!(codec::decode(&short[1..]), Ok(message));

            let answer = ShortReturn { call: CallId(id), result: &bytes };
            let message = ToChild::from(answer);
            prop_assert_eq!(ShortReturn::of(&message), Some(answer));
            let (mut short, mut general) = (vec![1], vec![1]);
            answer.write(&mut short);
            codec::encode(&message, &mut general).unwrap();
            prop_assert_eq!(&short, &general);
            prop_assert_eq!(ShortReturn::read(&short[1..]), Some(answer));
            prop_assert_eq!(codec::decode(&short[1..]), Ok(message));
        }

        /// One byte of a short message is any other: then it is none, or the general decoder reads the same.
        #[test]
        fn what_is_read_as_short_is_read_alike_by_the_general_decoder(
            bytes in proptest::collection::vec(any::<u8>(), 0..8),
            at: prop::sample::Index,
            byte: u8,
            cut: bool,
        ) {
            let object = LentId { slot: 1, generation: 2 };
            let mut message = Vec::new();
            ShortCall { id: CallId(3), object, method: Fingerprint(4), arguments: &bytes }.write(&mut message);
            let at_byte = at.index(message.len());
            if cut { message.truncate(at_byte) } else { message[at_byte] = byte }
            if let Some(call) = ShortCall::read(&message) {
                prop_assert_eq!(codec::decode(&message), Ok(ToParent::from(call)));
            }
            let mut message = Vec::new();
            ShortReturn { call: CallId(3), result: &bytes }.write(&mut message);
            let at_byte = at.index(message.len());
            if cut { message.truncate(at_byte) } else { message[at_byte] = byte }
            if let Some(answer) = ShortReturn::read(&message) {
                prop_assert_eq!(codec::decode(&message), Ok(ToChild::from(answer)));
            }
        }
    }

    #[test]
    fn what_is_long_or_refers_to_something_or_is_made_by_a_function_is_not_short() {
        let object = LentId { slot: 1, generation: 2 };
        let long = vec![0; LONG];
        let reference = Payload { references: vec![Reference::Object(object)], ..payload(&[]) };
        for message in [
            call(object, payload(&long), None),
            call(object, reference.clone(), None),
            call(object, payload(&[]), Some(InvocationId(0))),
        ] {
            assert_eq!(ShortCall::of(&message), None);
            let mut bytes = Vec::new();
            codec::encode(&message, &mut bytes).unwrap();
            assert_eq!(ShortCall::read(&bytes), None);
        }
        for result in [payload(&long), reference] {
            let outcome = Outcome::Done(result);
            let message = ToChild::Object(super::super::ToChild::Return(Return { call: CallId(1), outcome }));
            assert_eq!(ShortReturn::of(&message), None);
            let mut bytes = Vec::new();
            codec::encode(&message, &mut bytes).unwrap();
            assert_eq!(ShortReturn::read(&bytes), None);
        }
    }
}
