//! Inputs that are scripts: steps, one after the other, as postcard encodes them.

use serde::{Deserialize, Serialize};

/// The next thing that the bytes say. What says nothing is skipped, so that few changes of an input change all of it.
pub(crate) fn next<'a, T: Deserialize<'a>>(bytes: &mut &'a [u8]) -> Option<T> {
    while let [_, skipped @ ..] = *bytes {
        let Ok((step, rest)) = postcard::take_from_bytes(bytes) else {
            *bytes = skipped;
            continue;
        };
        *bytes = rest;
        return Some(step);
    }
    None
}

/// The input that begins with this and has these steps.
pub(crate) fn script<S: Serialize>(settings: &impl Serialize, steps: &[S]) -> Vec<u8> {
    let mut bytes = postcard::to_allocvec(settings).expect("it can be encoded");
    for step in steps {
        bytes.extend(postcard::to_allocvec(step).expect("it can be encoded"));
    }
    bytes
}
