//! The same code over what the targets begin with, what they came to, and both of it changed, in each run otherwise.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{arguments, arguments_seeds, calling, calling_seeds, objects, objects_seeds};

/// Gives how many inputs there are.
fn run_corpus(target: &str, body: fn(&[u8]) -> bool) -> usize {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let inputs = fs::read_dir(corpus).unwrap().map(|input| fs::read(input.unwrap().path()).unwrap());
    inputs.inspect(|input| _ = body(input)).count()
}

#[test]
fn what_the_fuzzers_came_to_does_no_harm() {
    for (name, input) in objects_seeds() {
        assert!(objects(&input), "{name}");
    }
    for (name, input) in arguments_seeds() {
        assert!(arguments(&input), "{name}");
    }
    for (name, input) in calling_seeds() {
        assert!(calling(&input), "{name}");
    }
    // Miri takes an hour for the rest.
    if cfg!(miri) {
        return;
    }
    assert!(run_corpus("objects", objects) > 0);
    assert!(run_corpus("arguments", arguments) > 0);
    assert!(run_corpus("calling", calling) > 0);
}

fn tampered(seeds: Vec<(&'static str, Vec<u8>)>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..4);
    let insertion = prop::collection::vec(any::<u8>(), 0..6);
    (select(seeds.clone()), changes, any::<Index>(), insertion, select(seeds)).prop_map(
        |((_, mut input), changes, at, insertion, (_, other))| {
            for (at, byte) in changes {
                *at.get_mut(&mut input) = byte;
            }
            let at = at.index(input.len() + 1);
            input.splice(at..at, insertion);
            input.extend(other);
            input
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_inputs_do_no_harm(input in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = objects(&input);
        let _ = arguments(&input);
        let _ = calling(&input);
    }

    #[test]
    fn children_that_do_anything_do_no_harm(input in tampered(objects_seeds())) {
        let _ = objects(&input);
    }

    #[test]
    fn parents_that_do_anything_do_no_harm(input in tampered(calling_seeds())) {
        let _ = calling(&input);
    }

    #[test]
    fn arguments_that_are_anything_do_no_harm(input in tampered(arguments_seeds())) {
        let _ = arguments(&input);
    }
}

const CASES: u32 = if cfg!(miri) { 3 } else { 1000 };
