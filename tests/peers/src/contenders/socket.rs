//! What the asynchronous contenders have in common: a Unix socket, and a runtime on one thread, which is the quickest for one call at a time.

use std::path::{Path, PathBuf};

use tokio::runtime::{Builder, Runtime};

/// The place of a Unix socket, which is free, and free again in the end.
pub struct Socket(PathBuf);

impl Socket {
    pub fn new(name: &str) -> Self {
        let socket = Self(std::env::temp_dir().join(format!("peers-{name}-{}", std::process::id())));
        socket.remove();
        socket
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What the caller is told.
    pub fn word(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    fn remove(&self) {
        // It need not be there.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.remove();
    }
}

pub fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
