//! A child captures a page and has the parent write the image to a file. Not a byte of it changes on the way.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use remote_object::{CallError, Callback, Exports};
use remote_parent::{Parent, this_module};

/// A window.
#[remote_object::interface]
trait BrowserWindow: Send + Sync {
    /// Calls `captured` with an image of the page.
    fn capture_page(&self, captured: Callback<Vec<u8>>) -> Result<(), CallError>;
}

/// The files of the parent.
#[remote_object::interface]
trait Files: Send + Sync {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CallError>;
}

/// What runs in every process.
mod remote {
    use remote_child::Child;
    use remote_object::{CallError, ChildExt};

    use crate::{BrowserWindow, Files};

    remote_child::register_module!(main);
    fn main(child: &Child) -> Result<(), CallError> {
        if !child.process().is_remote() {
            return Ok(());
        }
        let remote = child.remote();
        let window = remote.global::<dyn BrowserWindow>("window")?;
        let files = remote.require::<dyn Files>("files")?;
        let process = child.process();
        window.capture_page(remote.callback(move |image: Vec<u8>| {
            let written = files.write("page.png", &image).map_err(|error| error.to_string());
            process.port().emit("written", &written).ok();
        }))
    }
}

struct Window {
    image: Vec<u8>,
}

impl BrowserWindow for Window {
    fn capture_page(&self, captured: Callback<Vec<u8>>) -> Result<(), CallError> {
        captured.call(self.image.clone()).map_err(|error| CallError::from_error(&error))
    }
}

struct Folder {
    path: PathBuf,
}

impl Files for Folder {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CallError> {
        // The child is not to reach other files than this folder's.
        let name = PathBuf::from(name).file_name().map(ToOwned::to_owned).unwrap_or_default();
        fs::write(self.path.join(name), bytes).map_err(|error| CallError::from_error(&error))
    }
}

fn main() -> anyhow::Result<()> {
    remote_child::init();
    let path = std::env::temp_dir().join(format!("capture-page-{}", std::process::id()));
    fs::create_dir(&path)?;
    let captured = capture(path.clone());
    fs::remove_dir_all(&path)?;
    println!("same bytes: {}", captured?);
    Ok(())
}

/// Whether the file that comes out is the image that goes in.
fn capture(path: PathBuf) -> anyhow::Result<bool> {
    let file = path.join("page.png");
    let image: Vec<u8> = b"\x89PNG\r\n\x1a\n".iter().copied().chain((0..=u8::MAX).cycle().take(16 * 1024)).collect();

    let parent = Parent::new()?;
    let exports = Exports::new();
    exports.global::<dyn BrowserWindow>("window", Arc::new(Window { image: image.clone() }))?;
    exports.module::<dyn Files>("files", Arc::new(Folder { path }))?;
    exports.serve(&parent)?;
    let (answers, answered) = mpsc::channel();
    parent.processes().port().on("written", move |_process, written: Result<(), String>| {
        answers.send(written).ok();
    });
    parent.remote_require("./remote", this_module!())?;
    parent.processes().spawn()?;

    answered.recv_timeout(Duration::from_secs(10))?.map_err(anyhow::Error::msg)?;
    parent.close()?;
    Ok(fs::read(file)? == image)
}
