//! Values of the types that need no serializer to become one.

use crate::value::{ErrorValue, Value};

macro_rules! from {
    ($($type:ty, $value:ident => $made:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $made
            }
        })*
    };
}

from! {
    (), _unit => Self::Null;
    bool, value => Self::Bool(value);
    i8, value => Self::I64(value.into());
    i16, value => Self::I64(value.into());
    i32, value => Self::I64(value.into());
    i64, value => Self::I64(value);
    u8, value => Self::I64(value.into());
    u16, value => Self::I64(value.into());
    u32, value => Self::I64(value.into());
    u64, value => i64::try_from(value).map_or(Self::U64(value), Self::I64);
    f32, value => Self::F64(value.into());
    f64, value => Self::F64(value);
    char, value => Self::String(value.into());
    &str, value => Self::String(value.to_owned());
    String, value => Self::String(value);
    Vec<u8>, value => Self::Bytes(value);
    Vec<Value>, value => Self::List(value);
    Vec<(String, Value)>, value => Self::Map(value);
    ErrorValue, value => Self::Error(Box::new(value));
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Into::into)
    }
}
