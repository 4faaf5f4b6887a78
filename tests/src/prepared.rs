//! What the child of the tests opens before it is locked in, if its environment asks for that.

use std::env;
use std::fs::File;
use std::sync::OnceLock;

/// The variable that has the name of a switchboard.
pub const SWITCHBOARD: &str = "TESTS_SWITCHBOARD";
/// The variable that has the path of a directory.
pub const DIRECTORY: &str = "TESTS_DIRECTORY";
/// The variable that has a thread started which should not be.
pub const THREAD: &str = "TESTS_THREAD";

/// Opens them.
pub fn prepare() {
    #[cfg(target_os = "linux")]
    if let Ok(name) = env::var(SWITCHBOARD) {
        crate::switchboard::join(&name);
    }
    if let Ok(path) = env::var(DIRECTORY) {
        let first = OPENED.set(File::open(path).expect("the directory is there"));
        assert!(first.is_ok(), "this is done once");
    }
    if env::var_os(THREAD).is_some() {
        std::thread::spawn(std::thread::park);
    }
}

/// The directory that is open.
pub(crate) fn directory() -> Option<&'static File> {
    OPENED.get()
}

static OPENED: OnceLock<File> = OnceLock::new();
