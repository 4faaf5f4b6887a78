//! Values as they are written in source code.

use serde::Serialize;

use crate::value::Value;

/// Writes a [`Value`] much as JSON would have it.
///
/// Anything that serde can serialize may stand where a value can, also as a key, which has to be a string, or become one by
/// `Into<String>`.
///
/// ```
/// use remote_protocol::value::{Value, value};
///
/// let width = 800;
/// let options = value!({ "width": width, "tags": ["new", null, -1.5], "frame": { "visible": true } });
/// assert_eq!(options.get("width"), Some(&Value::I64(800)));
/// assert_eq!(options.get("tags").and_then(Value::as_list).map(<[Value]>::len), Some(3));
/// assert_eq!(value!(null), Value::Null);
/// ```
///
/// A value holds no objects or callbacks: those are arguments of their own, or fields of a struct that is `Serialize` and is an argument.
///
/// # Panics
///
/// If an expression in it cannot become a value, as [`Value::from_serialize`] says.
#[doc(hidden)]
#[macro_export]
macro_rules! __value {
    // The elements of a list: those that are finished in brackets, and the rest.
    (@list [$($done:expr,)*]) => { ::std::vec![$($done,)*] };
    (@list [$($done:expr,)*] null $(, $($rest:tt)*)?) => {
        $crate::__value!(@list [$($done,)* $crate::__value!(null),] $($($rest)*)?)
    };
    (@list [$($done:expr,)*] [$($list:tt)*] $(, $($rest:tt)*)?) => {
        $crate::__value!(@list [$($done,)* $crate::__value!([$($list)*]),] $($($rest)*)?)
    };
    (@list [$($done:expr,)*] {$($map:tt)*} $(, $($rest:tt)*)?) => {
        $crate::__value!(@list [$($done,)* $crate::__value!({$($map)*}),] $($($rest)*)?)
    };
    (@list [$($done:expr,)*] $next:expr $(, $($rest:tt)*)?) => {
        $crate::__value!(@list [$($done,)* $crate::__value!($next),] $($($rest)*)?)
    };

    // The entries of a map, likewise.
    (@map [$($done:expr,)*]) => { ::std::vec![$($done,)*] };
    (@map [$($done:expr,)*] $key:tt : null $(, $($rest:tt)*)?) => {
        $crate::__value!(@map [$($done,)* ($crate::__value!(@key $key), $crate::__value!(null)),] $($($rest)*)?)
    };
    (@map [$($done:expr,)*] $key:tt : [$($list:tt)*] $(, $($rest:tt)*)?) => {
        $crate::__value!(@map [$($done,)* ($crate::__value!(@key $key), $crate::__value!([$($list)*])),] $($($rest)*)?)
    };
    (@map [$($done:expr,)*] $key:tt : {$($map:tt)*} $(, $($rest:tt)*)?) => {
        $crate::__value!(@map [$($done,)* ($crate::__value!(@key $key), $crate::__value!({$($map)*})),] $($($rest)*)?)
    };
    (@map [$($done:expr,)*] $key:tt : $value:expr $(, $($rest:tt)*)?) => {
        $crate::__value!(@map [$($done,)* ($crate::__value!(@key $key), $crate::__value!($value)),] $($($rest)*)?)
    };
    (@key $key:expr) => { ::std::string::String::from($key) };

    (null) => { $crate::value::Value::Null };
    ([$($list:tt)*]) => { $crate::value::Value::List($crate::__value!(@list [] $($list)*)) };
    ({$($map:tt)*}) => { $crate::value::Value::Map($crate::__value!(@map [] $($map)*)) };
    ($value:expr) => { $crate::value::of(&$value) };
}

/// The value of an expression in [`value!`](crate::value::value).
#[doc(hidden)]
#[track_caller]
#[expect(clippy::panic, reason = "it is documented, and nothing that a peer sends comes here")]
pub fn of<T: Serialize + ?Sized>(value: &T) -> Value {
    match Value::from_serialize(value) {
        Ok(value) => value,
        Err(error) => panic!("a `{}` is no value: {error}", std::any::type_name::<T>()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::value::{Value, value};

    /// B4: what is written is what is sent.
    #[test]
    fn what_is_written_is_what_there_is() {
        assert_eq!(value!(null), Value::Null);
        assert_eq!(value!(true), Value::Bool(true));
        assert_eq!(value!(-1), Value::I64(-1));
        assert_eq!(value!(u64::MAX), Value::U64(u64::MAX));
        assert_eq!(value!("text"), Value::String("text".into()));
        assert_eq!(value!([]), Value::List(vec![]));
        assert_eq!(value!({}), Value::Map(vec![]));
        assert_eq!(value!(vec![1_u8, 2]), Value::Bytes(vec![1, 2]));
        assert_eq!(value!([1_u8, 2]), Value::List(vec![Value::I64(1), Value::I64(2)]));
        assert!(matches!(value!(-0.0), Value::F64(zero) if zero.is_sign_negative()));
        assert!(matches!(value!(f64::NAN), Value::F64(nan) if nan.is_nan()));
    }

    #[test]
    fn lists_and_maps_nest_and_may_end_with_a_comma() {
        let written = value!({
            "list": [1, [], { "inner": null }, null,],
            "map": { "a": {}, "b": [true] },
            "none": null,
        });
        let inner = Value::Map(vec![("inner".into(), Value::Null)]);
        let list = Value::List(vec![Value::I64(1), Value::List(vec![]), inner, Value::Null]);
        let b = Value::List(vec![Value::Bool(true)]);
        let map = Value::Map(vec![("a".into(), Value::Map(vec![])), ("b".into(), b)]);
        let expected = vec![("list".into(), list), ("map".into(), map), ("none".into(), Value::Null)];
        assert_eq!(written, Value::Map(expected));
    }

    #[test]
    fn expressions_may_stand_anywhere() {
        let (key, numbers) = ("key".to_owned(), [1_i64, 2]);
        let map = BTreeMap::from([("one", Some(1)), ("none", None)]);
        let written =
            value!({ (key.clone()): numbers.iter().sum::<i64>() + 1, "map": map, "list": [numbers[0] - 3, key.len()] });
        assert_eq!(written.get("key"), Some(&Value::I64(4)));
        assert_eq!(written.get("map"), Some(&value!({ "none": null, "one": 1 })));
        assert_eq!(written.get("list"), Some(&value!([-2, 3])));
        let nested = value!({ "inner": written });
        assert_eq!(nested.get("inner"), Some(&written));
        assert_eq!(value!(Some(7)), value!(7));
        assert_eq!(value!((1, "two")), value!([1, "two"]));
    }

    #[test]
    fn what_is_no_value_panics_and_says_why() {
        let panic = std::panic::catch_unwind(|| value!([u128::MAX])).unwrap_err();
        let text = panic.downcast_ref::<String>().expect("a text");
        assert!(text.contains("u128") && text.contains("expected an integer"), "{text}");
    }
}
