//! The methods of an interface and of its supertraits as one list, made by the compiler.

use crate::interface::{Method, MethodKind};

/// The methods of all `lists`, which are `N`. For generated code.
#[must_use]
pub const fn join<const N: usize>(lists: &[&[Method]]) -> [Method; N] {
    let none =
        Method { name: "", interface: "", fingerprint: 0, kind: MethodKind::Method, arguments: &[], returns: "" };
    let mut joined = [none; N];
    let (mut filled, mut list) = (0, 0);
    while list < lists.len() {
        let mut index = 0;
        while index < lists[list].len() {
            joined[filled] = lists[list][index];
            filled += 1;
            index += 1;
        }
        list += 1;
    }
    joined
}

/// Whether no two interfaces declare the same method: a call could only reach one of them. For generated code.
///
/// The same method of the same interface may be there twice, inherited by two ways.
#[must_use]
pub const fn are_distinct(methods: &[Method]) -> bool {
    let mut one = 0;
    while one < methods.len() {
        let mut other = one + 1;
        while other < methods.len() {
            if methods[one].fingerprint == methods[other].fingerprint
                && !same(methods[one].interface, methods[other].interface)
            {
                return false;
            }
            other += 1;
        }
        one += 1;
    }
    true
}

/// `==`, which is not for constants.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut index = 0;
    while index < one.len() && index < other.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    one.len() == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn method(interface: &'static str, fingerprint: u64) -> Method {
        Method { name: "close", interface, fingerprint, kind: MethodKind::Method, arguments: &[], returns: "" }
    }

    #[test]
    fn lists_are_joined_in_their_order() {
        let [one, two, three] = [method("A", 1), method("A", 2), method("B", 3)];
        assert_eq!(join::<3>(&[&[one, two], &[], &[three]]), [one, two, three]);
        assert_eq!(join::<0>(&[]), []);
    }

    #[test]
    fn methods_are_distinct_unless_two_interfaces_declare_one() {
        assert!(are_distinct(&[method("A", 1), method("A", 2), method("B", 3), method("A", 1)]));
        assert!(!are_distinct(&[method("A", 1), method("AB", 1)]));
        assert!(!are_distinct(&[method("A", 1), method("B", 1)]));
    }
}
