//! What the messages that are written and read in one go have in common: numbers of one byte, and payloads that refer to nothing.
//!
//! The bytes are those of the general encoding.

use std::borrow::Cow;

use crate::codec::CowBytes;
use crate::payload::Payload;

/// From here on a number takes more than one byte.
pub(crate) const LONG: u8 = 128;

/// What a payload takes beside its bytes.
pub(crate) const PAYLOAD_HEAD_BYTES: usize = 2;

/// Whether a length takes one byte.
#[inline]
pub(crate) const fn is_short(length: usize) -> bool {
    length < LONG as usize
}

/// The bytes of a payload, if it is a short one that refers to nothing.
#[inline]
pub(crate) fn bytes_of<'a>(payload: &'a Payload<'_>) -> Option<&'a [u8]> {
    let bytes = &*payload.bytes.0;
    (payload.references.is_empty() && is_short(bytes.len())).then_some(bytes)
}

/// A payload that refers to nothing.
#[inline]
pub(crate) const fn payload(bytes: &[u8]) -> Payload<'_> {
    Payload { bytes: CowBytes(Cow::Borrowed(bytes)), references: Vec::new() }
}

/// Appends bytes behind their length, which [`is_short`].
#[inline]
pub(crate) fn write(bytes: &[u8], buffer: &mut Vec<u8>) {
    buffer.push(bytes.len() as u8);
    buffer.extend_from_slice(bytes);
}

/// Appends a payload that refers to nothing.
#[inline]
pub(crate) fn write_payload(bytes: &[u8], buffer: &mut Vec<u8>) {
    write(bytes, buffer);
    buffer.push(NO_REFERENCES);
}

/// Splits off bytes behind their length.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length @ ..LONG, rest) = bytes.split_first()? else { return None };
    rest.split_at_checked(usize::from(*length))
}

/// The bytes of a payload that refers to nothing, and is all that is left.
#[inline]
pub(crate) fn read_payload(rest: &[u8]) -> Option<&[u8]> {
    let (bytes, [NO_REFERENCES]) = read(rest)? else { return None };
    Some(bytes)
}

const NO_REFERENCES: u8 = 0;
