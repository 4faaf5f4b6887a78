use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use crate::interface::{Interface, interfaces};
use crate::invocation::Invocation;
use crate::members::Members;

/// An object that can be lent, its interface forgotten.
pub(crate) trait Object: Send + Sync {
    fn dispatch(&self, invocation: Invocation<'_>);
    /// The name of its interface.
    fn interface(&self) -> &str;
    /// That, and the names of those that it inherits from.
    fn interfaces(&self) -> Vec<String>;
    fn key(&self) -> Key;
    /// An [`Exported<T>`], a [`DynamicObject`](crate::DynamicObject), or the [`LentMemory`](crate::buffer::LentMemory) of a buffer.
    fn as_any(&self) -> &dyn Any;
    /// The same object by a supertrait of its interface.
    fn upcast(&self, wanted: Wanted<'_>) -> Option<Arc<dyn Object>>;

    /// The bytes that are lent with it, as far as they are limited.
    fn weight(&self) -> usize {
        0
    }
}

/// What makes two references refer to the same object: where it lies, and by which interface.
///
/// The table that holds the key holds the object, so that nothing else can lie there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    address: usize,
    interface: TypeId,
}

impl Key {
    pub(crate) const fn new(address: usize, interface: TypeId) -> Self {
        Self { address, interface }
    }
}

/// An object by one of its interfaces.
pub(crate) struct Exported<T: ?Sized>(pub(crate) Arc<T>);

impl<T: Interface + ?Sized> Object for Exported<T> {
    fn dispatch(&self, invocation: Invocation<'_>) {
        if let Some(unknown) = self.0.dispatch(invocation) {
            unknown.unknown(&Members::of(T::NAME, T::METHODS));
        }
    }

    fn interface(&self) -> &str {
        T::NAME
    }

    fn interfaces(&self) -> Vec<String> {
        interfaces::<T>().into_iter().map(str::to_owned).collect()
    }

    fn key(&self) -> Key {
        Key::new(address(&self.0), TypeId::of::<T>())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn upcast(&self, wanted: Wanted<'_>) -> Option<Arc<dyn Object>> {
        let mut upcast = Upcast { wanted, found: None };
        T::upcast(&self.0, &mut upcast);
        upcast.found
    }
}

/// The object by an interface: its own, or a supertrait of that.
pub(crate) fn by_interface<T: Interface + ?Sized>(object: &dyn Object) -> Option<Arc<T>> {
    let exported =
        |object: &dyn Object| object.as_any().downcast_ref::<Exported<T>>().map(|exported| Arc::clone(&exported.0));
    exported(object).or_else(|| exported(&*object.upcast(Wanted::Type(TypeId::of::<T>()))?))
}

/// Which interface an object is wanted by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    Type(TypeId),
    Name(&'a str),
}

/// Looks for an interface among the supertraits of another one. For generated code.
pub struct Upcast<'a> {
    wanted: Wanted<'a>,
    found: Option<Arc<dyn Object>>,
}

impl Upcast<'_> {
    /// Takes the object if this is the interface it is wanted by, and asks for the supertraits of this one if not.
    pub(crate) fn offer<T: Interface + ?Sized>(&mut self, object: Arc<T>) {
        let found = match self.wanted {
            Wanted::Type(wanted) => wanted == TypeId::of::<T>(),
            Wanted::Name(wanted) => wanted == T::NAME,
        };
        if found {
            self.found = Some(Arc::new(Exported(object)));
        } else if self.found.is_none() {
            T::upcast(&object, self);
        }
    }
}

impl fmt::Debug for Upcast<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upcast").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

/// Where the value of an `Arc` lies. No two live `Arc`s share it: their counters lie before it.
pub(crate) fn address<T: ?Sized>(object: &Arc<T>) -> usize {
    Arc::as_ptr(object).cast::<()>().addr()
}
