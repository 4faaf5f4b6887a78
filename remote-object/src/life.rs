use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a context is still there. What was made through it, on whatever thread it is now, looks here.
#[derive(Debug, Default)]
pub(crate) struct Life {
    ended: AtomicBool,
}

impl Life {
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}
