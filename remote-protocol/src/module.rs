//! Module ids: how the name of a module to load is resolved against the module that asks.

use std::fmt;

use crate::limits::NAME_BYTES;

/// The full path of a Rust module, `app::documents::remote`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModulePath(String);

impl ModulePath {
    /// The path as `module_path!()` gives it.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// Resolves `id` as the module of this path means it.
    ///
    /// `./x` is the sibling `x` of this module; at the root of a crate, which has no siblings, it is the root's `x`.
    /// `../x` is a sibling of the module above. Anything else is a full path and stands alone. Parts may be
    /// separated by `/` or `::`.
    ///
    /// ```
    /// use remote_protocol::module::ModulePath;
    ///
    /// assert_eq!(ModulePath::new("app").resolve("./remote")?.as_str(), "app::remote");
    /// assert_eq!(ModulePath::new("app::window").resolve("./remote")?.as_str(), "app::remote");
    /// assert_eq!(ModulePath::new("app::window::tab").resolve("../remote")?.as_str(), "app::remote");
    /// assert_eq!(ModulePath::new("app").resolve("plugin::remote")?.as_str(), "plugin::remote");
    /// # Ok::<(), remote_protocol::module::ResolveError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResolveError`] when `id` leads out of the crate or is not the name of a module.
    pub fn resolve(&self, id: &str) -> Result<Self, ResolveError> {
        let refuse = |reason| ResolveError { id: id.to_owned(), base: self.clone(), reason };
        let mut steps = id.split('/').flat_map(|part| part.split("::")).peekable();
        let mut path: Vec<&str> = Vec::new();
        if matches!(steps.peek(), Some(&("." | ".."))) {
            path.extend(self.0.split("::"));
            if path.len() > 1 {
                path.pop();
            }
        }
        for step in steps {
            match step {
                "." => {}
                ".." if path.len() > 1 => drop(path.pop()),
                ".." => return Err(refuse("leads out of its crate")),
                name if is_identifier(name) => path.push(name),
                _ => return Err(refuse("is not the name of a module")),
            }
        }
        let path = path.join("::");
        if path.len() > NAME_BYTES {
            return Err(refuse("is too long"));
        }
        Ok(Self(path))
    }

    /// The path's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A module id that names no module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("module id `{id}`, asked for by `{base}`, {reason}")]
pub struct ResolveError {
    id: String,
    base: ModulePath,
    reason: &'static str,
}

fn is_identifier(name: &str) -> bool {
    let name = name.strip_prefix("r#").unwrap_or(name);
    name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_alphanumeric() || char == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A1
    #[test]
    fn relative_ids_resolve_against_the_asking_module_and_absolute_ones_stand_alone() {
        let resolve = |base: &str, id: &str| ModulePath::new(base).resolve(id).map(|path| path.to_string());
        assert_eq!(resolve("app::a::b", "./c").unwrap(), "app::a::c");
        assert_eq!(resolve("app::a::b", "../c").unwrap(), "app::c");
        assert_eq!(resolve("app::a", "./b/c").unwrap(), "app::b::c");
        assert_eq!(resolve("app", "other::x").unwrap(), "other::x");
        for (base, id, reason) in [
            ("app", "../x", "leads out of its crate"),
            ("app::a", "../../x", "leads out of its crate"),
            ("app", "", "is not the name of a module"),
            ("app", "./", "is not the name of a module"),
            ("app", "a b", "is not the name of a module"),
            ("app", "/etc/passwd", "is not the name of a module"),
        ] {
            let error = resolve(base, id).unwrap_err();
            assert!(error.to_string().ends_with(reason), "{error}");
        }
    }
}
