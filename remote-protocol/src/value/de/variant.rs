//! The variants of enums, and values inside of values.

use serde::de::{
    self, DeserializeSeed, Deserializer, Error, IntoDeserializer, Unexpected, Visitor, value::BorrowedStrDeserializer,
};

use crate::value::{Value, ValueError, de::ValueDeserializer};

/// A variant by its name, and what it contains.
pub(super) struct Variant<'de> {
    pub(super) name: &'de str,
    pub(super) content: Option<ValueDeserializer<'de>>,
}

impl<'de> Variant<'de> {
    fn content(self, expected: &'static str) -> Result<ValueDeserializer<'de>, ValueError> {
        self.content.ok_or_else(|| ValueError::invalid_type(Unexpected::UnitVariant, &expected))
    }
}

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), ValueError> {
        let name: BorrowedStrDeserializer<'de, ValueError> = BorrowedStrDeserializer::new(self.name);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        match self.content {
            None => Ok(()),
            Some(content) => de::Deserialize::deserialize(content),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, ValueError> {
        seed.deserialize(self.content("a variant that contains something")?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, ValueError> {
        self.content("a variant that contains a list")?.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.content("a variant that contains a map")?.deserialize_struct("", fields, visitor)
    }
}

/// A value that is asked for as a value.
pub(super) struct Inner<'de>(pub(super) ValueDeserializer<'de>);

impl<'de> de::EnumAccess<'de> for Inner<'de> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), ValueError> {
        let name = match self.0.value {
            Value::Null => "Null",
            Value::Bool(_) => "Bool",
            Value::I64(_) => "I64",
            Value::U64(_) => "U64",
            Value::F64(_) => "F64",
            Value::String(_) => "String",
            Value::Bytes(_) => "Bytes",
            Value::List(_) => "List",
            Value::Map(_) => "Map",
            Value::Object(_) => "Object",
            Value::Function(_) => "Function",
            Value::Buffer(_) => "Buffer",
            Value::Error(_) => "Error",
        };
        let name: BorrowedStrDeserializer<'de, ValueError> = BorrowedStrDeserializer::new(name);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Inner<'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, ValueError> {
        match self.0.value {
            Value::Object(index) | Value::Function(index) | Value::Buffer(index) => {
                seed.deserialize(index.into_deserializer())
            }
            _ => seed.deserialize(self.0),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ValueError> {
        self.0.mismatch(&visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, ValueError> {
        self.0.mismatch(&visitor)
    }
}
