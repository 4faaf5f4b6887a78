use std::sync::OnceLock;

use remote_parent::{Process, ProcessId};

/// A crash on purpose, if one is wanted: the content process of the first page that is laid out is killed, and the page
/// is opened again in a new one.
///
/// That is done for this crash alone. A document that makes its process crash would do the same to the next one: any
/// other process that is gone is the failure of its document.
pub(crate) struct Crash {
    wanted: bool,
    struck: OnceLock<ProcessId>,
}

impl Crash {
    pub(crate) const fn new(wanted: bool) -> Self {
        Self { wanted, struck: OnceLock::new() }
    }

    /// A page has been laid out in this process, and nobody knows yet: kills the process if it is the first.
    pub(crate) fn strikes(&self, process: &Process) -> bool {
        let strikes = self.wanted && self.struck.set(process.id()).is_ok();
        if strikes {
            process.kill();
        }
        strikes
    }

    /// Whether this is the process that was killed.
    pub(crate) fn struck(&self, process: &Process) -> bool {
        self.struck.get() == Some(&process.id())
    }
}
