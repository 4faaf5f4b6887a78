use remote_protocol::call::Access;
use serde::{Deserialize, Serialize};

use crate::interface::{Method, MethodKind};

/// What an object offers by name, as [`RemoteObject::members`](crate::RemoteObject::members) lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Members {
    /// The name of its interface, or the one a [`DynamicObject`](crate::DynamicObject) was given.
    pub name: String,
    /// Its members, in the order in which they were declared.
    pub list: Vec<Member>,
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Member {
    /// Its name; empty for what the object itself is, a function or a constructor.
    pub name: String,
    /// What it is.
    pub kind: MemberKind,
    /// The arguments it takes, `name: Type` or `Type` alone; those of a property's setter are left out.
    pub arguments: Vec<String>,
}

/// What a member of an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MemberKind {
    /// A method, for [`call`](crate::RemoteObject::call).
    Method,
    /// The object itself is a function, for [`invoke`](crate::RemoteObject::invoke).
    Function,
    /// A constructor, for [`construct`](crate::RemoteObject::construct) or
    /// [`construct_member`](crate::RemoteObject::construct_member).
    Constructor,
    /// A property, for [`get`](crate::RemoteObject::get) and [`set`](crate::RemoteObject::set).
    Property {
        /// Whether it can be read.
        readable: bool,
        /// Whether it can be written.
        writable: bool,
    },
}

impl Members {
    /// The member of this name; the empty name is the object itself.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Member> {
        self.list.iter().find(|member| member.name == name)
    }

    pub(crate) const fn new(name: String) -> Self {
        Self { name, list: Vec::new() }
    }

    pub(crate) fn of(name: &str, methods: &[Method]) -> Self {
        let mut members = Self::new(name.to_owned());
        for method in methods {
            let (name, access) = access(method);
            members.add(name, access, method.arguments.iter().map(ToString::to_string).collect());
        }
        members
    }

    /// Adds what is reached by one access; a property may be there already, by another one.
    pub(crate) fn add(&mut self, name: &str, access: Access, arguments: Vec<String>) {
        let (reads, writes) = (access == Access::Get, access == Access::Set);
        if reads || writes {
            for member in &mut self.list {
                if let MemberKind::Property { readable, writable } = &mut member.kind
                    && member.name == name
                {
                    (*readable, *writable) = (*readable || reads, *writable || writes);
                    return;
                }
            }
        }
        let (kind, arguments) = match access {
            Access::Construct => (MemberKind::Constructor, arguments),
            Access::Call if name.is_empty() => (MemberKind::Function, arguments),
            Access::Call => (MemberKind::Method, arguments),
            Access::Get | Access::Set | Access::Members => {
                (MemberKind::Property { readable: reads, writable: writes }, Vec::new())
            }
        };
        self.list.push(Member { name: name.to_owned(), kind, arguments });
    }

    /// What is not there, for errors, and what there is under its name.
    pub(crate) fn missing(&self, name: &str, access: Access) -> String {
        let asked = match access {
            Access::Call | Access::Construct if name.is_empty() => {
                let itself = if access == Access::Call { "function" } else { "constructor" };
                return format!("{itself} of its own");
            }
            Access::Call => "method",
            Access::Construct => "constructor",
            Access::Get => "readable property",
            Access::Set => "writable property",
            Access::Members => "list of members",
        };
        let found = match self.get(name).map(|member| member.kind) {
            None => return format!("{asked} `{name}`"),
            Some(MemberKind::Method) => "a method",
            Some(MemberKind::Function) => "a function",
            Some(MemberKind::Constructor) => "a constructor",
            Some(MemberKind::Property { writable: false, .. }) => "a property that is only read",
            Some(MemberKind::Property { readable: false, .. }) => "a property that is only written",
            Some(MemberKind::Property { .. }) => "a property",
        };
        format!("{asked} `{name}`: it is {found}")
    }
}

/// The method of an interface that is reached by a name.
///
/// What constructs with the interface itself is its constructor `new`, or the only one.
pub(crate) fn find(methods: &'static [Method], name: &str, wanted: Access) -> Option<&'static Method> {
    if name.is_empty() && wanted == Access::Construct {
        let mut constructors = methods.iter().filter(|method| method.kind == MethodKind::Constructor);
        let new = constructors.clone().find(|method| method.name == "new");
        return new.or_else(|| constructors.next().filter(|_| constructors.next().is_none()));
    }
    methods.iter().find(|method| access(method) == (name, wanted))
}

/// The name by which a method is reached, and for what.
fn access(method: &Method) -> (&'static str, Access) {
    match method.kind {
        MethodKind::Method => (method.name, Access::Call),
        MethodKind::PropertyGet => (method.name, Access::Get),
        MethodKind::PropertySet => (method.name.strip_prefix("set_").unwrap_or(method.name), Access::Set),
        MethodKind::Constructor => (method.name, Access::Construct),
    }
}
