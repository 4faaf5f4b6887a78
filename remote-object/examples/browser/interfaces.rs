//! What the shell, which is the program, reaches of the parent, which owns the windows and the files.

use std::time::Duration;

use remote_object::{CallError, Promise, Remote};
use serde::{Deserialize, Serialize};

/// Opens windows.
#[remote_object::interface]
pub(crate) trait BrowserWindows: Send + Sync {
    #[remote(constructor)]
    fn new(&self) -> Result<Remote<dyn BrowserWindow>, PageError>;
    /// How many windows may be open at once.
    #[remote(property)]
    fn at_once(&self) -> Result<usize, PageError>;
}

/// A window, which shows one page. It closes when nobody has it any more.
#[remote_object::interface]
pub(crate) trait BrowserWindow: Send + Sync {
    /// Loads the document that has this place in the list; answers when its page can be seen.
    fn load(&self, document: usize) -> Promise<PageShow, PageError>;
    /// Takes a picture of the page.
    fn capture_page(&self) -> Promise<Remote<dyn Picture>, PageError>;
    fn close(&self) -> Result<(), PageError>;
}

/// A picture of a page. It stays in the parent, wherever it is handed.
#[remote_object::interface]
pub(crate) trait Picture: Send + Sync {
    /// Writes the picture as a PNG file, and gives the file's path.
    fn save(&self) -> Result<String, PageError>;
}

/// What there is to see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PageShow {
    pub(crate) title: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Why there is nothing to see, or no picture of it.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum PageError {
    #[error("cannot be read: {0}")]
    Read(String),
    #[error("is longer than {most} bytes, the most that is drawn")]
    TooLong { most: u64 },
    /// What the content process says.
    #[error("{0}")]
    Content(String),
    #[error("its content process is gone: {0}")]
    ContentGone(String),
    #[error("not done within {0:?}")]
    TooSlow(Duration),
    #[error("no content process: {0}")]
    NoContent(String),
    #[error("cannot be written to {path}: {reason}")]
    Write { path: String, reason: String },
    #[error("{0}")]
    Misused(String),
    #[error(transparent)]
    Call(#[from] CallError),
}
