//! The parent and a module exchange a message, in the main process and in one child.
#![expect(clippy::print_stdout, reason = "examples print")]

use remote_parent::{Parent, this_module};

/// What runs in every process.
mod remote {
    use remote_child::{Child, EmitError};

    remote_child::register_module!(main);
    fn main(child: &Child) -> Result<(), EmitError> {
        let process = child.process();
        process.port().on("message-from-main", |_process, message: String| println!("Main says: {message}"));
        process.port().emit("message-from-remote", "hello from remote")
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    remote_child::init();
    let parent = Parent::new()?;
    // Before the module is loaded: in the main process that may be done at once, on another thread.
    parent.processes().port().on("message-from-remote", |_process, message: String| println!("Remote says: {message}"));
    parent.remote_require("./remote", this_module!())?;
    parent.processes().spawn()?;
    parent.processes().port().emit("message-from-main", "hello from main")?;
    Ok(parent.close()?)
}
