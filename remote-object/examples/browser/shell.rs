//! The module of the shell, which is the program: it opens a window for each document, and has a picture taken of what
//! it shows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use remote_child::{Child, Handle};
use remote_object::{ChildExt, Remote};

use crate::interfaces::{BrowserWindows, PageError, PageShow};
use crate::say::{complain, say};

remote_child::register_module!(main);
fn main(child: &Child) {
    let shell = child.clone();
    // Only the process that is asked to is the shell.
    child.process().port().once("open", move |_process, names: Vec<String>| {
        match shell.remote().require::<dyn BrowserWindows>("windows") {
            Ok(windows) => open_windows(shell.handle(), windows, names),
            Err(error) => complain("shell", error),
        }
    });
}

/// The documents that have no window yet, with their places in the list, and how many came to nothing.
struct Documents {
    waiting: Mutex<Box<dyn Iterator<Item = (usize, String)> + Send>>,
    failed: AtomicUsize,
    /// How many threads still open windows.
    threads: AtomicUsize,
}

/// Opens a window for each document, one on each of as many threads as windows may be open at once; the last of them ends the process.
fn open_windows(shell: Handle, windows: Remote<dyn BrowserWindows>, names: Vec<String>) {
    let threads = windows.at_once().unwrap_or(1).clamp(1, names.len().max(1));
    let documents = Arc::new(Documents {
        waiting: Mutex::new(Box::new(names.into_iter().enumerate())),
        failed: AtomicUsize::new(0),
        threads: AtomicUsize::new(threads),
    });
    for _ in 0..threads {
        let (shell, windows, documents) = (shell.clone(), windows.clone(), Arc::clone(&documents));
        thread::spawn(move || {
            documents.show_all(&windows);
            if documents.threads.fetch_sub(1, Ordering::AcqRel) == 1 {
                let failed = documents.failed.load(Ordering::Acquire);
                // A loop that has ended has nobody to tell.
                let _ = shell.run(move |child| end(child, failed));
            }
        });
    }
}

fn end(child: &Child, failed: usize) {
    if let Err(error) = child.process().port().emit("done", &failed) {
        complain("shell", error);
    }
    child.close();
}

impl Documents {
    fn show_all(&self, windows: &Remote<dyn BrowserWindows>) {
        while let Some((document, name)) = self.next() {
            match show(windows, document, &name) {
                Ok(path) => say("shell", format_args!("{name} is saved as {path}, its window closed")),
                Err(error) => {
                    self.failed.fetch_add(1, Ordering::AcqRel);
                    complain("shell", format_args!("{name}: {error}"));
                }
            }
        }
    }

    fn next(&self) -> Option<(usize, String)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}

/// Shows a document in a window of its own, and has a picture of it saved. A window that is dropped closes, too.
fn show(windows: &Remote<dyn BrowserWindows>, document: usize, name: &str) -> Result<String, PageError> {
    let window = windows.new()?;
    let PageShow { title, width, height } = window.load(document).wait()?;
    say("shell", format_args!("{name} is shown: “{title}”, {width}×{height}"));
    let path = window.capture_page().wait()?.save()?;
    window.close()?;
    Ok(path)
}
