//! Everything that an interface may be made of, in the strictest of crates.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused,
    unused_qualifications,
    elided_lifetimes_in_paths,
    single_use_lifetimes,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
#![allow(clippy::missing_errors_doc, reason = "the methods say so themselves")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use remote_object::{CallError, Remote, interface};
use serde::{Deserialize, Serialize};

/// An alias of the usual kind.
pub type Result<T, E = CallError> = std::result::Result<T, E>;

/// A macro in the place of a type.
macro_rules! list {
    ($element:ty) => { Vec<$element> };
}

/// A whole interface by a macro, whose types are fragments.
macro_rules! counter {
    ($name:ident, $number:ty) => {
        /// Counts.
        #[interface]
        pub trait $name: Send + Sync {
            /// The next number.
            fn next(&self, step: $number) -> Result<$number>;
        }
    };
}
counter!(Counter, u16);

/// What is borrowed from the message.
#[derive(Debug, Deserialize, Serialize)]
pub struct Label<'a> {
    /// Its text.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Has an outline.
#[interface]
pub trait Shape: Debug + Send + Sync + 'static {
    /// Its name.
    #[remote(property)]
    fn name(&self) -> Result<String>;

    /// A default, by another method.
    fn shout(&self) -> Result<String> {
        Ok(self.name()?.to_uppercase())
    }
}

/// Has a surface.
#[interface]
pub trait Filled: Shape {
    /// How it is filled.
    fn colour(&self) -> Result<String>;
}

/// Has corners.
#[interface]
pub trait Cornered: Shape {
    /// How many.
    fn corners(&self) -> Result<u32>;
}

/// A shape by two ways.
#[interface(crate = remote_object)]
pub trait Square: Filled + Cornered + Send + Sync {
    /// The length of a side.
    fn side(&self) -> Result<u32>;
}

/// Methods of all kinds.
#[interface]
pub trait Shapes: Send + Sync {
    /// Of one interface.
    fn square(&self) -> Result<Remote<dyn Square>>;
    /// The same object by a supertrait of it.
    fn shape(&self) -> Result<Remote<dyn Shape>>;
    /// Whether it is the square.
    fn is_square(&self, shape: Remote<dyn Shape>) -> Result<bool>;
    /// The same, of many.
    fn are_squares(&self, shapes: Vec<Remote<dyn Cornered>>) -> Result<list!(bool)>;

    /// Borrows inside of an argument.
    fn join(&self, first: Option<&str>, rest: &[&str], last: Cow<'_, str>) -> Result<String>;
    /// Borrows in a type of the application's own.
    fn label(&self, label: &Label<'_>, none: Option<Label<'_>>) -> Result<Cow<'static, str>>;
    /// Borrows in a map, and bytes.
    fn weigh(&self, parts: BTreeMap<&str, &[u8]>, more: &[&[u8]], text: &&str) -> Result<usize>;
    /// Is called what a keyword is called.
    fn r#match(&self, r#type: &str, _unused: (), self_: Box<str>, invocation: u8) -> Result<String>;
    /// A macro as an argument's type.
    fn sum(&self, numbers: list!(u64)) -> Result<u64>;

    /// Is there on one system.
    #[cfg(unix)]
    fn system(&self) -> Result<String>;
    /// Is there on the others.
    #[cfg(not(unix))]
    fn system(&self, other: &str) -> Result<String>;
    /// Is nowhere.
    #[cfg(any())]
    fn nowhere(&self) -> Result<Nothing>;

    /// Is old.
    #[deprecated(note = "it is old")]
    #[must_use = "it is a number"]
    fn old(&self) -> Result<u8>;
    /// Knows what it does.
    #[expect(clippy::too_many_arguments, reason = "the most that there can be")]
    #[rustfmt::skip]
    fn twelve(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8) -> Result<u32>;
    /// By absolute paths.
    fn path(&self, text: &str, number: ::std::primitive::u8) -> ::std::result::Result<u8, CallError>;
    /// Counts.
    fn counter(&self) -> Result<Remote<dyn Counter>>;
    /// Of another module.
    fn bare(&self) -> Result<Remote<dyn bare::Bare>>;
}

/// A module that nothing is imported into.
pub mod bare {
    #![no_implicit_prelude]

    /// Says something.
    #[::remote_object::interface]
    pub trait Bare: ::std::marker::Send + ::std::marker::Sync {
        /// Says it.
        fn say(
            &self,
            words: &[u8],
            more: ::std::vec::Vec<u8>,
            some: &[::std::string::String],
        ) -> ::std::result::Result<usize, ::remote_object::CallError>;
    }
}

/// Makes the objects that implement all of these.
#[must_use]
pub fn shapes() -> Arc<dyn Shapes> {
    Arc::new(Drawing { square: Arc::new(Side(3)) })
}

struct Drawing {
    square: Arc<Side>,
}

impl Shapes for Drawing {
    fn square(&self) -> Result<Remote<dyn Square>> {
        Ok(Remote::new(self.square.clone()))
    }

    fn shape(&self) -> Result<Remote<dyn Shape>> {
        Ok(Remote::new(self.square.clone()))
    }

    fn is_square(&self, shape: Remote<dyn Shape>) -> Result<bool> {
        let square: Arc<dyn Shape> = self.square.clone();
        Ok(shape == Remote::new(square))
    }

    fn are_squares(&self, shapes: Vec<Remote<dyn Cornered>>) -> Result<Vec<bool>> {
        let square: Remote<dyn Cornered> = Remote::new(self.square.clone());
        Ok(shapes.into_iter().map(|shape| shape == square).collect())
    }

    fn join(&self, first: Option<&str>, rest: &[&str], last: Cow<'_, str>) -> Result<String> {
        Ok(format!("{first:?} {rest:?} {last}"))
    }

    fn label(&self, label: &Label<'_>, none: Option<Label<'_>>) -> Result<Cow<'static, str>> {
        Ok(Cow::Owned(format!("{} {:?} {}", label.text, label.bytes, none.is_none())))
    }

    fn weigh(&self, parts: BTreeMap<&str, &[u8]>, more: &[&[u8]], text: &&str) -> Result<usize> {
        let parts: usize = parts.iter().map(|(name, part)| name.len() + part.len()).sum();
        Ok(parts + more.iter().map(|part| part.len()).sum::<usize>() + text.len())
    }

    fn r#match(&self, r#type: &str, _unused: (), self_: Box<str>, invocation: u8) -> Result<String> {
        Ok(format!("{type} {self_} {invocation}"))
    }

    fn sum(&self, numbers: Vec<u64>) -> Result<u64> {
        Ok(numbers.iter().sum())
    }

    #[cfg(unix)]
    fn system(&self) -> Result<String> {
        Ok("unix".to_owned())
    }

    #[cfg(not(unix))]
    fn system(&self, other: &str) -> Result<String> {
        Ok(other.to_owned())
    }

    fn old(&self) -> Result<u8> {
        Ok(70)
    }

    #[rustfmt::skip]
    #[expect(clippy::many_single_char_names, reason = "nobody reads them")]
    fn twelve(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8) -> Result<u32> {
        Ok([a, b, c, d, e, f, g, h, i, j, k, l].into_iter().map(u32::from).sum())
    }

    fn path(&self, text: &str, number: u8) -> Result<u8> {
        text.parse::<u8>().map(|text| text + number).map_err(|error| CallError::from_error(&error))
    }

    fn counter(&self) -> Result<Remote<dyn Counter>> {
        Ok(Remote::new(Arc::new(Side(9))))
    }

    fn bare(&self) -> Result<Remote<dyn bare::Bare>> {
        Ok(Remote::new(Arc::new(Side(1))))
    }
}

#[derive(Debug)]
struct Side(u32);

impl Shape for Side {
    fn name(&self) -> Result<String> {
        Ok("square".to_owned())
    }
}

impl Filled for Side {
    fn colour(&self) -> Result<String> {
        Ok("red".to_owned())
    }
}

impl Cornered for Side {
    fn corners(&self) -> Result<u32> {
        Ok(4)
    }
}

impl Square for Side {
    fn side(&self) -> Result<u32> {
        Ok(self.0)
    }
}

impl Counter for Side {
    fn next(&self, step: u16) -> Result<u16> {
        Ok(step + 1)
    }
}

impl bare::Bare for Side {
    fn say(&self, words: &[u8], more: Vec<u8>, some: &[String]) -> Result<usize> {
        Ok(words.len() + more.len() + some.len())
    }
}

/// Takes what a program that knows nothing of processes takes.
fn describe(shape: &dyn Shape) -> Result<String> {
    Ok(format!("{} {}", shape.name()?, shape.shout()?))
}

fn area(square: Arc<dyn Square>) -> Result<u32> {
    let side = std::thread::spawn(move || square.side()).join().expect("nothing panics")?;
    Ok(side * side)
}

/// Uses them all.
pub fn use_all(shapes: &dyn Shapes) -> Result<()> {
    arguments(shapes)?;
    attributes(shapes)?;
    supertraits(shapes)
}

fn arguments(shapes: &dyn Shapes) -> Result<()> {
    assert_eq!(shapes.join(Some("a"), &["b", "", "c"], Cow::Borrowed("d"))?, r#"Some("a") ["b", "", "c"] d"#);
    assert_eq!(shapes.join(None, &[], "ü".into())?, "None [] ü");
    let label = Label { text: "red".into(), bytes: &[0, 255] };
    assert_eq!(shapes.label(&label, None)?, "red [0, 255] true");
    assert_eq!(shapes.weigh(BTreeMap::from([("one", &[1, 2][..])]), &[&[], &[3]], &"four")?, 10);
    assert_eq!(shapes.r#match("type", (), "self".into(), 7)?, "type self 7");
    assert_eq!(shapes.sum(vec![1, 2, 3])?, 6);
    assert_eq!(shapes.path("40", 2)?, 42);
    assert_eq!(shapes.twelve(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)?, 78);
    assert_eq!(shapes.counter()?.next(7)?, 8);
    assert_eq!(shapes.bare()?.say(&[1, 2], vec![3], &[String::new()])?, 4);
    Ok(())
}

fn attributes(shapes: &dyn Shapes) -> Result<()> {
    #[cfg(unix)]
    assert_eq!(shapes.system()?, "unix");
    #[cfg(not(unix))]
    assert_eq!(shapes.system("other")?, "other");
    #[expect(deprecated, reason = "it works all the same")]
    let old = shapes.old()?;
    assert_eq!(old, 70);
    Ok(())
}

fn supertraits(shapes: &dyn Shapes) -> Result<()> {
    let square = shapes.square()?;
    assert_eq!((square.side()?, square.corners()?, &*square.colour()?), (3, 4, "red"));
    assert_eq!(square.shout()?, "SQUARE");
    assert!(format!("{:?}", &*square).starts_with("Square(") || format!("{:?}", &*square) == "Side(3)");
    let shape = shapes.shape()?;
    assert_eq!(shape.name()?, "square");
    assert!(shapes.is_square(shape)?);
    // As if it were here.
    assert_eq!(describe(&*square)?, "square SQUARE");
    assert_eq!(area(Remote::as_arc(&square).clone())?, 9);
    // By any of its interfaces it is the original.
    let plain: Arc<dyn Square> = Remote::into_arc(square);
    let by_supertrait: Arc<dyn Shape> = plain.clone();
    assert!(shapes.is_square(Remote::new(by_supertrait))?);
    let cornered: Arc<dyn Cornered> = plain;
    assert_eq!(shapes.are_squares(vec![Remote::new(cornered.clone()), Remote::new(cornered)])?, [true, true]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use remote_object::Interface;

    use super::*;

    /// Methods are described with those of the supertraits behind them, by two ways as well.
    #[test]
    fn descriptions_have_what_is_inherited() {
        let described: Vec<_> = <dyn Square>::METHODS.iter().map(|method| (method.interface, method.name)).collect();
        let (name, shout) = (("Shape", "name"), ("Shape", "shout"));
        let expected = [("Square", "side"), ("Filled", "colour"), name, shout, ("Cornered", "corners"), name, shout];
        assert_eq!(described, expected);
    }

    /// A condition that does not hold leaves no trace of a method.
    #[test]
    fn descriptions_follow_conditions() {
        let named = |name: &str| <dyn Shapes>::METHODS.iter().filter(|method| method.name == name).count();
        assert_eq!((named("system"), named("nowhere"), named("match")), (1, 0, 1));
    }

    /// An interface may stand in a function.
    #[test]
    fn interface_is_made_in_a_function() {
        #[interface]
        trait Local: Send + Sync {
            fn number(&self) -> Result<u8>;
        }
        struct One;
        impl Local for One {
            fn number(&self) -> Result<u8> {
                Ok(1)
            }
        }
        let one: Arc<dyn Local> = Arc::new(One);
        assert_eq!(Remote::new(one).number(), Ok(1));
        assert_eq!(<dyn Local>::NAME, "Local");
    }
}
