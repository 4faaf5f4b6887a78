use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use remote_protocol::id::FrameId;
use remote_protocol::listeners::{ListenerId, Listeners};

use crate::hub::lock;
use crate::port::{Port, Scope, SharedListeners, Subject};
use crate::process::Process;

/// One document, tab, plug-in or job inside a process.
///
/// It has the same [`id`](Self::id) and the same [`is_tab`](Self::is_tab) in the child. A handle is a cheap clone; it outlives the
/// frame.
#[derive(Clone)]
pub struct Frame {
    inner: Arc<Inner>,
}

struct Inner {
    id: FrameId,
    process: Process,
    options: FrameOptions,
    listeners: SharedListeners<Frame>,
    detach: Mutex<Listeners<DetachListener>>,
    attached: AtomicBool,
}

type DetachListener = Arc<dyn Fn(&Frame) + Send + Sync>;

impl Frame {
    pub(crate) fn new(id: FrameId, process: Process, options: FrameOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                id,
                process,
                options,
                listeners: SharedListeners::default(),
                detach: Mutex::default(),
                attached: AtomicBool::new(true),
            }),
        }
    }

    /// The frame's id, the same on both sides.
    #[must_use]
    pub fn id(&self) -> FrameId {
        self.inner.id
    }

    /// Whether the frame is a tab.
    #[must_use]
    pub fn is_tab(&self) -> bool {
        self.inner.options.tab
    }

    /// The process the frame is in.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.inner.process
    }

    /// The element that shows the frame, if it was opened with one and that is a `T`.
    #[must_use]
    pub fn element<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.inner.options.element.clone()?.downcast().ok()
    }

    /// Whether the frame is still there.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.inner.attached.load(Ordering::Acquire)
    }

    /// What this frame and its counterpart in the child send each other events with.
    #[must_use]
    pub fn port(&self) -> Port<Self> {
        let hub = Arc::clone(self.inner.process.hub());
        Port::new(hub, Scope::Frame(self.clone()), Arc::clone(&self.inner.listeners))
    }

    /// Closes the frame: it detaches in the child, then here. Does not block; nothing happens when it is gone already.
    pub fn close(&self) {
        self.inner.process.connection().close_frame(self.inner.id);
    }

    /// Calls `listener` when the frame goes, after its last event. When it is gone already, nothing is called.
    pub fn on_detach(&self, listener: impl Fn(&Self) + Send + Sync + 'static) -> ListenerId {
        lock(&self.inner.detach).add(DETACH, true, Arc::new(listener))
    }

    pub(crate) fn listeners(&self) -> &SharedListeners<Self> {
        &self.inner.listeners
    }

    pub(crate) fn set_detached(&self) {
        self.inner.attached.store(false, Ordering::Release);
    }

    /// Tells the frame's own listeners that it is gone, and lets go of all of them.
    pub(crate) fn tell_detach(&self) {
        let process = &self.inner.process;
        let mut turn = lock(&self.inner.detach).turn();
        loop {
            let Some(listener) = lock(&self.inner.detach).next(DETACH, &mut turn) else { break };
            process.hub().contain(process, DETACH, || listener(self));
        }
        let listeners = (lock(&self.inner.detach).take(), lock(&self.inner.listeners).take());
        drop(listeners);
    }
}

impl Subject for Frame {
    fn process(&self) -> &Process {
        &self.inner.process
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("id", &self.id())
            .field("process", &self.inner.process.id())
            .field("is_tab", &self.is_tab())
            .field("is_attached", &self.is_attached())
            .finish_non_exhaustive()
    }
}

/// What kind of frame is opened.
#[derive(Clone, Default)]
#[must_use]
pub struct FrameOptions {
    pub(crate) tab: bool,
    pub(crate) element: Option<Arc<dyn Any + Send + Sync>>,
}

impl FrameOptions {
    /// A frame that is no tab.
    pub const fn new() -> Self {
        Self { tab: false, element: None }
    }

    /// A frame that is a tab.
    pub const fn tab() -> Self {
        Self { tab: true, element: None }
    }

    /// What shows the frame in the parent: given back by [`Frame::element`], and found by
    /// [`Frames::for_element`](crate::Frames::for_element).
    pub fn element<T: Any + Send + Sync>(mut self, element: Arc<T>) -> Self {
        self.element = Some(element);
        self
    }
}

impl fmt::Debug for FrameOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tab, element } = self;
        f.debug_struct("FrameOptions").field("tab", tab).field("has_element", &element.is_some()).finish()
    }
}

/// Why a frame could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The process is gone or going.
    #[error("process {process} is gone")]
    Detached {
        /// The process.
        process: remote_protocol::id::ProcessId,
    },
}

const DETACH: &str = "detach";
