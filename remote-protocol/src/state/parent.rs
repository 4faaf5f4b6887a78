//! The parent's side of one child.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use crate::call::{self, Invoke, Release, Run};
use crate::id::{FrameId, LoaderId, ProcessId};
use crate::limits::{self, Limits};
use crate::message::{Event, Hello, PROTOCOL_VERSION, Target, ToChild, ToParent, Trouble, Versions, Welcome};
use crate::module::ModulePath;
use crate::releases::{Acknowledging, Due, Releases};
use crate::sandbox::Report;
use crate::service::NotifyError;
use crate::state::Violation;
use crate::window::{Debt, Window};

/// What the parent knows of one child, and decides about it.
#[derive(Debug)]
pub struct Session {
    process: ProcessId,
    settings: Settings,
    phase: Phase,
    /// Whether the child has said its last word.
    ended: bool,
    /// What was to be sent before the child had said hello, in order.
    held: VecDeque<ToChild<'static>>,
    /// The loaders that are open or unloading, and what each has required.
    loaders: BTreeMap<LoaderId, LoaderState>,
    /// All frames of the process, and whether they have been asked to close.
    frames: BTreeMap<FrameId, Closing>,
    /// How many of them the child has registered.
    registered: usize,
    outbound: Window,
    inbound: Debt,
    releases: Releases,
    /// The batch of releases that is being sent.
    batch: Vec<Release>,
    acknowledging: Acknowledging,
}

/// What a session keeps to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The application's version: the child has to have the same.
    pub application: String,
    /// Whether this is a child; `false` for the main process.
    pub remote: bool,
    /// What the child may have, do and cost.
    pub limits: Limits,
    /// How long the child waits for the parent when it says nothing else.
    pub deadline: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { application: String::new(), remote: true, limits: Limits::new(), deadline: limits::CALL }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No hello yet.
    Starting,
    Running,
    /// Asked to close; what it says is still heard.
    Closing,
    /// Has said its last word.
    Ended,
    /// The link is gone.
    Gone,
}

type Closing = bool;

#[derive(Debug, Default)]
struct LoaderState {
    required: HashSet<ModulePath>,
    /// Asked to unload; what it says is still heard.
    unloading: bool,
}

/// What a message means to the driver.
#[derive(Debug, PartialEq)]
#[must_use]
pub enum Received<'a> {
    /// The child is accepted.
    Ready {
        /// The walls around it, by its own account; none where it was not told to lock itself in.
        sandbox: Report,
    },
    /// The child has other versions than the parent; what tells it so comes from [`Session::poll`].
    Refused {
        /// The child's.
        child: Versions<'static>,
        /// The parent's.
        parent: Versions<'static>,
    },
    /// To be told to the listeners of its port; then [`Session::handled`].
    Event(Event<'a>),
    /// The child registered a frame.
    FrameAttached {
        /// The frame.
        frame: FrameId,
        /// Whether it is a tab.
        tab: bool,
    },
    /// A frame is gone.
    FrameDetached {
        /// The frame.
        frame: FrameId,
    },
    /// The loader is unloaded in this process.
    Unloaded {
        /// The loader.
        loader: LoaderId,
    },
    /// To be handed to the objects.
    Object(call::ToParent<'a>),
    /// To be reported.
    Trouble {
        /// To whose listeners.
        loader: LoaderId,
        /// What.
        trouble: Trouble,
    },
    /// The child has handled releases: more may be sent.
    Acknowledged,
    /// Nothing to be done.
    Nothing,
}

impl Session {
    /// The session of a process that has just been started.
    #[must_use]
    pub fn new(process: ProcessId, settings: Settings) -> Self {
        Self {
            process,
            phase: Phase::Starting,
            ended: false,
            held: VecDeque::new(),
            loaders: BTreeMap::new(),
            frames: BTreeMap::new(),
            registered: 0,
            outbound: Window::new(settings.limits.max_window()),
            inbound: Debt::new(settings.limits.max_window()),
            releases: Releases::limited(settings.limits.max_lent()),
            batch: Vec::new(),
            acknowledging: Acknowledging::default(),
            settings,
        }
    }

    /// Takes what the child says.
    ///
    /// # Errors
    ///
    /// [`Violation`]; the child has to be ended.
    pub fn receive<'a>(&mut self, message: ToParent<'a>) -> Result<Received<'a>, Violation> {
        self.releases.attend();
        match (self.phase, message) {
            (Phase::Starting, ToParent::Hello(hello)) => Ok(self.hello(hello)),
            (Phase::Running | Phase::Closing, message) => self.receive_running(message),
            // Threads of the child that are not its loop thread may still give back what they held.
            (Phase::Ended, ToParent::Object(_) | ToParent::Handled { .. }) => Ok(Received::Nothing),
            (phase, message) => Err(Violation::Unexpected {
                message: message.kind(),
                when: if phase == Phase::Starting { "before hello" } else { "after the last message" },
            }),
        }
    }

    /// Opens a loader in the child.
    #[must_use]
    pub fn open_loader(&mut self, loader: LoaderId) -> Option<ToChild<'static>> {
        if !self.takes_more() || self.loaders.contains_key(&loader) {
            return None;
        }
        self.loaders.insert(loader, LoaderState::default());
        self.send_or_hold(ToChild::OpenLoader { loader })
    }

    /// Asks the child to unload a loader; it is unloaded when the child says so. `None` when there is nothing to wait for.
    #[must_use]
    pub fn unload(&mut self, loader: LoaderId, reason: &str) -> Option<Option<ToChild<'static>>> {
        if !self.takes_more() {
            return None;
        }
        let state = self.loaders.get_mut(&loader).filter(|state| !state.unloading)?;
        state.unloading = true;
        Some(self.send_or_hold(ToChild::Unload { loader, reason: Cow::Owned(reason.to_owned()) }))
    }

    /// Asks the child to load a module, unless it has been asked before.
    #[must_use]
    pub fn require(&mut self, loader: LoaderId, module: &ModulePath) -> Option<ToChild<'static>> {
        if !self.takes_more() {
            return None;
        }
        let state = self.loaders.get_mut(&loader).filter(|state| !state.unloading)?;
        if !state.required.insert(module.clone()) {
            return None;
        }
        let module = Cow::Owned(module.as_str().to_owned());
        self.send_or_hold(ToChild::Require { loader, module })
    }

    /// Emits an event.
    ///
    /// # Errors
    ///
    /// [`NotifyError`] when the process or the frame is gone or going, too much lies unhandled, or the payload is too long.
    pub fn emit<'a>(&mut self, event: Event<'a>) -> Result<Option<ToChild<'a>>, NotifyError> {
        let gone = match event.target {
            Target::Frame(frame) => self.frames.get(&frame) != Some(&false),
            Target::Process | Target::Frames => false,
        };
        let unloaded = self.loaders.get(&event.loader).is_none_or(|loader| loader.unloading);
        if gone || unloaded || !self.takes_more() {
            return Err(NotifyError::Gone);
        }
        self.check_length(event.payload.bytes.0.len())?;
        self.outbound.take(event.cost())?;
        Ok(self.send_or_hold(ToChild::Event(event)))
    }

    /// Calls a callback of the child.
    ///
    /// # Errors
    ///
    /// [`NotifyError`] when the process is gone or going, too much lies unhandled, or the argument is too long.
    pub fn invoke<'a>(&mut self, invoke: Invoke<'a>) -> Result<Option<ToChild<'a>>, NotifyError> {
        self.check_length(invoke.argument.bytes.0.len())?;
        if !self.takes_more() {
            return Err(NotifyError::Gone);
        }
        self.outbound.take(invoke.cost())?;
        Ok(self.send_or_hold(ToChild::Object(call::ToChild::Invoke(invoke))))
    }

    /// Calls a function of the child. One that waits in a call can still be called while it is asked to close; any other then ends
    /// without an answer.
    ///
    /// # Errors
    ///
    /// [`NotifyError`] when the process is gone, or the argument is too long.
    pub fn run<'a>(&mut self, run: Run<'a>) -> Result<Option<ToChild<'a>>, NotifyError> {
        // References lie beside the bytes, in the same message.
        let references = run.argument.references.len().saturating_mul(limits::MESSAGE_COST);
        self.check_length(run.argument.bytes.0.len().saturating_add(references))?;
        match self.phase {
            Phase::Running | Phase::Closing => Ok(self.send_or_hold(ToChild::Object(call::ToChild::Run(run)))),
            Phase::Starting | Phase::Ended | Phase::Gone => Err(NotifyError::Gone),
        }
    }

    /// Gives a callback back to the child, by and by: with the next message, when [`rest`](Self::rest) says so, or as is [`Due`].
    pub fn release(&mut self, release: Release) -> Due {
        match self.phase {
            Phase::Running | Phase::Closing => self.releases.add(release),
            Phase::Starting | Phase::Ended | Phase::Gone => Due::Later,
        }
    }

    /// The thread that receives is awake: it says itself what is let go of.
    pub const fn attend(&mut self) {
        self.releases.attend();
    }

    /// What gives callbacks back, to be sent before anything else. `None` when there is nothing, or the child has enough of them.
    #[inline]
    #[must_use]
    pub fn releases(&mut self) -> Option<ToChild<'_>> {
        let taken = self.releases.take(&mut self.batch);
        taken.then_some(ToChild::Object(call::ToChild::Release(Cow::Borrowed(&self.batch))))
    }

    /// The thread that receives is about to sleep. `false` when there are [`releases`](Self::releases) to be sent first.
    #[must_use]
    pub fn rest(&mut self) -> bool {
        self.releases.rest()
    }

    /// A message of the child that gives objects back has been handled; gives what to tell it now, if anything.
    #[must_use]
    pub fn released(&mut self) -> Option<ToChild<'static>> {
        let batches = self.acknowledging.handled()?;
        Some(ToChild::Object(call::ToChild::Released { batches }))
    }

    /// Opens a frame in the process.
    ///
    /// # Errors
    ///
    /// [`NotifyError::Gone`] when the process is gone or going.
    pub fn open_frame(&mut self, frame: FrameId, tab: bool) -> Result<Option<ToChild<'static>>, NotifyError> {
        if !self.takes_more() {
            return Err(NotifyError::Gone);
        }
        self.frames.insert(frame, false);
        Ok(self.send_or_hold(ToChild::OpenFrame { frame, tab }))
    }

    /// Asks the child to close a frame; it is gone when the child says so. `None` when it has been asked before or is gone.
    #[must_use]
    pub fn close_frame(&mut self, frame: FrameId) -> Option<ToChild<'static>> {
        let closing = self.frames.get_mut(&frame).filter(|closing| !**closing)?;
        *closing = true;
        if !self.takes_more() {
            return None;
        }
        self.send_or_hold(ToChild::CloseFrame { frame })
    }

    /// An event of the child that cost this has been handled; gives what to tell it now, if anything. It need not hear the rest: what is not
    /// said leaves it room.
    #[must_use]
    pub fn handled(&mut self, cost: u64) -> Option<ToChild<'static>> {
        self.inbound.add(cost).map(|cost| ToChild::Handled { cost })
    }

    /// Asks the child to handle what was sent before and end. `None` when it has been asked before or is gone.
    #[must_use]
    pub fn close(&mut self) -> Option<ToChild<'static>> {
        if !self.takes_more() {
            return None;
        }
        let message = self.send_or_hold(ToChild::Close);
        if message.is_some() {
            self.phase = Phase::Closing;
        }
        message
    }

    /// The link is gone; gives the frames that go with it.
    pub fn gone(&mut self) -> Vec<FrameId> {
        self.phase = Phase::Gone;
        self.held.clear();
        self.releases.close();
        std::mem::take(&mut self.frames).into_keys().collect()
    }

    /// What was held back while the child was starting, and may be sent now.
    #[must_use]
    pub fn poll(&mut self) -> Option<ToChild<'static>> {
        if self.phase == Phase::Starting {
            return None;
        }
        let message = self.held.pop_front()?;
        if message == ToChild::Close {
            self.phase = Phase::Closing;
        }
        Some(message)
    }

    /// What has been sent and is not known to be handled.
    #[must_use]
    pub const fn unhandled(&self) -> u64 {
        self.outbound.unhandled()
    }

    /// How much of what was sent is known to be handled; never less than before. Where this stands still while something is
    /// [unhandled](Self::unhandled), the child is stuck.
    #[must_use]
    pub const fn progress(&self) -> u64 {
        self.outbound.progress()
    }

    /// The loaders that are open in the child.
    pub fn loaders(&self) -> impl Iterator<Item = LoaderId> + '_ {
        self.loaders.keys().copied()
    }

    /// How long the child waits for the parent, and the parent for a function of the child, when nothing is said.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.settings.deadline
    }

    /// What the child may have, do and cost.
    pub const fn limits(&self) -> Limits {
        self.settings.limits
    }

    /// Whether the child has said its last word, [`ToParent::Bye`]. Stays so when its link is gone.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    fn hello(&mut self, hello: Hello<'_>) -> Received<'static> {
        let parent =
            Versions { protocol: PROTOCOL_VERSION, application: Cow::Owned(self.settings.application.clone()) };
        if hello.versions != parent {
            self.held.clear();
            self.held.push_back(ToChild::Refuse(parent.clone()));
            self.phase = Phase::Ended;
            return Received::Refused { child: hello.versions.into_owned(), parent };
        }
        self.held.push_front(ToChild::Welcome(Welcome {
            process: self.process,
            remote: self.settings.remote,
            limits: self.settings.limits,
            deadline: self.settings.deadline,
        }));
        self.phase = Phase::Running;
        Received::Ready { sandbox: hello.sandbox.shortened() }
    }

    fn receive_running<'a>(&mut self, message: ToParent<'a>) -> Result<Received<'a>, Violation> {
        Ok(match message {
            ToParent::Hello(_) => {
                return Err(Violation::Unexpected { message: "Hello", when: "a second time" });
            }
            ToParent::Event(event) => {
                if !event.payload.references.is_empty() {
                    return Err(Violation::ReferencesInEvent { count: event.payload.references.len() });
                }
                if event.name.len() > limits::NAME_BYTES {
                    return Err(Violation::LongName { length: event.name.len(), limit: limits::NAME_BYTES });
                }
                if !self.loaders.contains_key(&event.loader) {
                    return Err(Violation::NoSuchLoader(event.loader));
                }
                if let Target::Frame(frame) = event.target
                    && !self.frames.contains_key(&frame)
                {
                    return Err(Violation::NoSuchFrame(frame));
                }
                Received::Event(event)
            }
            ToParent::RegisterFrame { frame, tab } => {
                if !frame.is_from(self.process) || self.frames.contains_key(&frame) {
                    return Err(Violation::FrameTaken(frame));
                }
                let limit = self.settings.limits.max_frames();
                if self.registered >= limit {
                    return Err(Violation::TooManyFrames { limit });
                }
                self.registered += 1;
                self.frames.insert(frame, false);
                Received::FrameAttached { frame, tab }
            }
            ToParent::FrameClosed { frame } => {
                self.frames.remove(&frame).ok_or(Violation::NoSuchFrame(frame))?;
                if frame.is_from(self.process) {
                    self.registered = self.registered.saturating_sub(1);
                }
                Received::FrameDetached { frame }
            }
            ToParent::Object(call::ToParent::Released { batches }) => {
                self.releases.acknowledged(batches)?;
                Received::Acknowledged
            }
            ToParent::Object(message) => Received::Object(message),
            ToParent::Handled { cost } => {
                let unhandled = self.outbound.unhandled();
                if !self.outbound.handled(cost) {
                    return Err(Violation::HandledTooMuch { cost, unhandled });
                }
                Received::Nothing
            }
            ToParent::Unloaded { loader } => {
                if !self.loaders.remove(&loader).is_some_and(|state| state.unloading) {
                    return Err(Violation::NoSuchLoader(loader));
                }
                Received::Unloaded { loader }
            }
            ToParent::Trouble { loader, trouble } => Received::Trouble { loader, trouble },
            ToParent::Bye => {
                self.phase = Phase::Ended;
                self.ended = true;
                self.releases.close();
                Received::Nothing
            }
        })
    }

    const fn check_length(&self, length: usize) -> Result<(), NotifyError> {
        let limit = self.settings.limits.max_payload_bytes();
        if length > limit { Err(NotifyError::TooLong { length, limit }) } else { Ok(()) }
    }

    fn takes_more(&self) -> bool {
        let closing = self.held.back() == Some(&ToChild::Close);
        matches!(self.phase, Phase::Starting | Phase::Running) && !closing
    }

    /// Gives a message to be sent now, or holds it back. What is work for the child beyond events counts in the window, so that a child
    /// that is stuck in it is noticed, but is never refused.
    fn send_or_hold<'a>(&mut self, message: ToChild<'a>) -> Option<ToChild<'a>> {
        if !matches!(message, ToChild::Event(_) | ToChild::Object(_)) {
            self.outbound.force(message.cost());
        }
        // What is held goes first, also when the child has just said hello.
        if self.phase == Phase::Starting || !self.held.is_empty() {
            self.held.push_back(message.into_owned());
            return None;
        }
        Some(message)
    }
}
