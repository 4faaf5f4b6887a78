//! How a process is told to lock itself in, and whether it did.

use std::fs;
use std::io;
use std::path::PathBuf;

use remote_child::CHILD_ARGUMENT;
use remote_protocol::codec::EncodeError;
use remote_protocol::sandbox::{Report, Sandbox};

/// What makes a child of a program, and says what it may do.
pub(crate) fn argument(sandbox: Option<&Sandbox>) -> Result<String, SandboxError> {
    let Some(sandbox) = sandbox else { return Ok(CHILD_ARGUMENT.to_owned()) };
    if !cfg!(target_os = "linux") {
        return Err(SandboxError::NotHere { system: std::env::consts::OS });
    }
    // The child may start in another directory, and what a link stands for is looked up once.
    let resolved = sandbox.clone().with_paths(|path| fs::canonicalize(path));
    let resolved = resolved.map_err(|(path, source)| SandboxError::Path { path, source })?;
    Ok(format!("{CHILD_ARGUMENT}={}", resolved.to_argument().map_err(SandboxError::Encode)?))
}

/// Whether a process that says this of itself may go on.
pub(crate) fn check(sandbox: Option<&Sandbox>, report: &Report) -> Result<(), SandboxError> {
    let missing = sandbox.map(|sandbox| sandbox.missing(report)).unwrap_or_default();
    if missing.is_empty() { Ok(()) } else { Err(SandboxError::Missing { layers: missing }) }
}

/// Why a process cannot be locked in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// It would run on a thread of the parent.
    #[error("it is no process of its own")]
    NoProcess,
    /// Nothing here is known to lock a process in.
    #[error("there are no sandboxes on {system}")]
    NotHere {
        /// The operating system.
        system: &'static str,
    },
    /// A path that is to be allowed is not there.
    #[error("cannot allow {}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process cannot be told, because a path is not Unicode.
    #[error("cannot be said to a process")]
    Encode(#[source] EncodeError),
    /// Less is in force than is [required](Sandbox::require). The process has been killed before it had loaded anything.
    #[error("{layers}")]
    Missing {
        /// What is missing, and why.
        layers: Report,
    },
}
