//! The messages, one enum per direction, so that one sent the wrong way does not compile.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{self, ShortCall, ShortReturn};
use crate::codec::{self, CowBytes, DecodeError, EncodeError};
use crate::id::{FrameId, LoaderId, ProcessId};
use crate::limits::{self, Limits};
use crate::payload::{Form, Payload, Reference};
use crate::sandbox::Report;

mod short;

pub use short::ShortEvent;

/// What a version of this protocol is called. Two sides speak to each other only if they have the same.
pub const PROTOCOL_VERSION: u32 = 1;

/// What the parent says to a child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToChild<'a> {
    /// Accepts the child's hello. The first message.
    Welcome(Welcome),
    /// Does not accept the child's hello. The only message.
    #[serde(borrow)]
    Refuse(Versions<'a>),
    /// There is a new loader; what is there attaches to it.
    OpenLoader {
        /// The loader.
        loader: LoaderId,
    },
    /// Unload a loader; answered by [`ToParent::Unloaded`].
    Unload {
        /// The loader.
        loader: LoaderId,
        /// What its modules are told.
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
    /// Load a module.
    Require {
        /// For which loader.
        loader: LoaderId,
        /// The module's full path.
        #[serde(borrow)]
        module: Cow<'a, str>,
    },
    /// An event for a port.
    #[serde(borrow)]
    Event(Event<'a>),
    /// There is a new frame.
    OpenFrame {
        /// The frame.
        frame: FrameId,
        /// Whether it is a tab.
        tab: bool,
    },
    /// Close a frame; answered by [`ToParent::FrameClosed`].
    CloseFrame {
        /// The frame.
        frame: FrameId,
    },
    /// About objects.
    #[serde(borrow)]
    Object(call::ToChild<'a>),
    /// Events of the child that cost this much have been handled.
    Handled {
        /// See [`Event::cost`].
        cost: u64,
    },
    /// Handle what was sent before, and end.
    Close,
}

/// What can be said: one direction's messages.
pub trait Message {
    /// Appends the encoding of the message to `buffer`.
    ///
    /// # Errors
    ///
    /// As [`codec::encode`].
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl Message for ToChild<'_> {
    #[inline]
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
        if let Some(short) = ShortReturn::of(self) {
            short.write(buffer);
        } else if let Self::Event(event) = self
            && let Some(short) = ShortEvent::new(event)
        {
            short.write_to_child(buffer);
        } else {
            codec::encode(self, buffer)?;
        }
        Ok(())
    }
}

impl Message for ToParent<'_> {
    #[inline]
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
        if let Some(short) = ShortCall::of(self) {
            short.write(buffer);
        } else if let Self::Event(event) = self
            && let Some(short) = ShortEvent::new(event)
        {
            short.write_to_parent(buffer);
        } else {
            codec::encode(self, buffer)?;
        }
        Ok(())
    }
}

impl<'a> ToChild<'a> {
    /// Decodes a message.
    ///
    /// # Errors
    ///
    /// As [`codec::decode`].
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if let Some(short) = ShortReturn::read(bytes) {
            return Ok(short.into());
        }
        match ShortEvent::read_by_child(bytes) {
            Some(short) => Ok(Self::Event(short.into())),
            None => codec::decode(bytes),
        }
    }
}

impl<'a> ToParent<'a> {
    /// Decodes a message.
    ///
    /// # Errors
    ///
    /// As [`codec::decode`].
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if let Some(short) = ShortCall::read(bytes) {
            return Ok(short.into());
        }
        match ShortEvent::read_by_parent(bytes) {
            Some(short) => Ok(Self::Event(short.into())),
            None => codec::decode(bytes),
        }
    }
}

impl ToChild<'_> {
    /// What the message takes of a window until it is handled: both sides count the same. Nothing, where a side waits for the
    /// message, or where it is said about the window or the link itself.
    #[must_use]
    pub fn cost(&self) -> u64 {
        match self {
            Self::Event(event) => event.cost(),
            Self::Object(call::ToChild::Invoke(invoke)) => invoke.cost(),
            Self::OpenLoader { .. }
            | Self::Unload { .. }
            | Self::Require { .. }
            | Self::OpenFrame { .. }
            | Self::CloseFrame { .. } => limits::MESSAGE_COST as u64,
            Self::Welcome(_) | Self::Refuse(_) | Self::Object(_) | Self::Handled { .. } | Self::Close => 0,
        }
    }

    /// What the message is about, for logs: an event's name, a module's path, an id.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Welcome(welcome) => format!("process {}", welcome.process),
            Self::Refuse(versions) => versions.to_string(),
            Self::OpenLoader { loader } => format!("loader {loader}"),
            Self::Unload { loader, reason } => format!("loader {loader} {reason:?}"),
            Self::Require { module, .. } => module.to_string(),
            Self::Event(event) => event.subject(),
            Self::OpenFrame { frame, .. } | Self::CloseFrame { frame } => format!("frame {frame}"),
            Self::Object(call::ToChild::Return(answer)) => format!("call {}", answer.call),
            Self::Object(call::ToChild::Invoke(invoke)) => format!("callback {}", invoke.callback),
            Self::Object(call::ToChild::Run(run)) => format!("{} of function {}", run.invocation, run.function),
            Self::Object(call::ToChild::Release(releases)) => released("callback", releases),
            Self::Object(call::ToChild::Released { batches }) => batches.to_string(),
            Self::Handled { cost } => cost.to_string(),
            Self::Close => String::new(),
        }
    }

    /// The message's name, for logs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Welcome(_) => "Welcome",
            Self::Refuse(_) => "Refuse",
            Self::OpenLoader { .. } => "OpenLoader",
            Self::Unload { .. } => "Unload",
            Self::Require { .. } => "Require",
            Self::Event(_) => "Event",
            Self::OpenFrame { .. } => "OpenFrame",
            Self::CloseFrame { .. } => "CloseFrame",
            Self::Object(call::ToChild::Return(_)) => "Return",
            Self::Object(call::ToChild::Invoke(_)) => "Invoke",
            Self::Object(call::ToChild::Run(_)) => "Run",
            Self::Object(call::ToChild::Release(_)) => "Release",
            Self::Object(call::ToChild::Released { .. }) => "Released",
            Self::Handled { .. } => "Handled",
            Self::Close => "Close",
        }
    }

    /// The same message, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> ToChild<'static> {
        match self {
            Self::Welcome(welcome) => ToChild::Welcome(welcome),
            Self::Refuse(versions) => ToChild::Refuse(versions.into_owned()),
            Self::OpenLoader { loader } => ToChild::OpenLoader { loader },
            Self::Unload { loader, reason } => ToChild::Unload { loader, reason: Cow::Owned(reason.into_owned()) },
            Self::Require { loader, module } => ToChild::Require { loader, module: Cow::Owned(module.into_owned()) },
            Self::Event(event) => ToChild::Event(event.into_owned()),
            Self::OpenFrame { frame, tab } => ToChild::OpenFrame { frame, tab },
            Self::CloseFrame { frame } => ToChild::CloseFrame { frame },
            Self::Object(message) => ToChild::Object(message.into_owned()),
            Self::Handled { cost } => ToChild::Handled { cost },
            Self::Close => ToChild::Close,
        }
    }
}

/// What a child says to the parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToParent<'a> {
    /// Introduces the child. The first message.
    #[serde(borrow)]
    Hello(Hello<'a>),
    /// An event of a port.
    #[serde(borrow)]
    Event(Event<'a>),
    /// A loader is unloaded; nothing more comes from it.
    Unloaded {
        /// The loader.
        loader: LoaderId,
    },
    /// The child has a new frame of its own.
    RegisterFrame {
        /// The frame.
        frame: FrameId,
        /// Whether it is a tab.
        tab: bool,
    },
    /// A frame is gone: closed by the child, or by [`ToChild::CloseFrame`].
    FrameClosed {
        /// The frame.
        frame: FrameId,
    },
    /// About objects.
    #[serde(borrow)]
    Object(call::ToParent<'a>),
    /// Messages that cost this much have been handled.
    Handled {
        /// See [`ToChild::cost`].
        cost: u64,
    },
    /// Something of the application went wrong in the child, which lives on.
    Trouble {
        /// Whose modules' code it is.
        loader: LoaderId,
        /// What.
        trouble: Trouble,
    },
    /// Everything before [`ToChild::Close`] is handled; the child ends. The last message.
    Bye,
}

impl ToParent<'_> {
    /// What the message is about, for logs: an event's name, an object, an id.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Hello(hello) => format!("process {} of {}", hello.pid, hello.versions),
            Self::Event(event) => event.subject(),
            Self::Unloaded { loader } => format!("loader {loader}"),
            Self::RegisterFrame { frame, .. } | Self::FrameClosed { frame } => format!("frame {frame}"),
            Self::Object(call::ToParent::Call(call)) => call_subject(call),
            Self::Object(call::ToParent::Result(result)) => format!("invocation {}", result.invocation),
            Self::Object(call::ToParent::Release(releases)) => released("object", releases),
            Self::Object(call::ToParent::Released { batches }) => batches.to_string(),
            Self::Object(call::ToParent::Revoked { callbacks }) => format!("{} callbacks", callbacks.len()),
            Self::Object(call::ToParent::Cancel { call }) => call.to_string(),
            Self::Handled { cost } => cost.to_string(),
            Self::Trouble { trouble, .. } => trouble.to_string(),
            Self::Bye => String::new(),
        }
    }

    /// The message's name, for logs and errors.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hello(_) => "Hello",
            Self::Event(_) => "Event",
            Self::Unloaded { .. } => "Unloaded",
            Self::RegisterFrame { .. } => "RegisterFrame",
            Self::FrameClosed { .. } => "FrameClosed",
            Self::Object(call::ToParent::Call(_)) => "Call",
            Self::Object(call::ToParent::Result(_)) => "Result",
            Self::Object(call::ToParent::Release(_)) => "Release",
            Self::Object(call::ToParent::Released { .. }) => "Released",
            Self::Object(call::ToParent::Revoked { .. }) => "Revoked",
            Self::Object(call::ToParent::Cancel { .. }) => "Cancel",
            Self::Handled { .. } => "Handled",
            Self::Trouble { .. } => "Trouble",
            Self::Bye => "Bye",
        }
    }
}

/// Introduces a child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello<'a> {
    /// What the child speaks and is.
    #[serde(borrow)]
    pub versions: Versions<'a>,
    /// The child's process id, as it sees it itself.
    pub pid: u32,
    /// The walls around the child; none where it was not told to lock itself in.
    pub sandbox: Report,
}

/// The two versions both sides have to have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions<'a> {
    /// [`PROTOCOL_VERSION`] of the side that says it.
    pub protocol: u32,
    /// The version of the application, in the application's own words; empty where it has none.
    #[serde(borrow)]
    pub application: Cow<'a, str>,
}

impl Versions<'_> {
    /// The same versions, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Versions<'static> {
        Versions { protocol: self.protocol, application: Cow::Owned(self.application.into_owned()) }
    }
}

impl std::fmt::Display for Versions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "protocol {}, application `{}`", self.protocol, self.application)
    }
}

/// Accepts a child, and tells it what it has to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Who the child is to the parent.
    pub process: ProcessId,
    /// Whether this is a child; `false` for the main process.
    pub remote: bool,
    /// What the child may have, do and cost.
    pub limits: Limits,
    /// How long the child waits for the parent, in a call or for room in the window, when it says nothing else.
    pub deadline: Duration,
}

/// An event on its way between two ports of the same kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// Whose ports.
    pub loader: LoaderId,
    /// Which port.
    pub target: Target,
    /// The event's name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// How its payload is encoded.
    pub form: Form,
    /// What it carries. No references: those travel in calls.
    #[serde(borrow)]
    pub payload: Payload<'a>,
}

impl Event<'_> {
    /// What the event takes of a window until it is handled: both sides count the same.
    #[must_use]
    pub fn cost(&self) -> u64 {
        cost(self.name.len(), &self.payload)
    }

    /// Its name and where it is for, for logs.
    fn subject(&self) -> String {
        match self.target {
            Target::Process => format!("{:?}", self.name),
            Target::Frame(frame) => format!("{:?} of frame {frame}", self.name),
            Target::Frames => format!("{:?} of all frames", self.name),
        }
    }

    /// The same event, borrowing everything from this one, to be sent to several processes.
    #[must_use]
    pub fn borrowed(&self) -> Event<'_> {
        let Payload { bytes, references } = &self.payload;
        Event {
            name: Cow::Borrowed(&self.name),
            payload: Payload { bytes: CowBytes(Cow::Borrowed(&bytes.0)), references: references.clone() },
            ..*self
        }
    }

    /// The same event, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        Event {
            loader: self.loader,
            target: self.target,
            name: Cow::Owned(self.name.into_owned()),
            form: self.form,
            payload: self.payload.into_owned(),
        }
    }
}

impl call::Invoke<'_> {
    /// What the invocation takes of a window until it is handled: both sides count the same.
    #[must_use]
    pub fn cost(&self) -> u64 {
        cost(0, &self.argument)
    }
}

/// The port an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// The process's.
    Process,
    /// One frame's.
    Frame(FrameId),
    /// That of every frame of the process.
    Frames,
}

/// What went wrong in a child's application code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Trouble {
    /// No module of this name is linked into the child.
    #[error("no module `{module}` is registered in this executable")]
    UnknownModule {
        /// The module.
        module: String,
    },
    /// The module's function returned an error or panicked.
    #[error("module `{module}` did not load: {message}")]
    ModuleFailed {
        /// The module.
        module: String,
        /// What it said.
        message: String,
    },
    /// A listener takes another type than the event carried. The other listeners heard it.
    #[error(transparent)]
    Payload(#[from] crate::event::PayloadError),
    /// A listener panicked. The other listeners heard the event.
    #[error("a listener for `{event}` panicked: {message}")]
    ListenerPanicked {
        /// The event.
        event: String,
        /// What the panic said.
        message: String,
    },
    /// A task posted to the loop panicked.
    #[error("a task posted to the loop panicked: {message}")]
    TaskPanicked {
        /// What the panic said.
        message: String,
    },
    /// A callback panicked, or was called with something it does not take.
    #[error("callback made at {made_at}: {message}")]
    CallbackFailed {
        /// Where in the source.
        made_at: String,
        /// What it said.
        message: String,
    },
}

/// What is given back, for logs: the first of them by name.
fn released(what: &str, releases: &[call::Release]) -> String {
    match releases {
        [] => String::new(),
        [release] => format!("{what} {} × {}", release.id, release.count),
        [release, more @ ..] => format!("{what} {} × {} and {} more", release.id, release.count, more.len()),
    }
}

fn call_subject(call: &call::Call<'_>) -> String {
    let during = call.during.map(|invocation| format!(" during {invocation}")).unwrap_or_default();
    match &call.request {
        call::Request::Lookup { root, .. } => format!("{} for {root}{during}", call.id),
        call::Request::Method { object, .. } => format!("{} of object {object}{during}", call.id),
        call::Request::Read { buffer, .. } | call::Request::Share { buffer } => {
            format!("{} of buffer {buffer}{during}", call.id)
        }
    }
}

fn cost(name: usize, payload: &Payload<'_>) -> u64 {
    let bytes = payload.bytes.0.len().saturating_add(name);
    let copies = payload.references.iter().map(Reference::copied).fold(0, usize::saturating_add);
    let bytes = bytes.saturating_add(copies);
    let references = payload.references.len().saturating_add(1);
    bytes.saturating_add(references.saturating_mul(limits::MESSAGE_COST)) as u64
}
