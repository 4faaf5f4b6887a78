//! Modules that load, and some that do not.

pub mod failing;
pub mod first;
pub mod panicking;
pub mod second;

use remote_child::{Child, EmitError};

/// Says that it was loaded, and listens to `numbered`.
fn load(child: &Child, module: &str) -> Result<(), EmitError> {
    let name = module.to_owned();
    child.process().port().on("numbered", move |process, number: u32| {
        process.port().emit("heard number", &(&*name, number)).ok();
    });
    child.process().port().emit("loaded", module)
}
