//! What the macro refuses, and what it says.

/// The texts are the compiler's in part, so that they are compared with one version of it.
#[test]
fn interfaces_that_cannot_be_are_refused_at_the_right_place() {
    trybuild::TestCases::new().compile_fail("macros/tests/ui/*.rs");
}
