use std::any::Any;
use std::fmt;
use std::rc::Rc;

use remote_protocol::id::FrameId;
use remote_protocol::listeners::ListenerId;
use remote_protocol::message::Target;

use crate::frame::{Capture, ContentEvent, ContentListenerId, Frame, FrameOptions};
use crate::loader::Loader;
use crate::port::{EmitError, Port};

/// The frames of this process.
#[derive(Clone)]
pub struct Frames {
    loader: Rc<Loader>,
}

impl Frames {
    pub(crate) const fn new(loader: Rc<Loader>) -> Self {
        Self { loader }
    }

    /// The frames that are there now: those that the parent opened, then those registered here, each oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Frame> + use<> {
        self.loader.frames.borrow().items().into_iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.loader.frames.borrow().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.loader.frames.borrow().is_empty()
    }

    /// The frame of this id.
    #[must_use]
    pub fn get(&self, id: FrameId) -> Option<Frame> {
        self.loader.frames.borrow().get(id)
    }

    /// The frame that has this content: the very value that [`Frame::content`] gives.
    #[must_use]
    pub fn for_content<T: 'static>(&self, content: &Rc<T>) -> Option<Frame> {
        self.iter().find(|frame| frame.content::<T>().is_some_and(|other| Rc::ptr_eq(&other, content)))
    }

    /// Calls `listener` for each frame: for those that are there at once, for later ones as they attach; for each once.
    pub fn for_every(&self, listener: impl Fn(&Frame) + 'static) -> ListenerId {
        let listener: Rc<dyn Fn(&Frame)> = Rc::new(listener);
        let (id, present) = self.loader.frames.borrow_mut().for_every(Rc::clone(&listener));
        for frame in present {
            self.loader.contain("attach", || listener(&frame));
        }
        id
    }

    /// Calls `listener` for each frame that attaches from now on, before its first event.
    pub fn on_attach(&self, listener: impl Fn(&Frame) + 'static) -> ListenerId {
        self.loader.frames.borrow_mut().on_attach(Rc::new(listener))
    }

    /// Calls `listener` for each frame that detaches from now on, after its last event.
    pub fn on_detach(&self, listener: impl Fn(&Frame) + 'static) -> ListenerId {
        self.loader.frames.borrow_mut().on_detach(Rc::new(listener))
    }

    /// Removes a listener that [`on_attach`](Self::on_attach) or [`for_every`](Self::for_every) added. `false` when it is not there.
    pub fn off_attach(&self, listener: ListenerId) -> bool {
        let removed = self.loader.frames.borrow_mut().off_attach(listener);
        removed.is_some()
    }

    /// Removes a listener that [`on_detach`](Self::on_detach) added. `false` when it is not there.
    pub fn off_detach(&self, listener: ListenerId) -> bool {
        let removed = self.loader.frames.borrow_mut().off_detach(listener);
        removed.is_some()
    }

    /// Makes a new frame in this process; it attaches here, then in the parent.
    ///
    /// # Errors
    ///
    /// [`EmitError::Unloaded`] when the loader is unloaded; [`EmitError::Disconnected`] when the parent is gone;
    /// [`EmitError::TooManyFrames`] when the process has as many as its parent lets it have, 4096 if that says nothing.
    pub fn register<T: 'static>(&self, content: T, options: FrameOptions) -> Result<Frame, EmitError> {
        let content: Rc<dyn Any> = Rc::new(content);
        self.loader.core().register_frame(&self.loader, content, options)
    }

    /// What all frames and their counterparts in the parent send each other events with: what is emitted here goes to each frame, and
    /// what arrives for any frame is heard here, the frame first.
    #[must_use]
    pub fn port(&self) -> Port<Frame> {
        Port::new(Rc::clone(&self.loader), Target::Frames, Rc::clone(&self.loader.frame_listeners))
    }

    /// Calls `listener` for each event of this name that happens to the content of any frame, present or future.
    pub fn add_event_listener(
        &self,
        name: &str,
        capture: Capture,
        listener: impl Fn(&Frame, &ContentEvent) + 'static,
    ) -> ContentListenerId {
        self.loader.content_listeners.borrow_mut().add(name, capture, Rc::new(listener))
    }

    /// Removes a listener. `false` when it is not there any more.
    pub fn remove_event_listener(&self, listener: ContentListenerId) -> bool {
        let removed = self.loader.content_listeners.borrow_mut().remove(listener);
        removed.is_some()
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
