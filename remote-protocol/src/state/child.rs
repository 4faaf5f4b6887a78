//! A child's side of the link to its parent.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::call;
use crate::id::{FrameId, LoaderId, ProcessId};
use crate::limits::Limits;
use crate::message::{Event, Hello, PROTOCOL_VERSION, Target, ToChild, ToParent, Versions, Welcome};
use crate::releases::Acknowledging;
use crate::sandbox::Report;
use crate::state::Violation;
use crate::window::{Debt, Full, Window};

/// What a child knows of its parent, and decides about it.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    phase: Phase,
    process: ProcessId,
    hello: Option<ToParent<'static>>,
    limits: Limits,
    frames: BTreeSet<FrameId>,
    /// How many of them were registered here.
    own_frames: usize,
    /// How many ever were.
    registered: u32,
    outbound: Window,
    inbound: Debt,
    acknowledging: Acknowledging,
}

/// What a session says of itself.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The application's version: the parent has to have the same.
    pub application: String,
    /// The walls around the process.
    pub sandbox: Report,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No welcome yet.
    Greeting,
    Running,
    /// Refused, or the last word has been said.
    Ended,
}

/// What a message means to the driver.
#[derive(Debug, PartialEq)]
#[must_use]
pub enum Received<'a> {
    /// The parent accepts the child.
    Ready(Welcome),
    /// The parent has other versions; the child has to end.
    Refused {
        /// The child's.
        child: Versions<'static>,
        /// The parent's.
        parent: Versions<'static>,
    },
    /// To be made; all frames attach to it.
    OpenLoader {
        /// The loader.
        loader: LoaderId,
    },
    /// To be unloaded, then [`Session::unloaded`].
    Unload {
        /// The loader.
        loader: LoaderId,
        /// What its modules are told.
        reason: Cow<'a, str>,
    },
    /// To be loaded.
    Require {
        /// For which loader.
        loader: LoaderId,
        /// The module's full path.
        module: Cow<'a, str>,
    },
    /// To be told to the listeners of its port.
    Event(Event<'a>),
    /// The parent opened a frame.
    FrameOpened {
        /// The frame.
        frame: FrameId,
        /// Whether it is a tab.
        tab: bool,
    },
    /// To be closed, by [`Session::close_frame`].
    CloseFrame {
        /// The frame.
        frame: FrameId,
    },
    /// To be handed to the objects.
    Object(call::ToChild<'a>),
    /// To end, after all that came before.
    Close,
    /// Nothing to be done.
    Nothing,
}

impl Session {
    /// The session of a child that has a link and has said nothing yet.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::Greeting,
            process: ProcessId::new(0, 0),
            hello: None,
            limits: Limits::new(),
            frames: BTreeSet::new(),
            own_frames: 0,
            registered: 0,
            outbound: Window::new(0),
            inbound: Debt::new(0),
            acknowledging: Acknowledging::new(),
        }
    }

    /// Says hello, as the process `pid`; [`poll`](Self::poll) gives the message.
    pub fn greet(&mut self, pid: u32) {
        self.hello =
            Some(ToParent::Hello(Hello { versions: self.versions(), pid, sandbox: self.settings.sandbox.clone() }));
    }

    /// Takes what the parent says.
    ///
    /// # Errors
    ///
    /// [`Violation`]; the child has to end.
    pub fn receive<'a>(&mut self, message: ToChild<'a>) -> Result<Received<'a>, Violation> {
        match (self.phase, message) {
            (Phase::Greeting, ToChild::Welcome(welcome)) => {
                self.phase = Phase::Running;
                self.process = welcome.process;
                self.limits = welcome.limits;
                self.outbound = Window::new(welcome.limits.max_window());
                self.inbound = Debt::new(welcome.limits.max_window());
                Ok(Received::Ready(welcome))
            }
            (Phase::Greeting, ToChild::Refuse(parent)) => {
                self.phase = Phase::Ended;
                Ok(Received::Refused { child: self.versions(), parent: parent.into_owned() })
            }
            (Phase::Running, message) => self.receive_running(message),
            (Phase::Greeting, message) => {
                Err(Violation::Unexpected { message: message.kind(), when: "before the welcome" })
            }
            (Phase::Ended, _) => Ok(Received::Nothing),
        }
    }

    /// Takes room for an event that is about to be sent. `false` when it is for a frame that is gone, or the last word has been
    /// said: then it is dropped.
    ///
    /// # Errors
    ///
    /// [`Full`] when too much lies unhandled at the parent; wait for [`ToChild::Handled`] and try again.
    pub fn admit(&mut self, event: &Event<'_>) -> Result<bool, Full> {
        let gone = matches!(event.target, Target::Frame(frame) if !self.frames.contains(&frame));
        if gone || self.phase != Phase::Running {
            return Ok(false);
        }
        self.outbound.take(event.cost())?;
        Ok(true)
    }

    /// Registers a new frame.
    ///
    /// # Errors
    ///
    /// [`TooManyFrames`] when the process has as many as it may.
    pub fn register_frame(&mut self, tab: bool) -> Result<(FrameId, ToParent<'static>), TooManyFrames> {
        let limit = self.limits.max_frames();
        if self.own_frames >= limit {
            return Err(TooManyFrames { limit });
        }
        // An id that is used up is not used again.
        self.registered = self.registered.checked_add(1).ok_or(TooManyFrames { limit })?;
        self.own_frames += 1;
        let frame = FrameId::registered(self.process, self.registered);
        self.frames.insert(frame);
        Ok((frame, ToParent::RegisterFrame { frame, tab }))
    }

    /// A frame is closed here, of the child's own accord or because the parent asked. `None` when it is gone already.
    #[must_use]
    pub fn close_frame(&mut self, frame: FrameId) -> Option<ToParent<'static>> {
        if !self.frames.remove(&frame) {
            return None;
        }
        if frame.is_from(self.process) {
            // No honest parent opens a frame by an id of ours.
            self.own_frames = self.own_frames.saturating_sub(1);
        }
        Some(ToParent::FrameClosed { frame })
    }

    /// A loader is unloaded here: nothing more comes from it.
    #[must_use]
    pub fn unloaded(&self, loader: LoaderId) -> Option<ToParent<'static>> {
        (self.phase == Phase::Running).then_some(ToParent::Unloaded { loader })
    }

    /// A message of the parent that cost this has been handled, see [`ToChild::cost`]; gives what to tell it now, if anything.
    #[must_use]
    pub fn handled(&mut self, cost: u64) -> Option<ToParent<'static>> {
        self.inbound.add(cost).map(|cost| ToParent::Handled { cost })
    }

    /// Everything that arrived has been handled; gives what to tell the parent before waiting.
    #[must_use]
    pub fn idle(&mut self) -> Option<ToParent<'static>> {
        self.inbound.settle().map(|cost| ToParent::Handled { cost })
    }

    /// A message of the parent that gives callbacks back has been handled; gives what to tell it now, if anything.
    #[must_use]
    pub fn released(&mut self) -> Option<ToParent<'static>> {
        let batches = self.acknowledging.handled()?;
        Some(ToParent::Object(call::ToParent::Released { batches }))
    }

    /// The parent has handled events that cost this.
    ///
    /// # Errors
    ///
    /// [`Violation`] when that is more than was sent.
    pub const fn credit(&mut self, cost: u64) -> Result<(), Violation> {
        let unhandled = self.outbound.unhandled();
        if self.outbound.handled(cost) { Ok(()) } else { Err(Violation::HandledTooMuch { cost, unhandled }) }
    }

    /// Says the last word. `None` when it has been said.
    #[must_use]
    pub fn end(&mut self) -> Option<ToParent<'static>> {
        if self.phase != Phase::Running {
            return None;
        }
        self.phase = Phase::Ended;
        Some(ToParent::Bye)
    }

    /// The greeting, once.
    #[must_use]
    pub const fn poll(&mut self) -> Option<ToParent<'static>> {
        self.hello.take()
    }

    fn versions(&self) -> Versions<'static> {
        Versions { protocol: PROTOCOL_VERSION, application: Cow::Owned(self.settings.application.clone()) }
    }

    fn receive_running<'a>(&mut self, message: ToChild<'a>) -> Result<Received<'a>, Violation> {
        Ok(match message {
            message @ (ToChild::Welcome(_) | ToChild::Refuse(_)) => {
                return Err(Violation::Unexpected { message: message.kind(), when: "a second time" });
            }
            ToChild::OpenLoader { loader } => Received::OpenLoader { loader },
            ToChild::Unload { loader, reason } => Received::Unload { loader, reason },
            ToChild::Require { loader, module } => Received::Require { loader, module },
            ToChild::Event(event) => match event.target {
                // It crossed with our own closing of the frame.
                Target::Frame(frame) if !self.frames.contains(&frame) => Received::Nothing,
                _ => Received::Event(event),
            },
            ToChild::OpenFrame { frame, tab } => {
                if !self.frames.insert(frame) {
                    return Err(Violation::FrameTaken(frame));
                }
                Received::FrameOpened { frame, tab }
            }
            // It crossed with our own closing of the frame.
            ToChild::CloseFrame { frame } if !self.frames.contains(&frame) => Received::Nothing,
            ToChild::CloseFrame { frame } => Received::CloseFrame { frame },
            ToChild::Object(message) => Received::Object(message),
            ToChild::Handled { cost } => {
                self.credit(cost)?;
                Received::Nothing
            }
            ToChild::Close => Received::Close,
        })
    }
}

/// The process has registered as many frames as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit} frames are registered, more than that may not be")]
pub struct TooManyFrames {
    /// How many there may be.
    pub limit: usize,
}
