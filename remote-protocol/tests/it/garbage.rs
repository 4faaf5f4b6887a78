//! The bodies of the fuzz targets over inputs that are the same in every run.

use std::fs;
use std::path::Path;

use crate::bodies::{child_session, messages, parent_session, records, value};
use crate::honest;

struct Target {
    /// As in the workspace `fuzz`.
    name: &'static str,
    /// Gives whether the bytes are what the target is about.
    body: fn(&[u8]) -> bool,
    seeds: Seeds,
    /// How many inputs to try that were tampered with.
    cases: usize,
}

/// What is to the liking of a target, and names for it.
type Seeds = Vec<(&'static str, Vec<u8>)>;

fn targets() -> [Target; 6] {
    [
        Target { name: "to_parent", body: messages::to_parent, seeds: honest::to_parent(), cases: 100_000 },
        Target { name: "to_child", body: messages::to_child, seeds: honest::to_child(), cases: 100_000 },
        Target { name: "value", body: value::value, seeds: value::seeds(), cases: 20_000 },
        Target { name: "records", body: records::records, seeds: records::seeds(), cases: 20_000 },
        Target {
            name: "parent_session",
            body: parent_session::parent_session,
            seeds: parent_session::seeds(),
            cases: 20_000,
        },
        Target {
            name: "child_session",
            body: child_session::child_session,
            seeds: child_session::seeds(),
            cases: 20_000,
        },
    ]
}

#[test]
fn honest_inputs_are_what_they_should_be() {
    for Target { name: target, body, seeds, .. } in targets() {
        for (name, seed) in seeds {
            assert!(body(&seed) || name.starts_with("typed-"), "{target}/{name}");
        }
    }
}

#[test]
fn what_the_fuzzers_came_to_does_no_harm() {
    for Target { name, body, .. } in targets() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
        let mut inputs = 0;
        for input in fs::read_dir(corpus).unwrap() {
            body(&fs::read(input.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "no corpus of {name}");
    }
}

#[test]
fn random_bytes_of_any_length_do_no_harm() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::new();
    for Target { body, .. } in targets() {
        for length in (0..SHORT).chain((SHORT..=LONGEST).step_by(31)) {
            for first in [random.below(256), random.below(VARIANTS), random.below(VARIANTS)] {
                bytes.clear();
                bytes.resize_with(length, || random.byte());
                // Few bytes begin anything.
                if let (Some(byte), Ok(first)) = (bytes.first_mut(), u8::try_from(first)) {
                    *byte = first;
                }
                body(&bytes);
            }
        }
    }
}

#[test]
fn honest_inputs_that_were_tampered_with_do_no_harm() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for Target { name, body, seeds, cases } in targets() {
        let mut good = 0;
        for _ in 0..cases {
            let mut bytes = pick(&seeds, &mut random).to_vec();
            for _ in 0..=random.below(3) {
                tamper(&mut bytes, &seeds, &mut random);
            }
            good += usize::from(body(&bytes));
        }
        // Else nothing but the decoder's first steps was tried.
        assert!(good > cases / 20, "{name}: only {good} were still good");
    }
}

fn pick<'a>(honest: &'a [(&'static str, Vec<u8>)], random: &mut Random) -> &'a [u8] {
    &honest[random.below(honest.len())].1
}

/// Changes something.
fn tamper(bytes: &mut Vec<u8>, honest: &[(&'static str, Vec<u8>)], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(7) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.byte()),
        2 => {
            // The end of another message behind the beginning of this one.
            let other = pick(honest, random);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        3 => {
            let piece = bytes[at..].to_vec();
            bytes.extend_from_slice(&piece);
        }
        // A length or id as long as it gets.
        4 => drop(bytes.splice(at..at, [0xff; 9])),
        kind => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = match kind {
                    5 => *byte ^ (1 << random.below(8)),
                    _ => [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                };
            }
        }
    }
}

/// Xorshift, 64 bits: not random at all, which is what a test wants.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }
}

/// Every length up to this, and some up to the longest.
const SHORT: usize = 300;
const LONGEST: usize = 4096;
/// Nothing that begins an input has more variants.
const VARIANTS: usize = 20;
