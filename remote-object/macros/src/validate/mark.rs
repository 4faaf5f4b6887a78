//! What does not fit a method's mark.

use crate::errors::Errors;
use crate::model::{Kind, Method, SETTER_PREFIX};

pub(super) fn marks(method: &Method, errors: &mut Errors) {
    if let Some(second) = method.marks.get(1) {
        errors.refuse(&second.path, "a method has one mark: remove this one");
    }
    let ident = &method.signature.ident;
    let name = method.name();
    match (method.kind(), method.arguments.as_slice()) {
        (Kind::PropertyGet, [_]) => {
            errors.refuse(ident, format!("a getter takes no arguments; for a setter, write `{SETTER_PREFIX}{name}`"))
        }
        (Kind::PropertyGet, [_, ..]) => {
            errors.refuse(ident, "a getter takes no arguments: remove them, or `#[remote(property)]`")
        }
        (Kind::PropertySet, arguments) if arguments.len() != 1 => errors
            .refuse(ident, format!("a setter takes one argument: write `fn {name}(&self, value: T) -> Result<(), E>`")),
        _ => {}
    }
}
