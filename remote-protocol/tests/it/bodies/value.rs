//! Values that describe themselves, and types of all kinds, read from bytes and from values.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use remote_protocol::codec::{self, ByteBuf};
use remote_protocol::value::{ErrorValue, Reference, ReferenceKind, Value};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

/// Takes the bytes for a value, and for each of the types below. Gives whether they are a value.
pub(crate) fn value(bytes: &[u8]) -> bool {
    each_type(Source::Bytes(bytes));
    // What is borrowed is not converted twice, so it is only read.
    let _ = codec::decode::<(&str, &[u8], Cow<'_, str>)>(bytes);
    let Ok(value) = codec::decode::<Value>(bytes) else { return false };
    let again = encoded(&value, bytes.len());
    let decoded: Value = codec::decode(&again).expect("its own encoding can be decoded");
    let made = Value::from_serialize(&value).expect("a value is a value");
    // A NaN equals nothing.
    #[expect(clippy::eq_op, reason = "it finds a NaN, however deep")]
    if value == value {
        assert_eq!(decoded, value);
        assert_eq!(made, value);
        assert_eq!(value.to::<Value>().as_ref(), Ok(&value));
    }
    assert_eq!(encoded(&decoded, again.len()), again);
    let shown = format!("{value}{value:?}");
    assert!(shown.len() <= 1024 + 256 * bytes.len(), "{} bytes are shown as {}", bytes.len(), shown.len());
    let _ = (value.as_i64(), value.as_u64(), value.as_f64(), value.as_str(), value.as_bytes(), value.as_list());
    let _ = (value.as_map(), value.get("a"), value.as_reference(), value.to::<IgnoredAny>());
    let _ = value.to_borrowed::<(&str, &[u8], Cow<'_, str>)>();
    each_type(Source::Value(&value));
    true
}

/// Values, and what they were made of.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let point = Point { x: 4.5, y: Some(-3), tags: vec!["a".into(), "ü".into()] };
    let error = ErrorValue { kind: "Io".into(), message: "no such file".into(), ..ErrorValue::default() };
    let of_all = (1_u8, -2_i64, "three", [f64::NAN, -0.0], Some(true), 'ß', u64::MAX);
    let nested = (0..20).fold(Value::Null, |value, _| Value::List(vec![value]));
    let map = BTreeMap::from([("a", Some(1)), ("ü", None)]);
    let values = [
        ("null", Value::Null),
        ("text", Value::from("text")),
        ("of-all", made(&of_all)),
        ("bytes", made(&ByteBuf(vec![0, 1, 255]))),
        ("map", made(&map)),
        ("point", made(&point)),
        ("shapes", made(&[Shape::Unit, Shape::Newtype(-7), Shape::Tuple(1, "b".into())])),
        ("struct-variant", made(&Shape::Struct { id: u64::MAX, name: Some("n".into()) })),
        ("keys", made(&BTreeMap::from([(-1, 'a'), (300, 'b')]))),
        ("reference", Reference { kind: ReferenceKind::Function, index: 3 }.into()),
        ("error", Value::Error(Box::new(error.clone()))),
        ("nested", nested),
    ];
    let mut seeds: Vec<_> = values.into_iter().map(|(name, value)| (name, encoded(&value, usize::MAX))).collect();
    seeds.push(("typed-point", encoded(&point, usize::MAX)));
    seeds.push(("typed-shape", encoded(&Shape::Struct { id: 1, name: Some("n".into()) }, usize::MAX)));
    seeds.push(("typed-error", encoded(&error, usize::MAX)));
    seeds.push(("typed-map", encoded(&map, usize::MAX)));
    seeds
}

fn made<T: Serialize>(of: &T) -> Value {
    Value::from_serialize(of).expect("it is a value")
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: f64,
    y: Option<i32>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(i32),
    Tuple(u8, String),
    Struct { id: u64, name: Option<String> },
}

/// Tells what it is by what it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Point(Point),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Point(Point),
    Pair { a: u8, b: u8 },
}

/// Contains itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    branches: Vec<Self>,
    parent: Option<Box<Self>>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Bytes(&'a [u8]),
    Value(&'a Value),
}

fn each_type(source: Source<'_>) {
    read::<()>(source);
    read::<(bool, char, String)>(source);
    read::<(i8, i16, i32, i64, i128)>(source);
    read::<(u8, u16, u32, u64, u128)>(source);
    read::<i64>(source);
    read::<u64>(source);
    read::<u8>(source);
    read::<f32>(source);
    read::<f64>(source);
    read::<char>(source);
    read::<String>(source);
    read::<ByteBuf>(source);
    read::<Vec<u8>>(source);
    match source {
        // What a number says in two bytes instead of one is more than can be said in one.
        Source::Bytes(bytes) => assert!(codec::decode::<Vec<()>>(bytes).map_or(0, |units| units.len()) <= bytes.len()),
        Source::Value(_) => read::<Vec<()>>(source),
    }
    read::<Vec<Vec<f32>>>(source);
    read::<[u16; 3]>(source);
    // Not an option in an option, of which a value keeps one.
    read::<Option<Vec<Option<bool>>>>(source);
    read::<Result<Box<str>, Option<i32>>>(source);
    read::<BTreeMap<String, Value>>(source);
    read::<BTreeMap<i64, String>>(source);
    read::<BTreeMap<bool, Vec<bool>>>(source);
    read::<BTreeMap<Shape, char>>(source);
    read::<BTreeSet<(u8, String)>>(source);
    read::<HashMap<char, Option<u8>>>(source);
    read::<Point>(source);
    read::<Vec<Shape>>(source);
    read::<Vec<Untagged>>(source);
    read::<Vec<Tagged>>(source);
    read::<Tree>(source);
    read::<ErrorValue>(source);
    read::<Reference>(source);
    read::<Duration>(source);
    read::<Vec<IpAddr>>(source);
}

/// What can be read can be written again, and is read again as the same.
fn read<T: Serialize + DeserializeOwned + PartialEq + Debug>(source: Source<'_>) {
    match source {
        Source::Bytes(bytes) => {
            let Ok(typed) = codec::decode::<T>(bytes) else { return };
            let again = encoded(&typed, bytes.len());
            same(&codec::decode(&again).expect("its own encoding can be decoded"), &typed);
            // Not everything can be a value: the keys of its maps, for one thing, are texts.
            if let Ok(value) = Value::from_serialize(&typed)
                && let Ok(read) = value.to()
            {
                same(&read, &typed);
            }
        }
        Source::Value(value) => {
            let Ok(typed) = value.to::<T>() else { return };
            let again = Value::from_serialize(&typed).expect("what was a value can be one");
            same(&again.to().expect("what was made of it can be made of it"), &typed);
        }
    }
}

/// A NaN equals nothing, and nothing is said of it.
fn same<T: PartialEq + Debug>(read: &T, typed: &T) {
    #[expect(clippy::eq_op, reason = "it finds a NaN, however deep")]
    if typed == typed {
        assert_eq!(read, typed);
    }
}

/// What was decoded can be encoded, and does not grow by that, but for a duration whose nanoseconds are some seconds.
fn encoded<T: Serialize>(value: &T, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &mut bytes).expect("what was decoded can be encoded");
    assert!(bytes.len() <= limit.saturating_add(1), "{limit} bytes became {}", bytes.len());
    bytes
}
