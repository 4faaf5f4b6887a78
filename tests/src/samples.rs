//! Values of all kinds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Its `Debug` form tells everything, the signs of zeros too; NaNs apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub flags: (bool, bool),
    pub signed: (i8, i16, i32, i64),
    pub unsigned: (u8, u16, u32, u64),
    pub floats: Vec<f64>,
    pub singles: Vec<f32>,
    pub character: char,
    pub text: String,
    pub bytes: Vec<u8>,
    pub list: Vec<Option<i64>>,
    pub empty: (Vec<String>, (), Option<u8>),
    pub map: BTreeMap<String, Vec<i32>>,
    pub numbered: BTreeMap<i32, String>,
    pub shapes: Vec<Shape>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    Nothing,
    Wrapped(i32),
    Pair(i32, String),
    Named { width: u32, inner: Option<Box<Self>> },
}

impl Sample {
    pub fn all() -> Vec<Self> {
        vec![Self::default(), Self::lowest(), Self::highest()]
    }

    fn lowest() -> Self {
        Self {
            flags: (true, false),
            signed: (i8::MIN, i16::MIN, i32::MIN, i64::MIN),
            floats: vec![-0.0, 0.0, f64::MIN, f64::MIN_POSITIVE, f64::NEG_INFINITY, f64::from_bits(1), -1.5],
            singles: vec![-0.0, f32::MIN, f32::NEG_INFINITY, f32::from_bits(1)],
            character: '\0',
            text: "\0 in the middle\0".to_owned(),
            bytes: vec![0],
            list: vec![None, Some(i64::MIN), None],
            map: BTreeMap::from([(String::new(), vec![])]),
            numbered: BTreeMap::from([(i32::MIN, "lowest".to_owned())]),
            shapes: vec![Shape::Nothing, Shape::Named { width: 0, inner: None }],
            ..Self::default()
        }
    }

    fn highest() -> Self {
        Self {
            flags: (false, true),
            signed: (i8::MAX, i16::MAX, i32::MAX, i64::MAX),
            unsigned: (u8::MAX, u16::MAX, u32::MAX, u64::MAX),
            floats: vec![f64::MAX, f64::INFINITY, f64::EPSILON, 2f64.powi(53) + 2.0, 1e300],
            singles: vec![f32::MAX, f32::INFINITY, 0.1],
            character: '\u{10ffff}',
            text: "Grüße, 世界 👋🏽 \u{202e}\r\n\t\"'\\".to_owned(),
            bytes: (0..=255).cycle().take(70_000).collect(),
            list: vec![Some(i64::MAX), Some(0), None],
            empty: (vec![String::new()], (), Some(0)),
            map: BTreeMap::from([("ключ".to_owned(), vec![1, -1]), ("other".to_owned(), vec![])]),
            numbered: BTreeMap::from([(i32::MAX, "highest".to_owned()), (0, String::new())]),
            shapes: vec![
                Shape::Wrapped(-1),
                Shape::Pair(7, "seven".to_owned()),
                Shape::Named { width: 3, inner: Some(Box::new(Shape::Nothing)) },
            ],
        }
    }

    /// NaNs that differ in their sign and payload.
    pub fn nans() -> Vec<f64> {
        vec![f64::NAN, -f64::NAN, f64::from_bits(0x7ff8_dead_beef_0001)]
    }
}

/// Something that can be as deep as one likes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nest(pub Vec<Self>);

impl Nest {
    pub fn deep(levels: usize) -> Self {
        (1..levels).fold(Self::default(), |inner, _| Self(vec![inner]))
    }
}
