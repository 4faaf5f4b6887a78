//! Scripts for the ring that are the same in every run, what the fuzz target `ring` came to, and some that are not.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::scripted;

#[test]
fn what_the_fuzzer_came_to_does_no_harm() {
    for (name, script) in scripted::seeds() {
        assert!(scripted::ring(&script), "{name}");
    }
    // Miri takes an hour for the rest.
    if cfg!(miri) {
        return;
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/ring");
    for script in fs::read_dir(corpus).unwrap() {
        scripted::ring(&fs::read(script.unwrap().path()).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300 / super::LESS as u32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_scripts_do_no_harm(script in prop::collection::vec(any::<u8>(), 0..200)) {
        scripted::ring(&script);
    }

    #[test]
    fn scripts_that_were_tampered_with_do_no_harm(
        (_, mut script) in select(scripted::seeds()),
        (_, other) in select(scripted::seeds()),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        cut in any::<Index>(),
    ) {
        for (at, byte) in changes {
            *at.get_mut(&mut script) = byte;
        }
        script.truncate(cut.index(script.len() + 1));
        script.extend(other.get(1..).unwrap_or_default());
        scripted::ring(&script);
    }
}
