//! What the fuzz targets `objects`, `arguments` and `calling` do with their input: an application that uses everything, and a child, or
//! a parent, that says anything.
//!
//! The workspace `fuzz` gets here by the feature `__fuzz`, which is for nobody else.

mod arguments;
mod calling;
mod child;
mod objects;
mod parent;

#[cfg(test)]
mod tests;

pub use self::arguments::{arguments, arguments_seeds};
pub use self::calling::{calling, calling_seeds};
pub use self::objects::{objects, objects_seeds};

use serde::{Deserialize, Serialize};

/// The next thing that the bytes say. What says nothing is skipped, so that few changes of an input change all of it.
fn next<'a, T: Deserialize<'a>>(bytes: &mut &'a [u8]) -> Option<T> {
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

/// The input that says these things.
fn script<S: Serialize>(steps: &[S]) -> Vec<u8> {
    steps.iter().flat_map(|step| postcard::to_allocvec(step).expect("it can be encoded")).collect()
}
