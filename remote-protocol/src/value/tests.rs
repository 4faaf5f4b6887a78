use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
};

use proptest::prelude::*;
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned, de::IgnoredAny};

use crate::{
    codec::{ByteBuf, Bytes, decode, encode},
    limits::DEPTH,
    value::{ErrorValue, Reference, ReferenceKind, Value, ValueError},
};

fn value<T: Serialize + ?Sized>(value: &T) -> Value {
    Value::from_serialize(value).unwrap()
}

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(typed: &T) {
    let dynamic = value(typed);
    assert_eq!(&dynamic.to::<T>().unwrap(), typed);
    assert_eq!(value(&dynamic), dynamic, "a value of a value is the value");
    assert_eq!(&dynamic.to::<Value>().unwrap(), &dynamic);
    let mut bytes = Vec::new();
    encode(&dynamic, &mut bytes).unwrap();
    assert_eq!(decode::<Value>(&bytes).unwrap(), dynamic);
}

fn reason<T: DeserializeOwned + Debug>(value: impl Into<Value>) -> String {
    value.into().to::<T>().unwrap_err().to_string()
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: f64,
    y: Option<i32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(i32),
    Tuple(u8, String),
    Struct { id: u64, name: Option<String> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Point(Point),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Point(Point),
    Pair { a: u8, b: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Id(u8);

/// B4.
#[test]
fn types_round_trip() {
    round_trip(&());
    round_trip(&true);
    round_trip(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN, u8::MAX, u16::MAX, u32::MAX, u64::MAX, i64::MAX));
    round_trip(&(i128::from(i64::MIN), i128::from(u64::MAX), u128::from(u64::MAX)));
    round_trip(&(f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY, 0.1f32, f32::MIN_POSITIVE));
    round_trip(&('ß', String::new(), "世界 🦀\0".to_owned()));
    round_trip(&(vec![1u8, 2, 255], Vec::<u8>::new(), [1u8, 2, 3], (1u8, 2u8), [0u16; 0]));
    round_trip(&(ByteBuf(vec![1, 2]), ByteBuf(vec![])));
    round_trip(&vec![Id(1), Id(2)]);
    round_trip(&(Some(1), None::<u8>, Some(vec![Some("x".to_owned()), None])));
    round_trip(&Point { x: -1.5, y: Some(-1), tags: vec!["a".to_owned()] });
    round_trip(&Point { x: 0.0, y: None, tags: vec![] });
    let shapes =
        vec![Shape::Unit, Shape::Newtype(-1), Shape::Tuple(1, String::new()), Shape::Struct { id: 1, name: None }];
    round_trip(&shapes);
    round_trip(&shapes.iter().cloned().map(|shape| (shape, 1)).collect::<Vec<_>>());
    round_trip(&HashMap::from([(1u64, "x".to_owned()), (u64::MAX, String::new())]));
    round_trip(&BTreeMap::from([(-1i8, true), (5, false)]));
    round_trip(&BTreeMap::from([(true, BTreeMap::from([('ß', Id(1))]))]));
    round_trip(&BTreeMap::from([(Id(7), 1), (Id(8), 2)]));
    round_trip(&BTreeMap::from([(Shape::Unit, 1)]));
    round_trip(&vec![Untagged::Number(-1), Untagged::Text("x".to_owned())]);
    round_trip(&Untagged::Point(Point { x: 1.0, y: None, tags: vec![] }));
    round_trip(&vec![Tagged::Pair { a: 1, b: 2 }, Tagged::Point(Point { x: 1.0, y: Some(1), tags: vec![] })]);
    round_trip(&std::net::IpAddr::from([127, 0, 0, 1]));
    round_trip(&std::time::Duration::from_nanos(1_000_000_001));
    round_trip(&(Ok::<u8, String>(1), Err::<u8, String>("x".to_owned())));
    round_trip(&ErrorValue { method: Some("m".to_owned()), ..ErrorValue::new("k", "t") });
}

/// B4.
#[test]
fn floats_keep_their_bits() {
    for float in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, 5e-324, 1.0] {
        let back: f64 = value(&float).to().unwrap();
        assert_eq!(back.to_bits(), float.to_bits());
        let wide = value(&(float as f32));
        assert_eq!(wide.to::<f32>().unwrap().to_bits(), (float as f32).to_bits());
    }
}

#[test]
fn shapes_are_what_they_look_like() {
    assert_eq!(value(&Shape::Unit), "Unit".into());
    assert_eq!(value(&Shape::Newtype(1)), map([("Newtype", 1.into())]));
    assert_eq!(value(&Shape::Tuple(1, "x".to_owned())), map([("Tuple", vec![Value::from(1), "x".into()].into())]),);
    assert_eq!(
        value(&Shape::Struct { id: 1, name: None }),
        map([("Struct", map([("name", Value::Null), ("id", 1.into())]))]),
    );
    assert_eq!(value(&Some(Some(Id(1)))), 1.into());
    assert_eq!(value(&BTreeMap::from([(1, 'x')])), map([("1", "x".into())]));
}

/// B4.
#[test]
fn lists_of_bytes_stay_bytes() {
    assert_eq!(value(&vec![1u8, 2]), Value::Bytes(vec![1, 2]));
    assert_eq!(value(&[1u8, 2][..]), Value::Bytes(vec![1, 2]));
    assert_eq!(value(&Bytes(b"")), Value::Bytes(vec![]));
    assert_eq!(value(&Vec::<u8>::new()), Value::List(vec![]));
    let list = Value::List(vec![1.into(), 2.into()]);
    assert_eq!(value(&(1u8, 2u8)), list);
    assert_eq!(value(&[1u8, 2]), list);
    assert_eq!(value(&vec![1u16, 2]), list);
    assert_eq!(value(&vec![Value::from(1u8), 2u8.into()]), list);

    let bytes = Value::Bytes(vec![1, 2]);
    assert_eq!(bytes.to::<Vec<u8>>().unwrap(), [1, 2]);
    assert_eq!(bytes.to::<Vec<i64>>().unwrap(), [1, 2]);
    assert_eq!(bytes.to::<Vec<Option<Id>>>().unwrap(), [Some(Id(1)), Some(Id(2))]);
    assert_eq!(bytes.to::<Vec<Value>>().unwrap(), [Value::from(1), 2.into()]);
    assert_eq!(bytes.to::<[u8; 2]>().unwrap(), [1, 2]);
    assert_eq!(list.to::<ByteBuf>().unwrap().0, [1, 2]);
    assert_eq!(Value::List(vec![]).to_borrowed::<&[u8]>().unwrap(), b"");
    assert_eq!(reason::<[u8; 3]>(bytes.clone()), "expected an array of length 3, found 2 elements");
    assert_eq!(reason::<(u8,)>(bytes), "expected the end of a list, found 1 more elements");
}

#[test]
fn a_u8_among_others_is_an_integer() {
    struct Mixed;
    impl Serialize for Mixed {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut list = serializer.serialize_seq(None)?;
            list.serialize_element(&1u8)?;
            list.serialize_element("x")?;
            list.serialize_element(&2u8)?;
            list.end()
        }
    }
    assert_eq!(value(&Mixed), vec![Value::from(1), "x".into(), 2.into()].into());
}

#[test]
fn integers_are_equal_whatever_they_were() {
    assert_eq!(value(&1i32), value(&1u64));
    assert_eq!(Value::I64(1), Value::U64(1));
    assert_ne!(Value::I64(-1), Value::U64(u64::MAX));
    assert_ne!(Value::I64(1), Value::F64(1.0));
    assert!(matches!(value(&1u64), Value::I64(1)));
    assert!(matches!(value(&u64::MAX), Value::U64(u64::MAX)));
    assert_ne!(Value::Object(1), Value::Function(1));
}

#[test]
fn maps_are_equal_in_any_order() {
    let (a, b) = (("a", Value::from(1)), ("b", Value::from(2)));
    assert_eq!(map([a.clone(), b.clone()]), map([b.clone(), a.clone()]));
    assert_ne!(map([a.clone(), b.clone()]), map([a.clone(), ("b", 3.into())]));
    assert_ne!(map([a.clone(), b.clone()]), map([b.clone(), b.clone()]));
    assert_ne!(map([a.clone()]), map([a, b]));
}

#[test]
fn numbers_become_what_holds_them_exactly() {
    assert_eq!(Value::I64(255).to::<u8>(), Ok(255));
    assert_eq!(Value::U64(255).to::<i16>(), Ok(255));
    assert_eq!(Value::I64(-1).to::<i128>(), Ok(-1));
    assert_eq!(Value::I64(1 << 53).to::<f64>(), Ok(9007199254740992.0));
    assert_eq!(Value::U64(1 << 63).to::<f32>(), Ok(9223372036854775808.0));
    assert_eq!(Value::F64(0.5).to::<f32>(), Ok(0.5));

    assert_eq!(reason::<u8>(256), "expected u8, found the integer 256");
    assert_eq!(reason::<u64>(-1), "expected u64, found the integer -1");
    assert_eq!(reason::<i64>(u64::MAX), "expected i64, found the integer 18446744073709551615");
    assert_eq!(reason::<i64>(1.0), "expected i64, found the number 1.0");
    assert_eq!(
        reason::<f64>((1i64 << 53) + 1),
        "expected a number that an f64 holds exactly, found the integer 9007199254740993"
    );
    assert_eq!(
        reason::<f64>(i64::MAX),
        "expected a number that an f64 holds exactly, found the integer 9223372036854775807"
    );
    assert_eq!(reason::<f32>(0.1), "expected a number that an f32 holds exactly, found the number 0.1");
    assert_eq!(reason::<f32>(1e300), "expected a number that an f32 holds exactly, found the number 1e300");
    let error = Value::from_serialize(&u128::MAX).unwrap_err().to_string();
    assert_eq!(
        error,
        "expected an integer that an i64 or a u64 can hold, found the integer 340282366920938463463374607431768211455"
    );
    Value::from_serialize(&(i128::from(i64::MIN) - 1)).unwrap_err();
}

#[test]
fn errors_say_what_was_expected_and_what_was_found() {
    assert_eq!(reason::<String>(7), "expected a string, found the integer 7");
    assert_eq!(reason::<bool>("x"), "expected a boolean, found the string \"x\"");
    assert_eq!(reason::<()>(vec![Value::Null]), "expected unit, found a list of 1");
    assert_eq!(reason::<Vec<u8>>(()), "expected a sequence, found null");
    assert_eq!(reason::<Point>(Value::Object(3)), "expected struct Point, found an object");
    assert_eq!(reason::<Point>(map([])), "missing field `x`");
    assert_eq!(reason::<char>("xy"), "expected a character, found the string \"xy\"");
    assert_eq!(
        reason::<Shape>("Nothing"),
        "expected one of the variants Unit, Newtype, Tuple, Struct, found \"Nothing\""
    );
    assert_eq!(reason::<Shape>("Newtype"), "expected a variant that contains something, found unit variant");
    assert_eq!(reason::<Shape>(map([])), "expected a string or a map of one for an enum, found a map of 0");
    assert_eq!(
        reason::<HashMap<u8, ()>>(map([("256", ().into())])),
        "expected a u8 as a key, found the string \"256\""
    );
    assert_eq!(
        reason::<bool>("\n".repeat(1000)),
        format!("expected a boolean, found the string \"{}\"…", "\\n".repeat(32)),
    );
    let error = Value::from_serialize(&BTreeMap::from([(None::<u8>, 1)])).unwrap_err();
    assert_eq!(error.to_string(), "expected a key that is text, an integer or a boolean, found null");
}

#[test]
fn text_and_bytes_can_be_borrowed() {
    let text = Value::from("text");
    assert_eq!(text.to_borrowed::<&str>().unwrap().as_ptr(), text.as_str().unwrap().as_ptr());
    let bytes = Value::from(vec![1u8, 2]);
    assert_eq!(bytes.to_borrowed::<Bytes<'_>>().unwrap().0.as_ptr(), bytes.as_bytes().unwrap().as_ptr());
    let keys = map([("key", 1.into())]);
    assert_eq!(keys.to_borrowed::<HashMap<&str, u8>>().unwrap()["key"], 1);
}

#[test]
fn values_inside_of_types_are_themselves() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Event {
        name: String,
        arguments: Vec<Value>,
        more: Option<Value>,
    }
    let error = ErrorValue { causes: vec!["c".to_owned()], ..ErrorValue::new("k", "t") };
    let arguments = vec![
        Value::Null,
        Value::Bool(true),
        Value::I64(-1),
        Value::U64(u64::MAX),
        Value::F64(0.5),
        "text".into(),
        Value::Bytes(vec![1]),
        Value::List(vec![Value::List(vec![]), 1u8.into()]),
        map([("a", Value::Null)]),
        Value::Object(1),
        Value::Function(2),
        Value::Buffer(u32::MAX),
        error.clone().into(),
    ];
    let event = Event { name: "e".to_owned(), arguments: arguments.clone(), more: Some(Value::Object(4)) };
    round_trip(&event);
    let dynamic = value(&event);
    assert_eq!(dynamic.get("arguments"), Some(&arguments.into()));
    assert_eq!(dynamic.get("more"), Some(&Value::Object(4)));
    assert_eq!(Value::from(error.clone()).to::<ErrorValue>(), Ok(error));
}

#[test]
fn references_become_values_of_their_kind_and_come_back() {
    for kind in [ReferenceKind::Object, ReferenceKind::Function, ReferenceKind::Buffer] {
        let reference = Reference { kind, index: 7 };
        round_trip(&vec![Some(reference)]);
        assert_eq!(value(&reference), reference.into());
        assert_eq!(value(&reference).as_reference(), Some(reference));
    }
    assert_eq!(reason::<Reference>(vec![Value::from(0), 7.into()]), "expected a reference, found a list of 2");
    assert_eq!(reason::<u32>(Value::Object(1)), "expected u32, found an object");
    assert_eq!(Value::Object(1).to::<IgnoredAny>(), Ok(IgnoredAny));
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Chain {
    next: Option<Box<Self>>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Endless(Option<Box<Self>>);

fn lists(depth: u32) -> Value {
    (0..depth).fold(Value::from(1), |inner, _| vec![inner].into())
}

fn chain(depth: u32) -> Chain {
    (1..depth).fold(Chain::default(), |inner, _| Chain { next: Some(Box::new(inner)) })
}

/// B18.
#[test]
fn too_deep_data_becomes_no_value() {
    let too_deep = ValueError::TooDeep { limit: DEPTH };
    assert_eq!(value(&lists(DEPTH)), lists(DEPTH));
    assert_eq!(Value::from_serialize(&lists(DEPTH + 1)), Err(too_deep.clone()));
    round_trip(&chain(DEPTH));
    assert_eq!(Value::from_serialize(&chain(DEPTH + 1)), Err(too_deep.clone()));
    assert_eq!(lists(DEPTH).to::<Value>().unwrap(), lists(DEPTH));
    assert_eq!(lists(DEPTH + 1).to::<Value>(), Err(too_deep));
    let endless = (0..1000).fold(Endless::default(), |inner, _| Endless(Some(Box::new(inner))));
    assert_eq!(Value::from_serialize(&endless), Err(ValueError::TooDeep { limit: 128 }));
    assert_eq!(Value::from(1).to::<Endless>(), Err(ValueError::TooDeep { limit: 128 }));
}

#[test]
fn equality_of_deep_values_takes_no_time() {
    let deep =
        |innermost: i64| (0..DEPTH).fold(Value::from(innermost), |inner, _| map([("a", inner), ("b", 1.into())]));
    let turned =
        |innermost: i64| (0..DEPTH).fold(Value::from(innermost), |inner, _| map([("b", 1.into()), ("a", inner)]));
    assert_ne!(deep(1), deep(2));
    assert_ne!(deep(1), turned(2));
    assert_eq!(deep(1), turned(1));
}

#[test]
fn values_are_small_and_print_little() {
    assert!(size_of::<Value>() <= 32);
    let shown = |value: Value| value.to_string();
    assert_eq!(shown("x".repeat(10_000).into()), format!("the string \"{}\"…", "x".repeat(32)));
    assert_eq!(shown(vec![0u8; 10_000].into()), "10000 bytes");
    assert_eq!(shown(lists(32)), "a list of 1");
    assert_eq!(shown(map([])), "a map of 0");
    assert_eq!(shown(f64::MAX.into()), "the number 1.7976931348623157e308");
    assert_eq!(shown(ErrorValue::new("k", "went wrong").into()), "the error \"went wrong\"");
    assert_eq!(shown(Value::Object(1)), "an object");
}

#[test]
fn accessors_give_what_is_there() {
    let value = map([("n", 1.into()), ("n", 2.into()), ("l", vec![Value::Null].into())]);
    assert_eq!(value.get("n").and_then(Value::as_i64), Some(1));
    assert_eq!(value.get("n").and_then(Value::as_u64), Some(1));
    assert_eq!(value.get("n").and_then(Value::as_f64), Some(1.0));
    assert_eq!(value.get("n").and_then(Value::as_str), None);
    assert_eq!(value.get("l").and_then(Value::as_list).map(<[_]>::len), Some(1));
    assert_eq!(value.get("x"), None);
    assert_eq!(Value::I64(-1).as_u64(), None);
    assert_eq!(Value::U64(u64::MAX).as_i64(), None);
    assert_eq!(Value::U64(u64::MAX).as_f64(), None);
    assert_eq!(Value::from(true).as_bool(), Some(true));
    assert_eq!(Value::from(Some("x")).as_str(), Some("x"));
    assert!(Value::from(None::<bool>).is_null());
}

#[test]
fn errors_tell_their_causes() {
    let source = std::io::Error::other(ValueError::TooDeep { limit: 1 });
    let error = ErrorValue::from_error("io", &source);
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("io", "the value nests more than 1 levels deep"));
    let wrapped = Wrapped(ErrorValue::new("k", "inner"));
    assert_eq!(ErrorValue::from_error("w", &wrapped).causes, ["inner"]);
}

#[derive(thiserror::Error, Debug)]
#[error("outer")]
struct Wrapped(#[source] ErrorValue);

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        any::<Vec<u8>>().prop_map(Value::from),
        any::<u32>().prop_map(Value::Object),
        any::<u32>().prop_map(Value::Buffer),
        (".*", ".*").prop_map(|(kind, message)| ErrorValue::new(kind, message).into()),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".*", inner), 0..6).prop_map(Value::from),
        ]
    })
}

proptest! {
    /// B4.
    #[test]
    fn any_value_round_trips(dynamic in any_value()) {
        let mut bytes = Vec::new();
        encode(&dynamic, &mut bytes).unwrap();
        prop_assert_eq!(&decode::<Value>(&bytes).unwrap(), &dynamic);
        prop_assert_eq!(&value(&dynamic), &dynamic);
        prop_assert_eq!(&dynamic.to::<Value>().unwrap(), &dynamic);
        prop_assert!(dynamic.to_string().chars().count() < 400);
    }

    #[test]
    fn any_typed_data_round_trips(
        numbers in any::<(i8, u16, i32, u64, f32, f64, char)>(),
        map in any::<BTreeMap<i64, Option<Vec<u8>>>>(),
        lists in any::<Vec<(bool, String, Result<u8, ()>)>>(),
    ) {
        let typed = (numbers, map, lists);
        let dynamic = value(&typed);
        prop_assert_eq!(&dynamic.to::<((i8, u16, i32, u64, f32, f64, char), BTreeMap<i64, Option<Vec<u8>>>, Vec<(bool, String, Result<u8, ()>)>)>().unwrap(), &typed);
    }

    #[test]
    fn any_value_as_any_type_is_an_error_or_a_value(dynamic in any_value()) {
        let _ = dynamic.to::<Shape>();
        let _ = dynamic.to::<Point>();
        let _ = dynamic.to::<Vec<Option<String>>>();
        let _ = dynamic.to::<HashMap<String, f32>>();
        let _ = dynamic.to::<Untagged>();
        let _ = dynamic.to::<Tagged>();
        let _ = dynamic.to::<Endless>();
        let _ = dynamic.to::<Reference>();
        let _ = dynamic.to::<ErrorValue>();
        let _ = dynamic.to::<IgnoredAny>();
    }
}
