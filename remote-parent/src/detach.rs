use std::fmt;
use std::process::ExitStatus;

use remote_protocol::state::Violation;

/// Why a process went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DetachReason {
    /// It was asked to close, or closed itself, and did so in good order.
    Closed,
    /// It exited of its own accord.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A signal ended it: a crash, or somebody killed it.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// It did not end in time when it was asked to, and was killed.
    Unresponsive,
    /// It broke the protocol, and was ended.
    Violation(Violation),
    /// The link to it ended, and it had no process of its own whose end could tell more.
    Disconnected,
}

impl DetachReason {
    /// Whether a restart policy counts it as a crash: a signal, an exit code other than 0, or a lost link. One that had to be killed
    /// after it was asked to end, or that broke the protocol, is none.
    #[must_use]
    pub const fn is_crash(&self) -> bool {
        match self {
            Self::Exited { code } => *code != 0,
            Self::Killed { .. } | Self::Disconnected => true,
            Self::Closed | Self::Unresponsive | Self::Violation(_) => false,
        }
    }

    /// What to make of the end of a process, which had or had not said that it would end.
    pub(crate) fn of(status: ExitStatus, announced: bool) -> Self {
        match status.code() {
            Some(0) if announced => Self::Closed,
            Some(code) => Self::Exited { code },
            None => Self::Killed { signal: signal(status) },
        }
    }
}

impl fmt::Display for DetachReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Exited { code } => write!(f, "exited with code {code}"),
            Self::Killed { signal } if is_forbidden(*signal) => {
                write!(f, "killed by signal {signal} (SIGSYS): a system call that its sandbox does not forgive")
            }
            Self::Killed { signal } => write!(f, "killed by signal {signal}"),
            Self::Unresponsive => f.write_str("unresponsive, and killed"),
            Self::Violation(violation) => write!(f, "broke the protocol: {violation}"),
            Self::Disconnected => f.write_str("disconnected"),
        }
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;

    status.signal().unwrap_or(0)
}

#[cfg(not(unix))]
const fn signal(_status: ExitStatus) -> i32 {
    0
}

/// Whether it is the signal of a filter of system calls.
const fn is_forbidden(signal: i32) -> bool {
    cfg!(target_os = "linux") && signal == SIGSYS
}

/// On the processors there are filters for.
const SIGSYS: i32 = 31;
