use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::iter;
use std::rc::Rc;

use remote_protocol::contain::contain;
use remote_protocol::id::FrameId;
use remote_protocol::listeners::{ListenerId, Listeners, Turn};
use remote_protocol::message::{Target, Trouble};
use remote_protocol::value::Value;

use crate::child::Child;
use crate::extensions::Extensions;
use crate::loader::Loader;
use crate::port::{Port, SharedListeners, Subject};
use crate::process::Process;

/// One document, tab, plug-in or job of this process.
///
/// It has the same [`id`](Self::id) and the same [`is_tab`](Self::is_tab) in the parent. What is in it is up to the
/// application: any value, set and asked for with [`set_content`](Self::set_content) and [`content`](Self::content).
#[derive(Clone)]
pub struct Frame {
    inner: Rc<Inner>,
}

struct Inner {
    id: FrameId,
    loader: Rc<Loader>,
    shared: Rc<Shared>,
    listeners: SharedListeners<Frame>,
    content_listeners: RefCell<ContentListeners>,
    detach: RefCell<Listeners<FrameListener>>,
    extensions: Extensions,
}

pub(crate) type FrameListener = Rc<dyn Fn(&Frame)>;

/// What a frame is to all loaders.
pub(crate) struct Shared {
    tab: bool,
    content: RefCell<Option<Rc<dyn Any>>>,
}

impl Shared {
    pub(crate) fn new(tab: bool, content: Option<Rc<dyn Any>>) -> Rc<Self> {
        Rc::new(Self { tab, content: RefCell::new(content) })
    }
}

impl Frame {
    pub(crate) fn new(id: FrameId, loader: Rc<Loader>, shared: Rc<Shared>) -> Self {
        Self {
            inner: Rc::new(Inner {
                id,
                loader,
                shared,
                listeners: SharedListeners::default(),
                content_listeners: RefCell::default(),
                detach: RefCell::default(),
                extensions: Extensions::default(),
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
        self.inner.shared.tab
    }

    /// The process the frame is in: this one.
    #[must_use]
    pub fn process(&self) -> Process {
        Process::new(Rc::clone(&self.inner.loader))
    }

    /// The way to everything else.
    #[must_use]
    pub fn child(&self) -> Child {
        Child::new(Rc::clone(&self.inner.loader))
    }

    /// What this frame and its counterpart in the parent send each other events with.
    #[must_use]
    pub fn port(&self) -> Port<Self> {
        let inner = &self.inner;
        Port::new(Rc::clone(&inner.loader), Target::Frame(inner.id), Rc::clone(&inner.listeners))
    }

    /// What is in the frame, if it is a `T`.
    #[must_use]
    pub fn content<T: 'static>(&self) -> Option<Rc<T>> {
        let content = self.inner.shared.content.borrow().clone()?;
        content.downcast().ok()
    }

    /// Puts something into the frame, in place of what was there.
    pub fn set_content<T: 'static>(&self, content: T) {
        let old = self.inner.shared.content.replace(Some(Rc::new(content)));
        drop(old);
    }

    /// Calls `listener` for each event of this name that happens to the frame's content; see [`dispatch_event`](Self::dispatch_event).
    pub fn add_event_listener(
        &self,
        name: &str,
        capture: Capture,
        listener: impl Fn(&Self, &ContentEvent) + 'static,
    ) -> ContentListenerId {
        self.inner.content_listeners.borrow_mut().add(name, capture, Rc::new(listener))
    }

    /// Removes a listener. `false` when it is not there any more.
    pub fn remove_event_listener(&self, listener: ContentListenerId) -> bool {
        let removed = self.inner.content_listeners.borrow_mut().remove(listener);
        removed.is_some()
    }

    /// Tells the listeners in this process that something happened to the frame's content.
    ///
    /// Capture listeners come first, those of all frames before the frame's own; then the others, the frame's own before those of
    /// all frames.
    pub fn dispatch_event(&self, event: &ContentEvent) {
        let all = &self.inner.loader.content_listeners;
        let own = &self.inner.content_listeners;
        for (listeners, capture) in [(all, Capture::Yes), (own, Capture::Yes), (own, Capture::No), (all, Capture::No)] {
            let mut turn = listeners.borrow().turn(capture);
            for listener in iter::from_fn(|| listeners.borrow_mut().next(&event.name, capture, &mut turn)) {
                if let Err(message) = contain(|| listener(self, event)) {
                    self.inner.loader.report(Trouble::ListenerPanicked { event: event.name.clone(), message });
                }
            }
        }
    }

    /// Calls `listener` when the frame goes, after its last event. Its content can still be read.
    pub fn on_detach(&self, listener: impl Fn(&Self) + 'static) -> ListenerId {
        self.inner.detach.borrow_mut().add(DETACH, true, Rc::new(listener))
    }

    /// Removes a listener that [`on_detach`](Self::on_detach) added. `false` when it is not there.
    pub fn off_detach(&self, listener: ListenerId) -> bool {
        let removed = self.inner.detach.borrow_mut().remove(listener);
        removed.is_some()
    }

    /// Something else is in the frame from now on, such as another document: what was kept with it for what was there ends. Of remote
    /// objects that is the frame's context, with the callbacks made through it.
    ///
    /// The frame stays attached, its content and its listeners stay, and the parent is told nothing but of the callbacks. Nothing
    /// happens when the frame is gone.
    pub fn reload(&self) {
        self.inner.loader.core().reload_frame(self.inner.id);
    }

    /// Something kept until the frame is [reloaded](Self::reload) or goes, or the loader is unloaded, one of each type; made by `make`
    /// when it is asked for first, by each loader for itself. What is made for a frame that is gone is not kept.
    ///
    /// This is how other crates attach to a frame what belongs to it.
    pub fn extension<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        self.inner.extensions.get_or_make(make)
    }

    /// Closes the frame: it detaches here, then in the parent. Nothing happens when it is gone already.
    pub fn close(&self) {
        self.inner.loader.core().close_frame(self.inner.id);
    }

    pub(crate) fn listeners(&self) -> &SharedListeners<Self> {
        &self.inner.listeners
    }

    /// Tells the frame's own listeners that it is gone.
    pub(crate) fn tell_detach(&self) {
        let mut turn = self.inner.detach.borrow().turn();
        for listener in iter::from_fn(|| self.inner.detach.borrow_mut().next(DETACH, &mut turn)) {
            self.inner.loader.contain(DETACH, || listener(self));
        }
    }

    /// Lets go of what was kept for what is in the frame now.
    pub(crate) fn end_extensions(&self) {
        self.inner.extensions.clear();
    }

    /// Lets go of everything that may hold this frame: its listeners, and what is kept with it.
    pub(crate) fn clear(&self) {
        let listeners = self.inner.listeners.borrow_mut().take();
        let content_listeners = self.inner.content_listeners.take();
        let detach = self.inner.detach.borrow_mut().take();
        // A destructor that panics must not keep the frame from going.
        self.inner.loader.contain(DETACH, move || {
            self.inner.extensions.end();
            drop((listeners, content_listeners, detach));
        });
    }
}

impl Subject for Frame {}

/// Whether they are the same frame, whatever loader sees it.
impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.inner.shared, &other.inner.shared)
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("id", &self.id()).field("is_tab", &self.is_tab()).finish_non_exhaustive()
    }
}

/// What kind of frame is registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct FrameOptions {
    pub(crate) tab: bool,
}

impl FrameOptions {
    /// A frame that is no tab.
    pub const fn new() -> Self {
        Self { tab: false }
    }

    /// A frame that is a tab.
    pub const fn tab() -> Self {
        Self { tab: true }
    }
}

/// Whether a content listener runs before or after those of the other kind, as in the DOM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capture {
    /// Before all listeners that do not capture.
    Yes,
    /// After all that do.
    No,
}

/// Something that happened to a frame's content: a page was shown, a job advanced. It stays in this process.
#[derive(Clone, Debug, PartialEq)]
pub struct ContentEvent {
    name: String,
    detail: Value,
}

impl ContentEvent {
    /// An event of this name, without details.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), detail: Value::Null }
    }

    /// The same event with details.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<Value>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The event's details.
    #[must_use]
    pub const fn detail(&self) -> &Value {
        &self.detail
    }
}

/// Listeners for content events, those that capture apart.
#[derive(Default)]
pub(crate) struct ContentListeners {
    capturing: Listeners<ContentListener>,
    others: Listeners<ContentListener>,
}

type ContentListener = Rc<dyn Fn(&Frame, &ContentEvent)>;

/// A content listener, to remove it by. It means something only to the frame or list it was added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentListenerId(Capture, ListenerId);

impl ContentListeners {
    pub(crate) fn add(&mut self, name: &str, capture: Capture, listener: ContentListener) -> ContentListenerId {
        ContentListenerId(capture, self.table(capture).add(name, false, listener))
    }

    pub(crate) fn remove(&mut self, ContentListenerId(capture, id): ContentListenerId) -> Option<ContentListener> {
        self.table(capture).remove(id)
    }

    fn turn(&self, capture: Capture) -> Turn {
        match capture {
            Capture::Yes => self.capturing.turn(),
            Capture::No => self.others.turn(),
        }
    }

    fn next(&mut self, name: &str, capture: Capture, turn: &mut Turn) -> Option<ContentListener> {
        self.table(capture).next(name, turn)
    }

    const fn table(&mut self, capture: Capture) -> &mut Listeners<ContentListener> {
        match capture {
            Capture::Yes => &mut self.capturing,
            Capture::No => &mut self.others,
        }
    }
}

const DETACH: &str = "detach";
