use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
    rc::Rc,
};

use proptest::prelude::*;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor},
    ser::{Error as _, SerializeSeq},
};

use crate::{
    codec::{ByteBuf, Bytes, CowBytes, DecodeError, EncodeError, LEVELS, decode, encode},
    limits::DEPTH,
    value::{ErrorValue, Reference, ReferenceKind, Value},
};

fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut buffer = Vec::new();
    encode(value, &mut buffer).unwrap();
    buffer
}

fn refused<T: Serialize + ?Sized>(value: &T) -> EncodeError {
    let mut buffer = b"before".to_vec();
    let error = encode(value, &mut buffer).unwrap_err();
    assert_eq!(buffer, b"before", "a failed encoding leaves nothing behind");
    error
}

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: &T) {
    let bytes = encoded(value);
    assert_eq!(&decode::<T>(&bytes).unwrap(), value);
    for end in 0..bytes.len() {
        decode::<T>(&bytes[..end]).unwrap_err();
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(decode::<T>(&longer), Err(DecodeError::Trailing { left: 1 }));
}

fn invalid<T: DeserializeOwned + fmt::Debug>(bytes: &[u8]) -> String {
    match decode::<T>(bytes).unwrap_err() {
        DecodeError::Invalid(reason) => reason.into(),
        other => panic!("{other:?}"),
    }
}

/// Encodes without any limit, as a hostile peer does.
fn unchecked<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(i32),
    Tuple(u8, String),
    Struct { id: u64, name: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    small: (bool, i8, u8, i16, u16),
    large: (i32, u32, i64, u64, i128, u128),
    floats: (f32, f64),
    text: (char, String),
    shapes: Vec<Shape>,
    map: BTreeMap<String, Option<Vec<u16>>>,
    bytes: ByteBuf,
    unit: (),
    array: [u8; 3],
}

#[test]
fn every_type_round_trips_and_is_refused_truncated_or_with_more_behind() {
    round_trip(&Everything {
        small: (true, i8::MIN, u8::MAX, i16::MIN, u16::MAX),
        large: (i32::MIN, u32::MAX, i64::MIN, u64::MAX, i128::MIN, u128::MAX),
        floats: (f32::MIN_POSITIVE, f64::NEG_INFINITY),
        text: ('ß', "日本\0語".to_owned()),
        shapes: vec![
            Shape::Unit,
            Shape::Newtype(-1),
            Shape::Tuple(1, String::new()),
            Shape::Struct { id: 1, name: Some("x".to_owned()) },
        ],
        map: BTreeMap::from([("a".to_owned(), None), (String::new(), Some(vec![0, 65535]))]),
        bytes: ByteBuf(vec![0, 1, 255]),
        unit: (),
        array: [7, 8, 9],
    });
}

/// B4.
#[test]
fn all_kinds_of_values_arrive_unchanged() {
    for value in values() {
        let bytes = encoded(&value);
        let back: Value = decode(&bytes).unwrap();
        // NaN is not equal to itself, but prints like itself; −0.0 is equal to 0.0, but does not print like it.
        assert_eq!(format!("{back:?}"), format!("{value:?}"));
        for end in 0..bytes.len() {
            decode::<Value>(&bytes[..end]).unwrap_err();
        }
    }
    for float in [f64::NAN, -f64::NAN, f64::from_bits(0x7ff0_0000_0000_0001), -0.0, f64::MAX, 5e-324] {
        let back: f64 = decode(&encoded(&float)).unwrap();
        assert_eq!(back.to_bits(), float.to_bits());
    }
}

fn values() -> Vec<Value> {
    let mut values = vec![
        Value::Null,
        Value::Bool(false),
        Value::Bool(true),
        Value::I64(i64::MIN),
        Value::I64(i64::MAX),
        Value::U64(u64::MAX),
        Value::F64(f64::NAN),
        Value::F64(f64::INFINITY),
        Value::F64(f64::NEG_INFINITY),
        Value::F64(-0.0),
        Value::String(String::new()),
        Value::String("Grüße, 世界 🦀\0".to_owned()),
        Value::Bytes(vec![]),
        Value::Bytes((0..=255).collect()),
        Value::List(vec![]),
        Value::Map(vec![]),
        Value::Object(0),
        Value::Function(u32::MAX),
        Value::Buffer(7),
        ErrorValue { causes: vec!["a".to_owned()], method: Some("m".to_owned()), ..ErrorValue::new("k", "t") }.into(),
    ];
    values.push(Value::List(values.clone()));
    values.push(Value::Map(vec![(String::new(), Value::Null), ("ключ".to_owned(), values.clone().into())]));
    values
}

#[test]
fn text_and_bytes_are_borrowed() {
    let bytes = encoded(&("text", Bytes(b"bytes")));
    let (text, Bytes(inner)) = decode::<(&str, Bytes<'_>)>(&bytes).unwrap();
    assert_eq!((text, inner), ("text", &b"bytes"[..]));
    assert!(bytes.as_ptr_range().contains(&text.as_ptr()));
    assert!(bytes.as_ptr_range().contains(&inner.as_ptr()));
    assert_eq!(decode::<(String, ByteBuf)>(&bytes).unwrap().1, ByteBuf(b"bytes".to_vec()));
}

#[test]
fn bytes_of_all_kinds_are_encoded_alike() {
    let bytes = encoded(&ByteBuf(b"bytes".to_vec()));
    let decoded: CowBytes<'_> = decode(&bytes).unwrap();
    assert!(matches!(decoded.0, Cow::Borrowed(b"bytes")));
    assert_eq!(encoded(&decoded), bytes);
    assert_eq!(encoded(&CowBytes(Cow::Owned(b"bytes".to_vec()))), bytes);
    assert_eq!(encoded(&Bytes(b"bytes")), bytes);
    assert_eq!(encoded(&b"bytes".to_vec()), bytes);
}

#[test]
fn encoding_appends() {
    let mut buffer = Vec::new();
    encode(&1u8, &mut buffer).unwrap();
    encode("x", &mut buffer).unwrap();
    assert_eq!(buffer, [1, 1, b'x']);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Branch(Vec<Self>),
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Chain {
    next: Option<Box<Self>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Directory(BTreeMap<String, Self>);

fn nested<T>(depth: u32, innermost: T, outer: impl Fn(T) -> T) -> T {
    (0..depth).fold(innermost, |inner, _| outer(inner))
}

fn deepest<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(make: impl Fn(u32) -> T, limit: u32) {
    round_trip(&make(limit));
    assert_eq!(refused(&make(limit + 1)), EncodeError::TooDeep { limit: LEVELS });
    let bytes = unchecked(&make(limit + 1));
    assert_eq!(decode::<T>(&bytes), Err(DecodeError::TooDeep { limit: LEVELS }));
}

/// B18.
#[test]
fn values_nest_as_deep_as_the_limit_and_no_deeper() {
    let list = |inner| Value::List(vec![inner]);
    deepest(|depth| nested(depth, Value::I64(1), list), DEPTH);
    deepest(|depth| nested(depth - 1, Value::List(vec![]), list), DEPTH);
    let map = |inner| Value::Map(vec![("k".to_owned(), inner)]);
    deepest(|depth| nested(depth, Value::Null, map), DEPTH);
    let tree = |inner| Tree::Branch(vec![inner]);
    deepest(|depth| nested(depth, Tree::Leaf, tree), DEPTH);
}

/// B18. What takes one level a turn nests twice as deep as values do.
#[test]
fn types_that_contain_themselves_end() {
    let chain = |inner| Chain { next: Some(Box::new(inner)) };
    deepest(|depth| nested(depth, Chain::default(), chain), LEVELS);
    let directory = |inner| Directory(BTreeMap::from([(String::new(), inner)]));
    // The innermost map is a level as well.
    deepest(|depth| nested(depth - 1, Directory(BTreeMap::new()), directory), LEVELS);
}

/// B18.
#[test]
fn cyclic_data_is_an_error_at_the_sender() {
    #[derive(Default)]
    struct Node(RefCell<Vec<Rc<Self>>>);
    impl Serialize for Node {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.borrow().iter().map(Rc::as_ref))
        }
    }
    let node = Rc::new(Node::default());
    node.0.borrow_mut().push(Rc::clone(&node));
    assert_eq!(refused(&*node), EncodeError::TooDeep { limit: LEVELS });
    node.0.borrow_mut().clear();
}

#[test]
fn siblings_are_not_deeper_than_one_another() {
    round_trip(&(0..200).map(|_| Some(vec![Tree::Branch(vec![Tree::Leaf]), Tree::Leaf])).collect::<Vec<_>>());
    round_trip(&(0..1000).map(|_| Shape::Struct { id: 0, name: Some(String::new()) }).collect::<Vec<_>>());
}

#[test]
fn a_list_of_units_is_not_conjured_from_a_number() {
    let million = unchecked(&1_000_000u64);
    let limit = million.len();
    assert_eq!(decode::<Vec<()>>(&million), Err(DecodeError::TooManyElements { limit }));
    assert_eq!(decode::<HashMap<(), ()>>(&million), Err(DecodeError::TooManyElements { limit }));
    let huge = unchecked(&u64::MAX);
    assert_eq!(decode::<Vec<u8>>(&huge), Err(DecodeError::TooManyElements { limit: huge.len() }));
    assert_eq!(decode::<Vec<[u64; 32]>>(&huge), Err(DecodeError::TooManyElements { limit: huge.len() }));
    assert_eq!(decode::<&str>(&huge), Err(DecodeError::Truncated));
    assert_eq!(decode::<Bytes<'_>>(&huge), Err(DecodeError::Truncated));
    assert_eq!(refused(&vec![(); 1000]), EncodeError::TooManyElements { limit: 2 });
    assert_eq!(refused(&[Vec::<()>::new(), vec![(); 9]]), EncodeError::TooManyElements { limit: 2 });
}

#[test]
fn every_list_of_the_same_bytes_pays_from_one_budget() {
    // Each inner list alone would be short enough.
    let bytes = [4u8, 4, 4, 4, 4];
    assert_eq!(decode::<Vec<Vec<()>>>(&bytes), Err(DecodeError::TooManyElements { limit: 5 }));
}

#[test]
fn no_visitor_is_told_a_length_to_reserve() {
    struct Hint(Option<usize>);
    impl<'de> Deserialize<'de> for Hint {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct HintVisitor;
            impl<'de> Visitor<'de> for HintVisitor {
                type Value = Hint;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a list")
                }
                fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Hint, A::Error> {
                    let hint = elements.size_hint();
                    while elements.next_element::<u8>()?.is_some() {}
                    Ok(Hint(hint))
                }
            }
            deserializer.deserialize_seq(HintVisitor)
        }
    }
    assert_eq!(decode::<Hint>(&encoded(&vec![0u8; 10])).unwrap().0, Some(10));
    assert_eq!(decode::<Hint>(&encoded(&vec![0u8; 100_000])).unwrap().0, Some(4096));
}

#[test]
fn a_visitor_must_read_all_elements() {
    #[derive(Debug)]
    struct First;
    impl<'de> Deserialize<'de> for First {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct FirstVisitor;
            impl<'de> Visitor<'de> for FirstVisitor {
                type Value = First;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a list")
                }
                fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<First, A::Error> {
                    elements.next_element::<u8>()?;
                    Ok(First)
                }
            }
            deserializer.deserialize_seq(FirstVisitor)
        }
    }
    assert_eq!(invalid::<First>(&[2, 0, 0]), "expected fewer elements, found 2 elements");
}

#[test]
fn reasons_are_kept() {
    assert_eq!(invalid::<bool>(&[2]), "expected a boolean, found neither 0 nor 1");
    assert_eq!(invalid::<Option<u8>>(&[2]), "expected an option, found neither 0 nor 1");
    assert_eq!(invalid::<char>(&[0]), "expected a character, found something else");
    assert_eq!(invalid::<String>(&[1, 0xff]), "expected text in UTF-8, found other bytes");
    assert_eq!(invalid::<u16>(&[0xff, 0xff, 0xff]), "expected an integer, found one that is too large");
    assert_eq!(invalid::<Shape>(&[9]), "expected variant index 0 <= i < 4, found the integer 9");
    assert_eq!(invalid::<std::num::NonZeroU8>(&[0]), "expected a nonzero u8, found the integer 0");
    assert_eq!(decode::<u8>(&[]), Err(DecodeError::Truncated));
    assert_eq!(decode::<()>(&[1, 2]), Err(DecodeError::Trailing { left: 2 }));
    let error = decode::<IgnoredAny>(&[1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a type that knows what comes next, found one that asks for a value to ignore",
    );
}

#[test]
fn reasons_of_types_are_kept_wherever_they_are() {
    #[derive(Debug)]
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("not outside of a call"))
        }
    }
    impl<'de> Deserialize<'de> for Stubborn {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("not inside of a call"))
        }
    }
    let reason = EncodeError::Refused("not outside of a call".into());
    assert_eq!(refused(&Stubborn), reason);
    assert_eq!(refused(&(1, "text", vec![Some(Ok::<_, ()>((2, Stubborn)))])), reason);
    assert_eq!(refused(&BTreeMap::from([(1, Stubborn)])), reason);
    assert_eq!(invalid::<Stubborn>(&[]), "not inside of a call");
    assert_eq!(invalid::<(u8, Vec<Option<Result<Stubborn, ()>>>)>(&[1, 1, 1, 0]), "not inside of a call");
}

#[test]
fn reasons_are_cut_off() {
    struct Talkative;
    impl Serialize for Talkative {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("ß".repeat(100_000)))
        }
    }
    let EncodeError::Refused(text) = refused(&Talkative) else { panic!() };
    assert_eq!(*text, *("ß".repeat(512) + "…"));
}

#[test]
fn what_the_receiver_could_not_read_is_not_sent() {
    struct Liar;
    impl Serialize for Liar {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut list = serializer.serialize_seq(Some(2))?;
            list.serialize_element(&1u8)?;
            list.end()
        }
    }
    struct Unsure;
    impl Serialize for Unsure {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_seq(None)?.end()
        }
    }
    #[derive(Serialize)]
    struct Gap {
        #[serde(skip_serializing_if = "Option::is_none")]
        gap: Option<u8>,
    }
    assert_eq!(refused(&Liar), EncodeError::WrongLength { announced: 2, found: 1 });
    assert_eq!(refused(&Unsure), EncodeError::UnknownLength);
    assert_eq!(refused(&Gap { gap: None }), EncodeError::SkippedField("gap"));
    assert_eq!(encoded(&Gap { gap: Some(1) }), [1, 1]);
}

#[test]
fn a_panic_leaves_nothing_behind() {
    struct Panics;
    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            std::panic::resume_unwind(Box::new(()))
        }
    }
    let mut buffer = b"before".to_vec();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| encode(&("text", Panics), &mut buffer)));
    assert!(result.is_err());
    assert_eq!(buffer, b"before");
}

#[test]
fn formatted_text_is_text() {
    struct Formatted(usize);
    impl fmt::Display for Formatted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            (0..self.0).try_for_each(|n| write!(f, "{n}"))
        }
    }
    impl Serialize for Formatted {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }
    for len in [0, 1, 3, 200] {
        assert_eq!(encoded(&(7u8, Formatted(len))), encoded(&(7u8, Formatted(len).to_string())));
    }
}

#[test]
fn references_are_a_number_and_an_index() {
    let reference = Reference { kind: ReferenceKind::Function, index: 300 };
    round_trip(&reference);
    assert_eq!(encoded(&reference), encoded(&(1u8, 300u32)));
    assert_eq!(invalid::<Reference>(&[3, 0]), "expected a kind of reference, found the integer 3");
}

#[test]
fn errors_are_small() {
    assert!(size_of::<EncodeError>() <= 24);
    assert!(size_of::<DecodeError>() <= 24);
}

fn try_all(bytes: &[u8]) {
    let _ = decode::<Value>(bytes);
    let _ = decode::<Everything>(bytes);
    let _ = decode::<Vec<Shape>>(bytes);
    let _ = decode::<(u64, Option<&str>, Bytes<'_>, char, f32)>(bytes);
    let _ = decode::<HashMap<Option<String>, Tree>>(bytes);
    let _ = decode::<Chain>(bytes);
    let _ = decode::<Vec<()>>(bytes);
}

#[test]
fn garbage_of_every_length_is_an_error_or_a_value() {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = Vec::new();
    for case in 0..100_000u64 {
        bytes.clear();
        // Half of it is made of small numbers, which get further: they are tags and lengths.
        let mask = if case % 2 == 0 { 0xff } else { 0x0f };
        bytes.extend((0..case % 257).map(|_| (random() & mask) as u8));
        try_all(&bytes);
        if let Ok(value) = decode::<Value>(&bytes) {
            // A hostile encoding need not be the one that we would have made, but means the same.
            let again: Value = decode(&encoded(&value)).unwrap();
            assert_eq!(format!("{again:?}"), format!("{value:?}"));
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_shapes_round_trip(
        number in any::<(i64, u64, f64, char)>(),
        text in ".*",
        bytes in any::<Vec<u8>>(),
        map in any::<HashMap<String, Option<Vec<i16>>>>(),
    ) {
        let value = (number, text, ByteBuf(bytes), map);
        let bytes = encoded(&value);
        prop_assert_eq!(&bytes, &unchecked(&value));
        prop_assert_eq!(decode::<((i64, u64, f64, char), String, ByteBuf, HashMap<String, Option<Vec<i16>>>)>(&bytes).unwrap(), value);
    }

    #[test]
    fn a_changed_byte_is_an_error_or_a_value(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for value in values() {
            let mut bytes = encoded(&value);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            try_all(&bytes);
        }
    }
}
