use std::any::Any;
use std::fmt;
use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use remote_protocol::id::{FrameId, ProcessId};
use remote_protocol::listeners::{ListenerId, Listeners};

use crate::hub::lock;
use crate::loader::{AttachListener, LoaderState};
use crate::port::{Port, Scope, SharedListeners, Subject};
use crate::process::{self, Process};

/// One document, tab, plug-in or job inside a process.
///
/// It has the same [`id`](Self::id) and the same [`is_tab`](Self::is_tab) in the child. A handle is a cheap clone; it outlives the
/// frame.
#[derive(Clone)]
pub struct Frame {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    /// The process, as the frame's loader sees it.
    process: Process,
    listeners: SharedListeners<Frame>,
    detach: Mutex<Listeners<AttachListener<Frame>>>,
    /// Whether the loader's listeners have been told of it, so that events may follow.
    told: AtomicBool,
}

/// What a frame is to all loaders.
pub(crate) struct Shared {
    id: FrameId,
    process: Arc<process::Shared>,
    options: FrameOptions,
    attached: AtomicBool,
    /// Where it is to be opened again when it has detached.
    moving: Mutex<Option<Arc<process::Shared>>>,
}

impl Shared {
    pub(crate) fn new(id: FrameId, process: Arc<process::Shared>, options: FrameOptions) -> Arc<Self> {
        Arc::new(Self { id, process, options, attached: AtomicBool::new(true), moving: Mutex::default() })
    }

    pub(crate) const fn id(&self) -> FrameId {
        self.id
    }

    pub(crate) const fn process(&self) -> &Arc<process::Shared> {
        &self.process
    }

    pub(crate) const fn is_tab(&self) -> bool {
        self.options.tab
    }

    pub(crate) fn set_detached(&self) {
        let _moving = lock(&self.moving);
        self.attached.store(false, Ordering::Release);
    }

    /// Where the frame goes now that it has detached, and as what.
    pub(crate) fn take_move(&self) -> Option<(Arc<process::Shared>, FrameOptions)> {
        let process = lock(&self.moving).take()?;
        Some((process, self.options.clone()))
    }
}

impl Frame {
    pub(crate) fn new(loader: Arc<LoaderState>, shared: Arc<Shared>) -> Self {
        // A frame attaches after its process, so that the loader has that one already; a loader that is being unloaded may not.
        let process = loader.process(shared.process.id());
        let process = process.unwrap_or_else(|| Process::new(loader, Arc::clone(&shared.process)));
        Self {
            inner: Arc::new(Inner {
                shared,
                process,
                listeners: SharedListeners::default(),
                detach: Mutex::default(),
                told: AtomicBool::new(false),
            }),
        }
    }

    /// The frame's id, the same on both sides.
    #[must_use]
    pub fn id(&self) -> FrameId {
        self.inner.shared.id
    }

    /// Whether the frame is a tab.
    #[must_use]
    pub fn is_tab(&self) -> bool {
        self.inner.shared.options.tab
    }

    /// The process the frame is in.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.inner.process
    }

    /// The element that shows the frame, if it was opened with one and that is a `T`.
    #[must_use]
    pub fn element<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.inner.shared.options.element.clone()?.downcast().ok()
    }

    /// Whether the frame is still there.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.inner.shared.attached.load(Ordering::Acquire)
    }

    /// What this frame and its counterpart in the child send each other events with.
    #[must_use]
    pub fn port(&self) -> Port<Self> {
        let loader = Arc::clone(self.inner.process.loader());
        Port::new(loader, Scope::Frame(self.clone()), Arc::clone(&self.inner.listeners))
    }

    /// Closes the frame: it detaches in the child, then here. Does not block; nothing happens when it is gone already.
    pub fn close(&self) {
        self.inner.shared.process.connection().close_frame(self.inner.shared.id);
    }

    /// Moves the frame to another process: it detaches, and then a new frame with the same element attaches there, which
    /// [`Frames::for_element`](crate::Frames::for_element) and listeners for `attach` find. Does not block. When the old process crashes
    /// meanwhile, the frame moves all the same; when the new one does, the frame is gone.
    ///
    /// # Errors
    ///
    /// [`OpenError::FrameGone`] when the frame is gone, [`OpenError::Detached`] when the new process is.
    pub fn move_to(&self, process: &Process) -> Result<(), OpenError> {
        let shared = &self.inner.shared;
        if !self.is_attached() {
            return Err(OpenError::FrameGone { frame: self.id() });
        }
        if process.detached().is_some() {
            return Err(OpenError::Detached { process: process.id() });
        }
        // Under the lock, so that the frame does not detach in between.
        let mut moving = lock(&shared.moving);
        if !self.is_attached() {
            return Err(OpenError::FrameGone { frame: self.id() });
        }
        let old = moving.replace(Arc::clone(process.shared()));
        drop((moving, old));
        self.close();
        Ok(())
    }

    /// Calls `listener` when the frame goes, after its last event. When it is gone already, nothing is called. When its process went,
    /// [`Process::detached`] says why.
    pub fn on_detach(&self, listener: impl Fn(&Self) + Send + Sync + 'static) -> ListenerId {
        lock(&self.inner.detach).add(DETACH, true, Arc::new(listener))
    }

    /// Removes a listener that [`on_detach`](Self::on_detach) added. `false` when it is not there.
    pub fn off_detach(&self, listener: ListenerId) -> bool {
        let removed = lock(&self.inner.detach).remove(listener);
        removed.is_some()
    }

    pub(crate) fn set_told(&self) {
        self.inner.told.store(true, Ordering::Release);
    }

    pub(crate) fn is_told(&self) -> bool {
        self.inner.told.load(Ordering::Acquire)
    }

    pub(crate) fn listeners(&self) -> &SharedListeners<Self> {
        &self.inner.listeners
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Tells the frame's own listeners that it is gone.
    pub(crate) fn tell_detach(&self) {
        let process = &self.inner.process;
        let mut turn = lock(&self.inner.detach).turn();
        for listener in iter::from_fn(|| lock(&self.inner.detach).next(DETACH, &mut turn)) {
            process.loader().contain(process, DETACH, || listener(self));
        }
    }

    /// Lets go of everything that may hold this handle: its listeners.
    pub(crate) fn clear(&self) {
        let listeners = (lock(&self.inner.detach).take(), lock(&self.inner.listeners).take());
        drop(listeners);
    }
}

impl Subject for Frame {
    fn process(&self) -> &Process {
        &self.inner.process
    }
}

/// Whether they are the same frame, whatever loader sees it.
impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner.shared, &other.inner.shared)
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

/// Why a frame could not be opened or moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The process is gone or going.
    #[error("process {process} is gone")]
    Detached {
        /// The process.
        process: ProcessId,
    },
    /// The frame that was to move is gone.
    #[error("frame {frame} is gone")]
    FrameGone {
        /// The frame.
        frame: FrameId,
    },
}

const DETACH: &str = "detach";
