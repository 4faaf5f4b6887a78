//! Conditions on the arguments of system calls. The first argument is number 0.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{BackendError, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

/// For each system call the rules of which one has to match; no rules for any call of it.
pub(super) type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// All of these hold.
pub(super) fn all<const N: usize>(conditions: [&SeccompCondition; N]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.map(Clone::clone).to_vec())
}

/// Of the bits of `mask`, the argument has just those of one of `values`.
pub(super) fn any(argument: u8, mask: i32, values: &[i32]) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|value| all([&masked(argument, mask, *value)?])).collect()
}

/// The argument is this.
pub(super) fn is(argument: u8, value: i32) -> Result<SeccompCondition, BackendError> {
    masked(argument, !0, value)
}

/// The argument has none of these bits.
pub(super) fn has_none(argument: u8, flags: i32) -> Result<SeccompCondition, BackendError> {
    masked(argument, flags, 0)
}

/// The argument, a pointer, points nowhere.
pub(super) fn is_missing(argument: u8) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)
}

/// Of the bits of `mask`, the argument has just those of `value`. What the system takes as 32 bits is compared as these.
pub(super) fn masked(argument: u8, mask: i32, value: i32) -> Result<SeccompCondition, BackendError> {
    let bits = |number: i32| u64::from(number.cast_unsigned());
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits(mask)), bits(value))
}
