use std::sync::atomic::{AtomicBool, Ordering};

use remote_protocol::id::FrameId;

/// Whether a context is still there. What was made through it, on whatever thread it is now, looks here.
#[derive(Debug, Default)]
pub(crate) struct Life {
    /// The frame whose context it is; `None` for a loader's.
    frame: Option<FrameId>,
    ended: AtomicBool,
}

impl Life {
    /// Of a frame's context.
    pub(crate) fn of_frame(frame: FrameId) -> Self {
        Self { frame: Some(frame), ..Self::default() }
    }

    pub(crate) const fn frame(&self) -> Option<FrameId> {
        self.frame
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}
