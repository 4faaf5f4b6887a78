//! The bodies of the fuzz targets over inputs that are the same in every run.

use crate::{bodies, honest};

type Body = fn(&[u8]) -> bool;
/// Messages and their names.
type Honest = Vec<(&'static str, Vec<u8>)>;

#[test]
fn honest_messages_are_messages() {
    for (body, honest) in directions() {
        for (name, message) in honest {
            assert!(body(&message), "{name}");
        }
    }
}

#[test]
fn random_bytes_of_every_length_do_no_harm() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::new();
    for (body, _) in directions() {
        for length in 0..=LONGEST {
            for first in [random.below(256), random.below(VARIANTS), random.below(VARIANTS)] {
                bytes.clear();
                bytes.resize_with(length, || random.byte());
                // Few bytes begin a message.
                if let (Some(byte), Ok(first)) = (bytes.first_mut(), u8::try_from(first)) {
                    *byte = first;
                }
                body(&bytes);
            }
        }
    }
}

#[test]
fn honest_messages_that_were_tampered_with_do_no_harm() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut messages = 0;
    for (body, honest) in directions() {
        for _ in 0..CASES {
            let mut bytes = pick(&honest, &mut random).to_vec();
            for _ in 0..=random.below(3) {
                tamper(&mut bytes, &honest, &mut random);
            }
            messages += usize::from(body(&bytes));
        }
    }
    // Else nothing but the decoder's first steps was tried.
    assert!(messages > CASES / 10, "only {messages} were still messages");
}

fn directions() -> [(Body, Honest); 2] {
    [(bodies::to_parent, honest::to_parent()), (bodies::to_child, honest::to_child())]
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

const LONGEST: usize = 4096;
/// No direction has more kinds of messages.
const VARIANTS: usize = 10;
/// In each direction.
const CASES: usize = 300_000;
