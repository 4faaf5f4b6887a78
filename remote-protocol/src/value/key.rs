//! The keys of maps: always text in a value, but perhaps not in the type that it becomes.

use std::str::FromStr;

use serde::{
    Deserializer,
    de::{Error, Unexpected, Visitor, value::BorrowedStrDeserializer},
    forward_to_deserialize_any,
};

use crate::value::{Value, ValueError};

/// The key that a serialized value makes.
pub(crate) fn from_value(value: Value) -> Result<String, ValueError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(value) => Ok(value.to_string()),
        Value::I64(value) => Ok(value.to_string()),
        Value::U64(value) => Ok(value.to_string()),
        other => Err(ValueError::mismatch("a key that is text, an integer or a boolean", other)),
    }
}

/// Makes a key of whatever type is asked for.
#[derive(Clone, Copy)]
pub(crate) struct KeyDeserializer<'de>(pub(crate) &'de str);

impl<'de> KeyDeserializer<'de> {
    fn parse<T: FromStr>(self, expected: &'static str) -> Result<T, ValueError> {
        self.0.parse().map_err(|_| ValueError::invalid_value(Unexpected::Str(self.0), &expected))
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident($type:ty, $expected:literal))*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            visitor.$visit(self.parse::<$type>($expected)?)
        })*
    };
}

impl<'de> Deserializer<'de> for KeyDeserializer<'de> {
    type Error = ValueError;

    parsed! {
        deserialize_bool visit_bool(bool, "a boolean as a key")
        deserialize_i8 visit_i8(i8, "an i8 as a key")
        deserialize_i16 visit_i16(i16, "an i16 as a key")
        deserialize_i32 visit_i32(i32, "an i32 as a key")
        deserialize_i64 visit_i64(i64, "an i64 as a key")
        deserialize_i128 visit_i128(i128, "an i128 as a key")
        deserialize_u8 visit_u8(u8, "a u8 as a key")
        deserialize_u16 visit_u16(u16, "a u16 as a key")
        deserialize_u32 visit_u32(u32, "a u32 as a key")
        deserialize_u64 visit_u64(u64, "a u64 as a key")
        deserialize_u128 visit_u128(u128, "a u128 as a key")
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let text: BorrowedStrDeserializer<'_, ValueError> = BorrowedStrDeserializer::new(self.0);
        text.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}
