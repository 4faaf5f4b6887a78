use std::any::{Any, TypeId, type_name};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use remote_protocol::call::Access;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::interface::MethodResult;
use crate::invocation::{Described, Invocation};
use crate::members::Members;
use crate::object::{Key, Object, Wanted};

/// An object without a trait: its members are closures. A child uses it as a [`RemoteObject`](crate::RemoteObject).
///
/// Closures take up to eight arguments, which may be or contain a [`Callback`](crate::Callback), a
/// [`Remote`](crate::Remote) or a [`RemoteObject`](crate::RemoteObject), and return a `Result`, or a [`Promise`](crate::Promise) of what
/// they answer with later. They run where methods of interfaces do, and may run at once. A member that is there already is replaced.
///
/// ```
/// use std::num::ParseIntError;
/// use std::sync::{Arc, Mutex};
///
/// use remote_object::{CallError, DynamicObject, Exports, RemoteObject};
///
/// let memory = Arc::new(Mutex::new(0));
/// let read = Arc::clone(&memory);
/// let calculator = DynamicObject::new("Calculator")
///     .method("add", |one: i64, other: i64| -> Result<i64, CallError> { Ok(one + other) })
///     .method("parse", |text: String| text.parse::<i64>())
///     .property(
///         "memory",
///         move || -> Result<i64, CallError> { Ok(*read.lock().unwrap()) },
///         move |value: i64| -> Result<(), CallError> {
///             *memory.lock().unwrap() = value;
///             Ok(())
///         },
///     );
///
/// // It can be tried out where it is, as a child would use it.
/// let calculator = RemoteObject::from(calculator);
/// assert_eq!(calculator.call("add", (1, 2)), Ok(3));
/// calculator.set("memory", 7)?;
/// assert_eq!(calculator.get("memory"), Ok(7));
/// let error = calculator.call::<i64>("add", (1, "two")).unwrap_err();
/// assert_eq!(error.to_string(), "arguments of `add`: argument 2: expected i64, found the string \"two\"");
/// assert!(matches!(calculator.call::<i64>("parse", ("ten",)), Err(CallError::Failed(report)) if report.kind == "ParseIntError"));
///
/// Exports::new().module_dynamic("calculator", calculator)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct DynamicObject {
    name: String,
    /// As others find it: no interface is called so.
    interface: String,
    members: Vec<Entry>,
}

struct Entry {
    name: String,
    access: Access,
    arguments: Vec<String>,
    serve: Box<ServeMember>,
}

/// Answers a call with what a member returns.
type ServeMember = dyn Fn(Invocation<'_>, &Described<'_>) + Send + Sync;

impl DynamicObject {
    /// An object without members; the name is for errors and [`Members`].
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), interface: format!("dynamic {name}"), members: Vec::new() }
    }

    /// A method, for [`call`](crate::RemoteObject::call).
    pub fn method<A, F: MemberFn<A>>(self, name: &str, method: F) -> Self {
        self.member(name, Access::Call, method)
    }

    /// A property that can be read and written.
    pub fn property<G: MemberFn<()>, V, S: MemberFn<(V,)>>(self, name: &str, get: G, set: S) -> Self {
        self.member(name, Access::Get, get).member(name, Access::Set, set)
    }

    /// A property that can only be read.
    pub fn read_only<G: MemberFn<()>>(self, name: &str, get: G) -> Self {
        self.member(name, Access::Get, get)
    }

    /// Makes the object itself a function, for [`invoke`](crate::RemoteObject::invoke).
    pub fn function<A, F: MemberFn<A>>(self, function: F) -> Self {
        self.member("", Access::Call, function)
    }

    /// Makes the object itself a constructor, for [`construct`](crate::RemoteObject::construct): it returns a
    /// [`RemoteObject`](crate::RemoteObject) or a [`Remote`](crate::Remote).
    pub fn constructor<A, F: MemberFn<A>>(self, constructor: F) -> Self {
        self.member("", Access::Construct, constructor)
    }

    /// A constructor with a name, for [`construct_member`](crate::RemoteObject::construct_member).
    pub fn member_constructor<A, F: MemberFn<A>>(self, name: &str, constructor: F) -> Self {
        self.member(name, Access::Construct, constructor)
    }

    fn member<A, F: MemberFn<A>>(mut self, name: &str, access: Access, member: F) -> Self {
        self.members.retain(|entry| (&*entry.name, entry.access) != (name, access));
        let serve = move |invocation: Invocation<'_>, described: &Described<'_>| member.serve(invocation, described);
        self.members.push(Entry { name: name.to_owned(), access, arguments: F::arguments(), serve: Box::new(serve) });
        self
    }

    fn describe(&self) -> Members {
        let mut members = Members::new(self.name.clone());
        for entry in &self.members {
            members.add(&entry.name, entry.access, entry.arguments.clone());
        }
        members
    }
}

impl Object for DynamicObject {
    fn dispatch(&self, invocation: Invocation<'_>) {
        let entry = invocation.named().and_then(|(name, access)| {
            self.members.iter().find(|entry| (&*entry.name, entry.access) == (name, access))
        });
        match entry {
            Some(entry) => {
                let name = if entry.name.is_empty() { &self.name } else { &entry.name };
                (entry.serve)(invocation, &Described { object: &self.name, name, arguments: &entry.arguments });
            }
            None => invocation.unknown(&self.describe()),
        }
    }

    fn interface(&self) -> &str {
        &self.interface
    }

    fn interfaces(&self) -> Vec<String> {
        vec![self.interface.clone()]
    }

    fn key(&self) -> Key {
        Key::new(std::ptr::from_ref(self).addr(), TypeId::of::<Self>())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn upcast(&self, _wanted: Wanted<'_>) -> Option<Arc<dyn Object>> {
        None
    }
}

impl fmt::Debug for DynamicObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.describe();
        f.debug_struct("DynamicObject").field("name", &self.name).field("members", &members.list).finish()
    }
}

/// What a member of a [`DynamicObject`] is made of: closures of up to eight arguments that return a `Result` or a
/// [`Promise`](crate::Promise).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a member of a `DynamicObject`",
    note = "it has to be `Send + Sync + 'static`, take up to eight owned arguments, each `DeserializeOwned`, and return \
            `Result<T, E>` or `Promise<T, E>`, where `T` is `Serialize` and `E` is an error"
)]
pub trait MemberFn<A>: Send + Sync + 'static {
    /// The types of its arguments.
    #[doc(hidden)]
    fn arguments() -> Vec<String>;

    /// Answers a call with what it returns.
    #[doc(hidden)]
    fn serve(&self, invocation: Invocation<'_>, described: &Described<'_>);
}

macro_rules! member_fn {
    ($($argument:ident)*) => {
        impl<F, R, $($argument),*> MemberFn<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R + Send + Sync + 'static,
            R: MethodResult,
            R::Value: Serialize + 'static,
            R::Error: Error + 'static,
            $($argument: DeserializeOwned,)*
        {
            fn arguments() -> Vec<String> {
                vec![$(short(type_name::<$argument>())),*]
            }

            #[allow(non_snake_case, reason = "variables are named like their types")]
            fn serve(&self, invocation: Invocation<'_>, described: &Described<'_>) {
                invocation.run(described, |($($argument,)*): ($($argument,)*)| self($($argument),*));
            }
        }
    };
}

member_fn!();
member_fn!(A);
member_fn!(A B);
member_fn!(A B C);
member_fn!(A B C D);
member_fn!(A B C D G);
member_fn!(A B C D G H);
member_fn!(A B C D G H I);
member_fn!(A B C D G H I J);

/// A type's name without the paths in it.
fn short(name: &str) -> String {
    let mut short = String::new();
    for character in name.chars() {
        short.push(character);
        if short.ends_with("::") {
            let word = short.trim_end_matches("::").trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
            short.truncate(word.len());
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_without_their_paths() {
        assert_eq!(short("i64"), "i64");
        assert_eq!(short("alloc::vec::Vec<alloc::string::String>"), "Vec<String>");
        assert_eq!(short("(u8, &app::Tab)"), "(u8, &Tab)");
        assert_eq!(short(type_name::<crate::Callback<(String, Option<u8>)>>()), "Callback<(String, Option<u8>)>");
    }
}
