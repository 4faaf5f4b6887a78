use std::any::{Any, TypeId};
use std::sync::Arc;

use crate::interface::Interface;
use crate::invocation::Invocation;

/// An object that can be lent, its interface forgotten.
pub(crate) trait Object: Send + Sync {
    fn dispatch(&self, invocation: Invocation<'_>);
    fn interface(&self) -> &'static str;
    fn key(&self) -> Key;
    /// An [`Exported<T>`].
    fn as_any(&self) -> &dyn Any;
}

/// What makes two references refer to the same object: where it lies, and by which interface.
///
/// The table that holds the key holds the object, so that nothing else can lie there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    address: usize,
    interface: TypeId,
}

/// An object by one of its interfaces.
pub(crate) struct Exported<T: ?Sized>(pub(crate) Arc<T>);

impl<T: Interface + ?Sized> Object for Exported<T> {
    fn dispatch(&self, invocation: Invocation<'_>) {
        self.0.dispatch(invocation);
    }

    fn interface(&self) -> &'static str {
        T::NAME
    }

    fn key(&self) -> Key {
        Key { address: address(&self.0), interface: TypeId::of::<T>() }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Where the value of an `Arc` lies. No two live `Arc`s share it: their counters lie before it.
pub(crate) fn address<T: ?Sized>(object: &Arc<T>) -> usize {
    Arc::as_ptr(object).cast::<()>().addr()
}
