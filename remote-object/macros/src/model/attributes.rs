//! Attributes that generated code repeats.

use syn::{Attribute, MetaList, parse_quote};

/// What `attributes` allow. An `expect` is fulfilled where it stands and is an `allow` elsewhere.
pub(crate) fn allowed(attributes: &[Attribute]) -> Vec<Attribute> {
    let lists = attributes.iter().filter_map(|attribute| attribute.meta.require_list().ok());
    lists
        .filter(|list| list.path.is_ident("allow") || list.path.is_ident("expect"))
        .map(|MetaList { tokens, .. }| parse_quote!(#[allow(#tokens)]))
        .collect()
}
