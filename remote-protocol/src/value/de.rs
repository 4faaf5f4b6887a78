//! From values to serde types.

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, Expected, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
};

use crate::{
    limits,
    value::{
        ErrorValue, REFERENCE, VALUE, Value, ValueError,
        de::{
            parts::{Entries, ErrorField, List},
            variant::{Inner, Variant},
        },
    },
};

mod parts;
mod variant;

impl Value {
    /// Makes of this value whatever it describes.
    ///
    /// A number becomes any type of number that holds it exactly, but never a floating point number an integer.
    ///
    /// # Errors
    ///
    /// If the value is something else than what `T` expects.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        self.to_borrowed()
    }

    /// Makes of this value whatever it describes; text and bytes may be borrowed from it.
    ///
    /// # Errors
    ///
    /// If the value is something else than what `T` expects.
    pub fn to_borrowed<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ValueError> {
        T::deserialize(ValueDeserializer { value: self, levels: limits::DEPTH, wrappers: WRAPPERS })
    }
}

impl Value {
    /// Makes of this value what `seed` makes of it, for what is read by code of its own.
    ///
    /// # Errors
    ///
    /// As [`to`](Self::to).
    pub fn to_seed<'a, S: DeserializeSeed<'a>>(&'a self, seed: S) -> Result<S::Value, ValueError> {
        seed.deserialize(ValueDeserializer { value: self, levels: limits::DEPTH, wrappers: WRAPPERS })
    }
}

/// A value, and how much deeper one may go, in lists and maps, and in types that leave no trace in the value.
#[derive(Clone, Copy)]
struct ValueDeserializer<'de> {
    value: &'de Value,
    levels: u32,
    wrappers: u32,
}

impl<'de> ValueDeserializer<'de> {
    /// The same place, for what is inside of a list or a map.
    fn level(self) -> Result<Self, ValueError> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels, ..self }),
            None => Err(ValueError::TooDeep { limit: limits::DEPTH }),
        }
    }

    /// The same value, for what is inside of an option or a newtype.
    fn wrapped(self) -> Result<Self, ValueError> {
        match self.wrappers.checked_sub(1) {
            Some(wrappers) => Ok(Self { wrappers, ..self }),
            None => Err(ValueError::TooDeep { limit: WRAPPERS }),
        }
    }

    fn with(self, value: &'de Value) -> Self {
        Self { value, ..self }
    }

    fn mismatch<T>(self, expected: &dyn Expected) -> Result<T, ValueError> {
        // Whether it is borrowed is of no interest to who sent something else.
        let expected = match &*expected.to_string() {
            "a borrowed string" => "a string".to_owned(),
            "a borrowed byte array" => "bytes".to_owned(),
            other => other.to_owned(),
        };
        Err(ValueError::mismatch(expected, self.value))
    }

    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match *self.value {
            // As most formats have it, the sign says which.
            Value::I64(value) => match u64::try_from(value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_i64(value),
            },
            Value::U64(value) => visitor.visit_u64(value),
            _ => self.mismatch(&visitor),
        }
    }

    fn error<V: Visitor<'de>>(error: &'de ErrorValue, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_map(MapDeserializer::new(ErrorField::all(error).into_iter()))
    }
}

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            self.integer(visitor)
        })*
    };
}

macro_rules! like {
    ($($method:ident($($unused:ty),*) $as:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, $(_: $unused,)* visitor: V) -> Result<V::Value, ValueError> {
            self.$as(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for ValueDeserializer<'de> {
    type Error = ValueError;

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    like! {
        deserialize_char() deserialize_str
        deserialize_string() deserialize_str
        deserialize_identifier() deserialize_str
        deserialize_byte_buf() deserialize_bytes
        deserialize_unit_struct(&'static str) deserialize_unit
        deserialize_tuple(usize) deserialize_seq
        deserialize_tuple_struct(&'static str, usize) deserialize_seq
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::I64(_) | Value::U64(_) => self.integer(visitor),
            Value::F64(value) => visitor.visit_f64(*value),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
            Value::Error(error) => Self::error(error, visitor),
            Value::Object(_) | Value::Function(_) | Value::Buffer(_) => self.mismatch(&visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value.as_f64() {
            Some(wide) if f64::from(wide as f32) == wide || wide.is_nan() => visitor.visit_f32(wide as f32),
            _ => self.mismatch(&"a number that an f32 holds exactly"),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value.as_f64() {
            Some(value) => visitor.visit_f64(value),
            None => self.mismatch(&"a number that an f64 holds exactly"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::String(text) => visitor.visit_borrowed_str(text),
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Value::List(elements) if elements.is_empty() => visitor.visit_borrowed_bytes(&[]),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self.wrapped()?),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        if name != REFERENCE {
            return visitor.visit_newtype_struct(self.wrapped()?);
        }
        match self.value.as_reference() {
            Some(reference) => {
                let pair = [u32::from(reference.kind.number()), reference.index];
                visitor.visit_newtype_struct(SeqDeserializer::new(pair.into_iter()))
            }
            None => self.mismatch(&visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::List(elements) => List::visit(elements.iter(), self.level()?, visitor),
            Value::Bytes(bytes) => {
                let elements = bytes.iter().filter_map(|byte| parts::BYTES.get(usize::from(*byte)));
                List::visit(elements, self.level()?, visitor)
            }
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.value {
            Value::Map(entries) => Entries::visit(entries, self.level()?, visitor),
            Value::Error(error) => Self::error(error, visitor),
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.value {
            Value::List(_) => self.deserialize_seq(visitor),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        if name == VALUE {
            return visitor.visit_enum(Inner(self.wrapped()?));
        }
        match self.value {
            Value::String(name) => visitor.visit_enum(Variant { name, content: None }),
            Value::Map(entries) => match entries.as_slice() {
                [(name, content)] => {
                    let content = Some(self.level()?.with(content));
                    visitor.visit_enum(Variant { name, content })
                }
                _ => self.mismatch(&"a string or a map of one for an enum"),
            },
            _ => self.mismatch(&"a string or a map of one for an enum"),
        }
    }
}

/// A type that contains itself only through options and newtypes takes any value for itself, without end.
const WRAPPERS: u32 = 4 * limits::DEPTH;
