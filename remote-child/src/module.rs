use std::fmt::Display;

use crate::child::Child;

/// A module of this executable: a function that is run once per loader when the parent requires it.
#[derive(Debug)]
pub struct Module {
    path: &'static str,
    run: ModuleFunction,
}

/// What runs when a module is loaded. An `Err` is reported to the parent, as a module that did not load.
pub type ModuleFunction = fn(&Child) -> Result<(), String>;

impl Module {
    /// For [`register_module!`](crate::register_module).
    #[doc(hidden)]
    #[must_use]
    pub const fn new(path: &'static str, run: ModuleFunction) -> Self {
        Self { path, run }
    }

    /// The module's full path, as `module_path!()` gives it.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// All modules that are linked into this executable.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Finds a module by its full path.
    pub(crate) fn find(path: &str) -> Option<ModuleFunction> {
        Self::all().find(|module| module.path == path).map(|module| module.run)
    }
}

inventory::collect!(Module);

/// What a module's function may return: nothing, or `Result<(), E>` with an `E` that can be shown.
#[diagnostic::on_unimplemented(
    message = "a module's function returns `()` or `Result<(), E>` with `E: Display`, not `{Self}`"
)]
pub trait Outcome {
    /// The same as a `Result`.
    ///
    /// # Errors
    ///
    /// What the function returned as an error, as text.
    fn into_result(self) -> Result<(), String>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> Outcome for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        // The alternate form has the causes too, where the type has one.
        self.map_err(|error| format!("{error:#}"))
    }
}

/// Registers a function of this module, `fn(&Child)` or `fn(&Child) -> Result<(), E>`, to be run when a parent requires the
/// module. The module's id is its path.
///
/// One function can be registered per module; of several, one runs.
#[macro_export]
macro_rules! register_module {
    ($function:path) => {
        $crate::__private::inventory::submit! {
            $crate::Module::new(::core::module_path!(), |child| $crate::Outcome::into_result($function(child)))
        }
    };
}
