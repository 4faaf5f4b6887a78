use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::interface::Interface;
use crate::object::address;
use crate::scope;

/// An object of the parent, used by its interface: `Remote<dyn Trait>` derefs to `dyn Trait`.
///
/// In the parent it holds the object itself, in a child a proxy whose methods are calls. It may be an argument, a result or part of one;
/// one that comes back to the parent is the object it was made from.
/// When the last one in a child is dropped, the child gives the object back.
///
/// It has no methods of its own, so that it hides none of the interface's: `Remote::as_arc(&remote)`.
pub struct Remote<T: ?Sized> {
    object: Arc<T>,
}

impl<T: Interface + ?Sized> Remote<T> {
    /// In the parent, an object to be lent.
    ///
    /// In a child only what came from the parent can be sent; anything else is an error when it is.
    #[must_use]
    pub const fn new(object: Arc<T>) -> Self {
        Self { object }
    }

    /// The object or proxy.
    #[must_use]
    pub const fn as_arc(remote: &Self) -> &Arc<T> {
        &remote.object
    }

    /// The object or proxy; still recognised when it is sent.
    #[must_use]
    pub fn into_arc(remote: Self) -> Arc<T> {
        remote.object
    }
}

impl<T: ?Sized> Deref for Remote<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.object
    }
}

impl<T: ?Sized> Clone for Remote<T> {
    fn clone(&self) -> Self {
        Self { object: Arc::clone(&self.object) }
    }
}

impl<T: Interface + ?Sized> From<Arc<T>> for Remote<T> {
    fn from(object: Arc<T>) -> Self {
        Self::new(object)
    }
}

/// Whether they are the same object.
impl<T: ?Sized> PartialEq for Remote<T> {
    fn eq(&self, other: &Self) -> bool {
        address(&self.object) == address(&other.object)
    }
}

impl<T: ?Sized> Eq for Remote<T> {}

impl<T: Interface + ?Sized> fmt::Debug for Remote<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote<{}>", T::NAME)
    }
}

impl<T: Interface + ?Sized> Serialize for Remote<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        scope::send_object(&self.object).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T: Interface + ?Sized> Deserialize<'de> for Remote<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reference = Deserialize::deserialize(deserializer)?;
        let object = scope::receive_object(reference).map_err(serde::de::Error::custom)?;
        Ok(Self { object })
    }
}
