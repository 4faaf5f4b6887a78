use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::iter;
use std::rc::Rc;

use remote_protocol::contain::contain;
use remote_protocol::event::Arrived;
use remote_protocol::id::{FrameId, LoaderId};
use remote_protocol::message::{Event, Target, Trouble};
use remote_protocol::roster::Roster;

use crate::child::{Child, UnloadReason};
use crate::core::Core;
use crate::extensions::Extensions;
use crate::frame::{ContentListeners, Frame, FrameListener, Shared};
use crate::module::Module;
use crate::port::{self, SharedListeners};
use crate::process::Process;

/// All that the modules of one loader registered, and the frames as they see them.
pub(crate) struct Loader {
    pub(crate) id: LoaderId,
    core: Rc<Core>,
    loaded: RefCell<HashSet<String>>,
    pub(crate) process_listeners: SharedListeners<Process>,
    pub(crate) frame_listeners: SharedListeners<Frame>,
    pub(crate) content_listeners: RefCell<ContentListeners>,
    pub(crate) frames: RefCell<Roster<FrameId, Frame, FrameListener, FrameListener>>,
    unload: RefCell<Vec<UnloadHandler>>,
    pub(crate) extensions: Extensions,
    unloaded: Cell<bool>,
}

type UnloadHandler = Box<dyn FnOnce(&UnloadReason)>;

impl Loader {
    pub(crate) fn new(id: LoaderId, core: Rc<Core>) -> Rc<Self> {
        Rc::new(Self {
            id,
            core,
            loaded: RefCell::default(),
            process_listeners: SharedListeners::default(),
            frame_listeners: SharedListeners::default(),
            content_listeners: RefCell::default(),
            frames: RefCell::default(),
            unload: RefCell::default(),
            extensions: Extensions::default(),
            unloaded: Cell::new(false),
        })
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Runs a module's function, unless it has been run.
    pub(crate) fn load(self: &Rc<Self>, path: &str) {
        if !self.loaded.borrow_mut().insert(path.to_owned()) {
            return;
        }
        tracing::debug!(module = path, "loading");
        let module = path.to_owned();
        let Some(run) = Module::find(path) else {
            return self.report(Trouble::UnknownModule { module });
        };
        let child = Child::new(Rc::clone(self));
        if let Err(message) = contain(|| run(&child)).unwrap_or_else(|panic| Err(format!("panicked: {panic}"))) {
            self.report(Trouble::ModuleFailed { module, message });
        }
    }

    /// Tells an event to the listeners it is for.
    pub(crate) fn tell(self: &Rc<Self>, event: &Event<'_>) {
        let arrived = Arrived::new(event);
        match event.target {
            Target::Process => {
                port::tell(&self.process_listeners, &Process::new(Rc::clone(self)), &arrived, self);
            }
            Target::Frame(frame) => self.tell_frame(frame, &arrived),
            Target::Frames => {
                let frames = self.frames.borrow().items();
                for frame in frames {
                    self.tell_frame(frame.id(), &arrived);
                }
            }
        }
    }

    fn tell_frame(&self, frame: FrameId, event: &Arrived<'_>) {
        // It may have gone while another frame was told.
        let frame = self.frames.borrow().get(frame);
        if let Some(frame) = frame {
            port::tell(frame.listeners(), &frame, event, self);
            port::tell(&self.frame_listeners, &frame, event, self);
        }
    }

    pub(crate) fn attach_frame(self: &Rc<Self>, id: FrameId, shared: &Rc<Shared>) {
        let frame = Frame::new(id, Rc::clone(self), Rc::clone(shared));
        let turn = self.frames.borrow_mut().attach(id, frame.clone());
        if let Some(mut turn) = turn {
            for listener in iter::from_fn(|| self.frames.borrow_mut().attach_listener(&mut turn)) {
                self.contain("attach", || listener(&frame));
                if self.frames.borrow().get(id).is_none() {
                    // The listener closed it.
                    break;
                }
            }
        }
    }

    pub(crate) fn detach_frame(&self, id: FrameId) {
        let detached = self.frames.borrow_mut().detach(id);
        let Some((frame, mut turn)) = detached else { return };
        frame.tell_detach();
        for listener in iter::from_fn(|| self.frames.borrow_mut().detach_listener(&mut turn)) {
            self.contain("detach", || listener(&frame));
        }
        frame.clear();
    }

    pub(crate) fn on_unload(&self, handler: UnloadHandler) {
        self.unload.borrow_mut().push(handler);
    }

    pub(crate) fn is_unloaded(&self) -> bool {
        self.unloaded.get()
    }

    /// Lets the modules know that they end, and lets go of what they registered: the frames detach, whose content can still be
    /// read, then the handlers run, last registered first.
    pub(crate) fn unload(&self, reason: &UnloadReason) {
        let frames = self.frames.borrow().items();
        for frame in frames {
            self.detach_frame(frame.id());
        }
        for handler in iter::from_fn(|| self.unload.borrow_mut().pop()) {
            self.contain("unload", || handler(reason));
        }
        let listeners = (
            self.process_listeners.borrow_mut().take(),
            self.frame_listeners.borrow_mut().take(),
            self.content_listeners.take(),
        );
        // Those that a handler registered.
        let frames = self.frames.take();
        frames.items().iter().for_each(Frame::clear);
        // A destructor that panics must not keep the loader from going.
        self.contain("unload", || drop((listeners, frames)));
        self.unloaded.set(true);
        self.contain("unload", || self.extensions.end());
    }

    /// Reports trouble in the code of this loader's modules.
    pub(crate) fn report(&self, trouble: Trouble) {
        self.core.report(self.id, trouble);
    }

    /// Runs code of the application; a panic is reported as that of a listener for `event`.
    pub(crate) fn contain(&self, event: &str, code: impl FnOnce()) {
        if let Err(message) = contain(code) {
            self.report(Trouble::ListenerPanicked { event: event.to_owned(), message });
        }
    }
}
