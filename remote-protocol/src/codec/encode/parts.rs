//! The parts of what has parts, one after the other.

use serde::ser::{self, Serialize};

use crate::codec::{
    EncodeError,
    encode::{Encoder, Failure, Result},
};

/// The inside of a list or a map: one level, and as many elements as were announced.
pub(crate) struct Counted<'e, 'a> {
    pub(super) encoder: &'e mut Encoder<'a>,
    pub(super) announced: usize,
    pub(super) found: usize,
    pub(super) outside: u32,
}

impl Counted<'_, '_> {
    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.found = self.found.saturating_add(1);
        value.serialize(&mut *self.encoder)
    }

    #[inline]
    fn close(self) -> Result<()> {
        if self.found != self.announced {
            return Err(EncodeError::WrongLength { announced: self.announced, found: self.found }.into());
        }
        self.encoder.leave(self.outside);
        Ok(())
    }
}

impl ser::SerializeSeq for Counted<'_, '_> {
    type Ok = ();
    type Error = Failure;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.element(value)
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.close()
    }
}

impl ser::SerializeMap for Counted<'_, '_> {
    type Ok = ();
    type Error = Failure;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.element(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut *self.encoder)
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.close()
    }
}

/// The inside of what has as many parts as its type says: a tuple, a struct, or a variant of an enum.
pub(crate) struct Fields<'e, 'a> {
    pub(super) encoder: &'e mut Encoder<'a>,
    pub(super) outside: u32,
}

macro_rules! fields {
    ($($trait:ident $method:ident($($key:ty)?) { $($skip:tt)* })*) => {
        $(impl ser::$trait for Fields<'_, '_> {
            type Ok = ();
            type Error = Failure;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $key,)? value: &T) -> Result<()> {
                value.serialize(&mut *self.encoder)
            }

            $($skip)*

            #[inline]
            fn end(self) -> Result<()> {
                self.encoder.leave(self.outside);
                Ok(())
            }
        })*
    };
}

fields! {
    SerializeTuple serialize_element() {}
    SerializeTupleStruct serialize_field() {}
    SerializeTupleVariant serialize_field() {}
    SerializeStruct serialize_field(&'static str) {
        fn skip_field(&mut self, key: &'static str) -> Result<()> {
            Err(EncodeError::SkippedField(key).into())
        }
    }
    SerializeStructVariant serialize_field(&'static str) {
        fn skip_field(&mut self, key: &'static str) -> Result<()> {
            Err(EncodeError::SkippedField(key).into())
        }
    }
}
