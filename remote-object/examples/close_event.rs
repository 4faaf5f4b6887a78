//! A child is told that a window has closed, through a callback that it leaves with the parent.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use remote_object::{CallError, Callback, Exports, Listeners};
use remote_parent::{Parent, this_module};

/// A window.
#[remote_object::interface]
trait BrowserWindow: Send + Sync {
    /// Calls `listener` when the window closes.
    fn on_close(&self, listener: Callback<()>) -> Result<(), CallError>;
    fn close(&self) -> Result<(), CallError>;
}

/// What runs in every process.
mod remote {
    use remote_child::Child;
    use remote_object::{CallError, ChildExt};

    use crate::BrowserWindow;

    remote_child::register_module!(main);
    fn main(child: &Child) -> Result<(), CallError> {
        if !child.process().is_remote() {
            return Ok(());
        }
        let window = child.remote().global::<dyn BrowserWindow>("window")?;
        let process = child.process();
        window.on_close(child.remote().callback(move |()| {
            println!("the window has closed");
            process.port().emit("told", &()).ok();
        }))?;
        window.close()
    }
}

#[derive(Default)]
struct Window {
    listeners: Listeners<()>,
}

impl BrowserWindow for Window {
    fn on_close(&self, listener: Callback<()>) -> Result<(), CallError> {
        self.listeners.add("close", listener);
        Ok(())
    }

    fn close(&self) -> Result<(), CallError> {
        self.listeners.call("close", &());
        // A window closes once.
        self.listeners.clear();
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    remote_child::init();
    let parent = Parent::new()?;
    let exports = Exports::new();
    exports.global::<dyn BrowserWindow>("window", Arc::new(Window::default()))?;
    exports.serve(&parent)?;
    let (tell, told) = mpsc::channel();
    parent.processes().port().on("told", move |_process, ()| {
        tell.send(()).ok();
    });
    parent.remote_require("./remote", this_module!())?;
    parent.processes().spawn()?;

    // The child is still there, and could be called; but nobody holds its callback any more.
    told.recv_timeout(Duration::from_secs(10))?;
    println!("callbacks alive: {}", exports.alive().callbacks);
    Ok(parent.close()?)
}
