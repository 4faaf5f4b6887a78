//! The parts of lists and maps, one after the other.

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use crate::value::{
    Value, ValueError, key,
    ser::{Item, ValueSerializer},
};

/// A list that is being made, or a variant that contains one.
pub(crate) struct ListSerializer {
    inside: ValueSerializer,
    variant: Option<&'static str>,
    elements: Elements,
}

enum Elements {
    /// Nothing but `u8` so far.
    Bytes(Vec<u8>),
    Values(Vec<Value>),
}

impl ListSerializer {
    pub(super) fn list(inside: ValueSerializer, variant: Option<&'static str>, capacity: usize) -> Self {
        Self { inside, variant, elements: Elements::Values(Vec::with_capacity(capacity)) }
    }

    /// A list that is bytes if nothing else is put into it.
    pub(super) fn list_or_bytes(inside: ValueSerializer, capacity: usize) -> Self {
        Self { inside, variant: None, elements: Elements::Bytes(Vec::with_capacity(capacity)) }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        match (value.serialize(self.inside)?, &mut self.elements) {
            (Item::Byte(byte), Elements::Bytes(bytes)) => bytes.push(byte),
            (item, Elements::Values(values)) => values.push(item.into_value()),
            (Item::Value(value), Elements::Bytes(bytes)) => {
                let mut values = Vec::with_capacity(bytes.capacity());
                values.extend(bytes.iter().map(|byte| Value::from(*byte)));
                values.push(value);
                self.elements = Elements::Values(values);
            }
        }
        Ok(())
    }

    fn finish(self) -> Item {
        let list = match self.elements {
            Elements::Bytes(bytes) if !bytes.is_empty() => Value::Bytes(bytes),
            Elements::Bytes(_) => Value::List(Vec::new()),
            Elements::Values(values) => Value::List(values),
        };
        in_variant(self.variant, list)
    }
}

/// A map that is being made, or a variant that contains one.
pub(crate) struct MapSerializer {
    inside: ValueSerializer,
    variant: Option<&'static str>,
    entries: Vec<(String, Value)>,
    /// The key whose value comes next.
    key: Option<String>,
}

impl MapSerializer {
    pub(super) fn new(inside: ValueSerializer, variant: Option<&'static str>, capacity: usize) -> Self {
        Self { inside, variant, entries: Vec::with_capacity(capacity), key: None }
    }

    fn push<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), ValueError> {
        self.entries.push((key, value.serialize(self.inside)?.into_value()));
        Ok(())
    }

    fn finish(self) -> Item {
        in_variant(self.variant, Value::Map(self.entries))
    }
}

impl SerializeMap for MapSerializer {
    type Ok = Item;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.key = Some(key::from_value(key.serialize(self.inside)?.into_value())?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let key = self.key.take().ok_or_else(|| ValueError::custom("expected a key, found a value without one"))?;
        self.push(key, value)
    }

    fn end(self) -> Result<Item, ValueError> {
        Ok(self.finish())
    }
}

macro_rules! parts {
    ($($type:ident $trait:ident $method:ident($($key:ident)?))*) => {
        $(impl $trait for $type {
            type Ok = Item;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), ValueError> {
                self.push($($key.to_owned(),)? value)
            }

            fn end(self) -> Result<Item, ValueError> {
                Ok(self.finish())
            }
        })*
    };
}

parts! {
    ListSerializer SerializeSeq serialize_element()
    ListSerializer SerializeTuple serialize_element()
    ListSerializer SerializeTupleStruct serialize_field()
    ListSerializer SerializeTupleVariant serialize_field()
    MapSerializer SerializeStruct serialize_field(key)
    MapSerializer SerializeStructVariant serialize_field(key)
}

fn in_variant(variant: Option<&'static str>, inside: Value) -> Item {
    match variant {
        Some(variant) => vec![(variant.to_owned(), inside)].into(),
        None => inside.into(),
    }
}
