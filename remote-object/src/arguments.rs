//! Arguments that come as one list of values, read one by one, so that an error says which of them is wrong.

use remote_protocol::value::{Value, ValueError};
use serde::de::{DeserializeSeed, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

/// Reads a tuple of arguments, each described as `name: Type` or `Type` alone.
pub(crate) fn read<'de, A: Deserialize<'de>, D: AsRef<str>>(described: &[D], value: &'de Value) -> Result<A, String> {
    let values = match value {
        Value::Null => &[],
        Value::List(values) => values.as_slice(),
        other => return Err(format!("expected the arguments as a tuple or a list, found {other}")),
    };
    if values.len() != described.len() {
        return Err(format!("expected {}, found {}", list(described), values.len()));
    }
    A::deserialize(Arguments { described, values, read: 0 }).map_err(|error| error.to_string())
}

fn list<D: AsRef<str>>(described: &[D]) -> String {
    let names: Vec<_> = described.iter().map(|argument| format!("`{}`", argument.as_ref())).collect();
    match names.as_slice() {
        [] => "no arguments".to_owned(),
        [one] => format!("1 argument ({one})"),
        several => format!("{} arguments ({})", several.len(), several.join(", ")),
    }
}

struct Arguments<'a, 'de, D> {
    described: &'a [D],
    values: &'de [Value],
    read: usize,
}

impl<'de, D: AsRef<str>> Deserializer<'de> for Arguments<'_, 'de, D> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_seq(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, D: AsRef<str>> SeqAccess<'de> for Arguments<'_, 'de, D> {
    type Error = ValueError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ValueError> {
        let Some((value, rest)) = self.values.split_first() else { return Ok(None) };
        let described = self.described.get(self.read).map_or("", |described| described.as_ref());
        self.values = rest;
        self.read += 1;
        value.to_seed(seed).map(Some).map_err(|error| {
            // The type alone names nothing.
            let name = described.split_once(": ").map_or(String::new(), |(name, _)| format!(" (`{name}`)"));
            ValueError::custom(format_args!("argument {}{name}: {error}", self.read))
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use remote_protocol::value;
    use remote_protocol::value::value;

    use super::*;

    const LOAD: [&str; 2] = ["url: &str", "times: u8"];

    fn error(arguments: &Value) -> String {
        read::<(&str, u8), _>(&LOAD, arguments).unwrap_err()
    }

    /// B17
    #[test]
    fn arguments_are_read_in_order() {
        assert_eq!(read::<(&str, u8), _>(&LOAD, &value!(["there", 2])), Ok(("there", 2)));
        assert_eq!(read::<(), &str>(&[], &value!([])), Ok(()));
        assert_eq!(read::<(), &str>(&[], &Value::Null), Ok(()));
        assert_eq!(read::<(Vec<u8>,), _>(&["Vec<u8>"], &value!([[1, 2]])), Ok((vec![1, 2],)));
    }

    /// B17
    #[test]
    fn an_error_names_the_argument_and_what_was_expected_and_found() {
        assert_eq!(error(&value!([3, 2])), "argument 1 (`url`): expected a string, found the integer 3");
        assert_eq!(error(&value!(["there", 256])), "argument 2 (`times`): expected u8, found the integer 256");
        let unnamed = read::<(bool,), _>(&["bool"], &value!([null])).unwrap_err();
        assert_eq!(unnamed, "argument 1: expected a boolean, found null");
    }

    /// B17
    #[test]
    fn a_wrong_number_of_arguments_is_an_error_that_lists_them() {
        assert_eq!(error(&value!(["there"])), "expected 2 arguments (`url: &str`, `times: u8`), found 1");
        assert_eq!(error(&value!(["there", 1, 2])), "expected 2 arguments (`url: &str`, `times: u8`), found 3");
        assert_eq!(read::<(), &str>(&[], &value!([1])).unwrap_err(), "expected no arguments, found 1");
        assert_eq!(error(&value!("there")), "expected the arguments as a tuple or a list, found the string \"there\"");
    }

    #[test]
    fn an_index_without_a_reference_is_an_error() {
        let error = read::<(value::Reference,), _>(&["item"], &value!([1])).unwrap_err();
        assert!(error.contains("a reference"), "{error}");
    }
}
