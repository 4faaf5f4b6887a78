//! How an argument gets to the other process.

use syn::{GenericArgument, PathArguments, Type, TypePath};

/// How an argument is encoded by the proxy and handed to the method by the dispatcher.
pub(crate) enum Passing {
    /// `&str`: lent from the message.
    Str,
    /// `&[u8]`: lent from the message as one run of bytes.
    Bytes,
    /// `Vec<u8>`: one run of bytes, copied for the method.
    ByteVec,
    /// `&[T]`: a list made for the call and lent to the method.
    Slice(Box<Type>),
    /// `&T`: a `T` made for the call and lent to the method.
    Reference(Box<Type>),
    /// Anything else: made for the call and given to the method.
    Owned,
}

impl Passing {
    /// Judges by what is written: an alias of `Vec<u8>` is right too, but travels byte by byte.
    pub(crate) fn of(r#type: &Type) -> Self {
        match ungroup(r#type) {
            Type::Reference(reference) => match ungroup(&reference.elem) {
                Type::Path(path) if path.path.is_ident("str") => Self::Str,
                Type::Slice(slice) if is_byte(&slice.elem) => Self::Bytes,
                Type::Slice(slice) => Self::Slice(slice.elem.clone()),
                _ => Self::Reference(reference.elem.clone()),
            },
            Type::Path(path) if is_byte_vec(path) => Self::ByteVec,
            _ => Self::Owned,
        }
    }
}

/// Looks through parentheses, and through what a `macro_rules` fragment leaves around a type.
pub(crate) fn ungroup(mut r#type: &Type) -> &Type {
    loop {
        r#type = match r#type {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return r#type,
        };
    }
}

fn is_byte(r#type: &Type) -> bool {
    matches!(ungroup(r#type), Type::Path(path) if path.path.is_ident("u8"))
}

fn is_byte_vec(r#type: &TypePath) -> bool {
    let Some(last) = r#type.path.segments.last() else {
        return false;
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return false;
    };
    let mut arguments = arguments.args.iter();
    last.ident == "Vec"
        && matches!(arguments.next(), Some(GenericArgument::Type(element)) if is_byte(element))
        && arguments.next().is_none()
}
