//! The elements of lists, the entries of maps, and the fields of errors.

use std::{slice, sync::LazyLock};

use serde::{
    Deserializer, de,
    de::{DeserializeSeed, IntoDeserializer, Visitor, value::SeqDeserializer},
    forward_to_deserialize_any,
};

use crate::value::{ErrorValue, Value, ValueError, de::ValueDeserializer, key::KeyDeserializer};

/// The elements of a list, or of bytes that are asked for as one.
pub(super) struct List<'de, I> {
    elements: I,
    inside: ValueDeserializer<'de>,
}

impl<'de, I: Iterator<Item = &'de Value>> List<'de, I> {
    pub(super) fn visit<V: Visitor<'de>>(
        elements: I,
        inside: ValueDeserializer<'de>,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let mut list = Self { elements, inside };
        let value = visitor.visit_seq(&mut list)?;
        match list.elements.count() {
            0 => Ok(value),
            left => Err(ValueError::mismatch("the end of a list", format_args!("{left} more elements"))),
        }
    }
}

impl<'de, I: Iterator<Item = &'de Value>> de::SeqAccess<'de> for List<'de, I> {
    type Error = ValueError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ValueError> {
        self.elements.next().map(|element| seed.deserialize(self.inside.with(element))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        self.elements.size_hint().1
    }
}

/// The entries of a map.
pub(super) struct Entries<'de> {
    entries: slice::Iter<'de, (String, Value)>,
    inside: ValueDeserializer<'de>,
}

impl<'de> Entries<'de> {
    pub(super) fn visit<V: Visitor<'de>>(
        entries: &'de [(String, Value)],
        inside: ValueDeserializer<'de>,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let mut map = Self { entries: entries.iter(), inside };
        let value = visitor.visit_map(&mut map)?;
        match map.entries.len() {
            0 => Ok(value),
            left => Err(ValueError::mismatch("the end of a map", format_args!("{left} more entries"))),
        }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = ValueError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ValueError> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.inside.value = value;
        seed.deserialize(KeyDeserializer(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ValueError> {
        seed.deserialize(self.inside)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A field of an error.
pub(super) enum ErrorField<'de> {
    Text(&'de str),
    Texts(&'de [String]),
    Option(Option<&'de str>),
}

impl<'de> ErrorField<'de> {
    pub(super) fn all(error: &'de ErrorValue) -> [(&'static str, Self); 4] {
        [
            ("kind", Self::Text(&error.kind)),
            ("message", Self::Text(&error.message)),
            ("causes", Self::Texts(&error.causes)),
            ("method", Self::Option(error.method.as_deref())),
        ]
    }
}

impl<'de> Deserializer<'de> for ErrorField<'de> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Self::Text(text) | Self::Option(Some(text)) => visitor.visit_borrowed_str(text),
            Self::Texts(texts) => visitor.visit_seq(SeqDeserializer::new(texts.iter().map(|text| Self::Text(text)))),
            Self::Option(None) => visitor.visit_unit(),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Self::Option(None) => visitor.visit_none(),
            field => visitor.visit_some(field),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, ValueError> for ErrorField<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Every byte as a value that lives as long as any other.
pub(super) static BYTES: LazyLock<[Value; 256]> = LazyLock::new(|| std::array::from_fn(|byte| Value::I64(byte as i64)));
