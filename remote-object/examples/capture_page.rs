//! A child captures a page and has the parent write the image to a file. What the child has is a handle: not a byte of the image
//! travels but for what the child reads, and none changes.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use remote_object::{CallError, Callback, Exports, RemoteBuffer};
use remote_parent::{Parent, this_module};

/// A window.
#[remote_object::interface]
trait BrowserWindow: Send + Sync {
    /// Calls `captured` with an image of the page.
    fn capture_page(&self, captured: Callback<RemoteBuffer>) -> Result<(), CallError>;
}

/// The files of the parent.
#[remote_object::interface]
trait Files: Send + Sync {
    fn write(&self, name: &str, bytes: RemoteBuffer) -> Result<(), CallError>;
}

/// What runs in every process.
mod remote {
    use remote_child::Child;
    use remote_object::{CallError, ChildExt, RemoteBuffer};

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
        window.capture_page(remote.callback(move |image: RemoteBuffer| {
            let written = image.read(1..4).and_then(|kind| {
                files.write("page.png", image.clone())?;
                Ok((String::from_utf8_lossy(&kind).into_owned(), image.len()))
            });
            process.port().emit("written", &written.map_err(|error| error.to_string())).ok();
        }))
    }
}

struct Window {
    image: RemoteBuffer,
}

impl BrowserWindow for Window {
    fn capture_page(&self, captured: Callback<RemoteBuffer>) -> Result<(), CallError> {
        captured.call(self.image.clone()).map_err(|error| CallError::from_error(&error))
    }
}

struct Folder {
    path: PathBuf,
}

impl Files for Folder {
    fn write(&self, name: &str, bytes: RemoteBuffer) -> Result<(), CallError> {
        let bytes = bytes.as_local().expect("in the parent buffers are local");
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
    let exports = Exports::new();
    // A large image: four million bytes of all kinds, made where they stay.
    let mut image = exports.buffer(4_000_000);
    for (place, byte) in image.iter_mut().zip((0..=u8::MAX).cycle()) {
        *place = byte;
    }
    image.write_all(b"\x89PNG\r\n\x1a\n")?;
    let image = image.finish();

    let parent = Parent::new()?;
    exports.global::<dyn BrowserWindow>("window", Arc::new(Window { image: image.clone() }))?;
    exports.module::<dyn Files>("files", Arc::new(Folder { path }))?;
    exports.serve(&parent)?;
    let (answers, answered) = mpsc::channel();
    parent.processes().port().on("written", move |_process, written: Result<(String, usize), String>| {
        answers.send(written).ok();
    });
    parent.remote_require("./remote", this_module!())?;
    parent.processes().spawn()?;

    let (kind, length) = answered.recv_timeout(Duration::from_secs(10))?.map_err(anyhow::Error::msg)?;
    println!("the child saw {kind}, {length} bytes");
    parent.close()?;
    Ok(Some(&*fs::read(file)?) == image.as_local())
}
