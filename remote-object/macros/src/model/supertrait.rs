//! What stands behind the colon after a trait's name.

use syn::{Path, TypeParamBound};

/// A bound on the trait, by what is made of it.
pub(crate) enum Supertrait<'a> {
    Send,
    Sync,
    /// `Debug` or `'static`, which every proxy is.
    OfEveryProxy,
    /// Any other trait: the compiler says so if it is no interface.
    Interface(&'a Path),
    /// What no proxy can be.
    Refused,
}

impl<'a> Supertrait<'a> {
    pub(crate) fn of(bound: &'a TypeParamBound) -> Self {
        match bound {
            TypeParamBound::Lifetime(lifetime) if lifetime.ident == "static" => Self::OfEveryProxy,
            TypeParamBound::Trait(bound) if bound.lifetimes.is_none() && bound.maybe.is_none() => {
                Self::named(&bound.path)
            }
            _ => Self::Refused,
        }
    }

    fn named(path: &'a Path) -> Self {
        let Some(last) = path.segments.last().filter(|last| last.arguments.is_none()) else {
            return Self::Refused;
        };
        match last.ident.to_string().as_str() {
            "Send" => Self::Send,
            "Sync" => Self::Sync,
            "Debug" | "Unpin" => Self::OfEveryProxy,
            name if OF_THE_LANGUAGE.contains(&name) => Self::Refused,
            _ => Self::Interface(path),
        }
    }
}

/// Traits that everybody knows not to be interfaces.
const OF_THE_LANGUAGE: [&str; 24] = [
    "Any",
    "AsMut",
    "AsRef",
    "Clone",
    "Copy",
    "Default",
    "Deref",
    "Deserialize",
    "DeserializeOwned",
    "Display",
    "Drop",
    "Eq",
    "Error",
    "Hash",
    "Iterator",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Read",
    "RefUnwindSafe",
    "Serialize",
    "Sized",
    "UnwindSafe",
    "Write",
];
