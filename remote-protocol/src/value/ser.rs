//! From serde types to values.

use std::fmt::Display;

use serde::ser::{Serialize, Serializer};

use crate::{
    limits,
    value::{
        REFERENCE, Reference, ReferenceKind, VALUE, Value, ValueError,
        ser::parts::{ListSerializer, MapSerializer},
    },
};

mod parts;

impl Value {
    /// Makes a value of anything that serde can serialize.
    ///
    /// Structs become maps, variants the string of their name or a map of it and what they contain, options null or
    /// what they contain, and keys text. A list of nothing but `u8` is kept as bytes; tuples and arrays are lists in
    /// any case.
    ///
    /// # Errors
    ///
    /// If it nests deeper than [`limits::DEPTH`], has an integer beyond `i64` and `u64` or a key that cannot become text, or
    /// refuses to be serialized.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, ValueError> {
        value.serialize(ValueSerializer { levels: limits::DEPTH, wrappers: WRAPPERS }).map(Item::into_value)
    }
}

/// How much deeper one may go, in lists and maps, and in what leaves no trace in the value.
#[derive(Clone, Copy)]
struct ValueSerializer {
    levels: u32,
    wrappers: u32,
}

impl ValueSerializer {
    fn level(self) -> Result<Self, ValueError> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels, ..self }),
            None => Err(ValueError::TooDeep { limit: limits::DEPTH }),
        }
    }

    fn wrapped<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, ValueError> {
        match self.wrappers.checked_sub(1) {
            Some(wrappers) => value.serialize(Self { wrappers, ..self }).map(Item::into_value),
            None => Err(ValueError::TooDeep { limit: WRAPPERS }),
        }
    }

    fn variant_level(self, variant: Option<&'static str>) -> Result<Self, ValueError> {
        if variant.is_some() { self.level() } else { Ok(self) }
    }

    fn list(self, variant: Option<&'static str>, len: usize) -> Result<ListSerializer, ValueError> {
        Ok(ListSerializer::list(self.variant_level(variant)?.level()?, variant, len.min(HINT)))
    }

    fn map(self, variant: Option<&'static str>, len: usize) -> Result<MapSerializer, ValueError> {
        Ok(MapSerializer::new(self.variant_level(variant)?.level()?, variant, len.min(HINT)))
    }
}

/// What a serialized thing became; a `u8` is told from other integers until it is known whether it is one of many.
pub(crate) enum Item {
    Byte(u8),
    Value(Value),
}

impl Item {
    fn into_value(self) -> Value {
        match self {
            Self::Byte(byte) => byte.into(),
            Self::Value(value) => value,
        }
    }
}

impl<T: Into<Value>> From<T> for Item {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

macro_rules! plain {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, value: $type) -> Result<Item, ValueError> {
            Ok(value.into())
        })*
    };
}

impl Serializer for ValueSerializer {
    type Ok = Item;
    type Error = ValueError;
    type SerializeSeq = ListSerializer;
    type SerializeTuple = ListSerializer;
    type SerializeTupleStruct = ListSerializer;
    type SerializeTupleVariant = ListSerializer;
    type SerializeMap = MapSerializer;
    type SerializeStruct = MapSerializer;
    type SerializeStructVariant = MapSerializer;

    plain! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_f32(f32) serialize_f64(f64)
        serialize_char(char) serialize_str(&str)
    }

    fn serialize_u8(self, value: u8) -> Result<Item, ValueError> {
        Ok(Item::Byte(value))
    }

    fn serialize_i128(self, value: i128) -> Result<Item, ValueError> {
        let as_u64 = || u64::try_from(value).map(Item::from);
        i64::try_from(value).map(Item::from).or_else(|_| as_u64()).map_err(|_| too_large(value))
    }

    fn serialize_u128(self, value: u128) -> Result<Item, ValueError> {
        u64::try_from(value).map(Item::from).map_err(|_| too_large(value))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Item, ValueError> {
        Ok(bytes.to_vec().into())
    }

    fn serialize_none(self) -> Result<Item, ValueError> {
        Ok(().into())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Item, ValueError> {
        Ok(self.wrapped(value)?.into())
    }

    fn serialize_unit(self) -> Result<Item, ValueError> {
        Ok(().into())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Item, ValueError> {
        Ok(().into())
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Result<Item, ValueError> {
        Ok(if name == VALUE { ().into() } else { variant.into() })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Item, ValueError> {
        let inside = self.wrapped(value)?;
        if name == REFERENCE {
            let (number, index) = inside.to()?;
            let kind = ReferenceKind::from_number::<ValueError>(number)?;
            return Ok(Reference { kind, index }.into());
        }
        Ok(inside.into())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Item, ValueError> {
        if name != VALUE {
            let inside = value.serialize(self.level()?)?.into_value();
            return Ok(vec![(variant.to_owned(), inside)].into());
        }
        let inside = self.wrapped(value)?;
        Ok(match variant {
            "Object" => Value::Object(inside.to()?),
            "Function" => Value::Function(inside.to()?),
            "Buffer" => Value::Buffer(inside.to()?),
            "Error" => Value::Error(inside.to()?),
            _ => inside,
        }
        .into())
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<ListSerializer, ValueError> {
        Ok(ListSerializer::list_or_bytes(self.level()?, len.unwrap_or(0).min(HINT)))
    }

    fn serialize_tuple(self, len: usize) -> Result<ListSerializer, ValueError> {
        self.list(None, len)
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<ListSerializer, ValueError> {
        self.list(None, len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<ListSerializer, ValueError> {
        self.list(Some(variant), len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<MapSerializer, ValueError> {
        self.map(None, len.unwrap_or(0))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<MapSerializer, ValueError> {
        self.map(None, len)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<MapSerializer, ValueError> {
        self.map(Some(variant), len)
    }
}

#[cold]
fn too_large(value: impl Display) -> ValueError {
    ValueError::mismatch("an integer that an i64 or a u64 can hold", format_args!("the integer {value}"))
}

/// Options and newtypes, which become what they contain, add nothing to the depth of a value; but without a bound a type
/// that contains itself only through them would never end.
const WRAPPERS: u32 = 4 * limits::DEPTH;

/// Lengths are announced by the type, not known.
const HINT: usize = 4096;
