//! The messages that calls of remote objects are made of.
//!
//! Objects live in the parent and callbacks in a child, so each direction has its own set. A call and its return travel on
//! the lane of the calling thread, everything else on the main lane.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::id::{CallId, FrameId, InvocationId, LentId};
use crate::payload::{Encoding, Fingerprint, Payload};

mod error;
mod short;

pub use error::{CallError, Report};
pub use short::{ShortCall, ShortReturn};

/// What a child says about objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToParent<'a> {
    /// Asks for something, and waits for the return.
    #[serde(borrow)]
    Call(Call<'a>),
    /// Answers a [`Run`].
    #[serde(borrow)]
    Result(FunctionResult<'a>),
    /// Gives objects back.
    #[serde(borrow)]
    Release(Cow<'a, [Release]>),
    /// Has handled so many of the parent's messages that give callbacks back.
    Released {
        /// How many, since it was last said.
        batches: u32,
    },
    /// The closures of these callbacks are gone, with the frame or the loader they were made for: calling them has no effect.
    /// References to them count until they are given back.
    Revoked {
        /// The callbacks.
        callbacks: Vec<LentId>,
    },
    /// Nobody waits for the return of a call any more. The call returns all the same, unless it has.
    Cancel {
        /// The call.
        call: CallId,
    },
}

impl ToParent<'_> {
    /// The same message, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> ToParent<'static> {
        match self {
            Self::Call(call) => ToParent::Call(call.into_owned()),
            Self::Result(result) => ToParent::Result(result.into_owned()),
            Self::Release(releases) => ToParent::Release(Cow::Owned(releases.into_owned())),
            Self::Released { batches } => ToParent::Released { batches },
            Self::Revoked { callbacks } => ToParent::Revoked { callbacks },
            Self::Cancel { call } => ToParent::Cancel { call },
        }
    }

    /// What it takes in memory beyond the bytes that it came in, at most, while it is kept.
    #[must_use]
    pub fn kept_beside(&self) -> usize {
        match self {
            Self::Call(call) => call.kept_beside(),
            // As much as it is long.
            Self::Result(_) | Self::Release(_) | Self::Released { .. } | Self::Revoked { .. } | Self::Cancel { .. } => {
                0
            }
        }
    }
}

/// What the parent says about objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToChild<'a> {
    /// Answers a call.
    #[serde(borrow)]
    Return(Return<'a>),
    /// Calls a callback.
    #[serde(borrow)]
    Invoke(Invoke<'a>),
    /// Calls a function, and waits for its result.
    #[serde(borrow)]
    Run(Run<'a>),
    /// Gives callbacks back.
    #[serde(borrow)]
    Release(Cow<'a, [Release]>),
    /// Has handled so many of the child's messages that give objects back.
    Released {
        /// How many, since it was last said.
        batches: u32,
    },
}

impl ToChild<'_> {
    /// The same message, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> ToChild<'static> {
        match self {
            Self::Return(answer) => ToChild::Return(answer.into_owned()),
            Self::Invoke(invoke) => ToChild::Invoke(invoke.into_owned()),
            Self::Run(run) => ToChild::Run(run.into_owned()),
            Self::Release(releases) => ToChild::Release(Cow::Owned(releases.into_owned())),
            Self::Released { batches } => ToChild::Released { batches },
        }
    }
}

/// Asks for something, and waits for the return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call<'a> {
    /// What the return will name.
    pub id: CallId,
    /// The function that makes the call, where one does: the parent's thread that waits for its result serves the call.
    pub during: Option<InvocationId>,
    /// What is asked for.
    #[serde(borrow)]
    pub request: Request<'a>,
}

impl Call<'_> {
    /// The same call, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Call<'static> {
        Call { id: self.id, during: self.during, request: self.request.into_owned() }
    }

    /// What it takes in memory beyond the bytes that it came in, at most, while it is kept.
    #[must_use]
    pub const fn kept_beside(&self) -> usize {
        match &self.request {
            Request::Method { arguments, .. } => arguments.kept_beside(),
            Request::Lookup { .. } | Request::Read { .. } | Request::Share { .. } => 0,
        }
    }
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// The object exported under a name.
    Lookup {
        /// Where to look, and for what.
        #[serde(borrow)]
        root: Root<'a>,
        /// The interface the caller will use; `None` when it will find out.
        #[serde(borrow)]
        interface: Option<Cow<'a, str>>,
    },
    /// That a method of an object is called.
    Method {
        /// The object.
        object: LentId,
        /// Which of its methods; also says how the arguments and the result are encoded.
        #[serde(borrow)]
        method: Selector<'a>,
        /// The arguments.
        #[serde(borrow)]
        arguments: Payload<'a>,
    },
    /// Some bytes of a buffer. The payload that is returned is these bytes, not an encoding.
    Read {
        /// The buffer.
        buffer: LentId,
        /// The first byte.
        offset: u64,
        /// How many, [`BUFFER_PIECE_BYTES`](crate::limits::BUFFER_PIECE_BYTES) at most.
        length: u64,
    },
    /// That the bytes of a buffer be put where the child sees them, in its [`BufferView`](crate::link::BufferView). What is returned is where
    /// they begin, as an `Option<u64>`; there is none where there is no room, or no such memory.
    Share {
        /// The buffer.
        buffer: LentId,
    },
}

impl Request<'_> {
    /// The same request, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Request<'static> {
        match self {
            Self::Lookup { root, interface } => Request::Lookup {
                root: root.into_owned(),
                interface: interface.map(|interface| Cow::Owned(interface.into_owned())),
            },
            Self::Method { object, method, arguments } => {
                Request::Method { object, method: method.into_owned(), arguments: arguments.into_owned() }
            }
            Self::Read { buffer, offset, length } => Request::Read { buffer, offset, length },
            Self::Share { buffer } => Request::Share { buffer },
        }
    }
}

/// A named place from which a child reaches its first objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Root<'a> {
    /// What was exported as a module.
    #[serde(borrow)]
    Module(Cow<'a, str>),
    /// What was exported as a global.
    #[serde(borrow)]
    Global(Cow<'a, str>),
    /// The object that stands for the parent's own process.
    Process,
    /// The window that a frame of the asking process is in.
    CurrentWindow(FrameId),
    /// The web contents that a frame of the asking process belongs to.
    CurrentWebContents(FrameId),
}

impl Root<'_> {
    /// The name it was exported under, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Module(name) | Self::Global(name) => Some(name),
            Self::Process | Self::CurrentWindow(_) | Self::CurrentWebContents(_) => None,
        }
    }

    /// The frame it is asked for, if it is a frame's.
    #[must_use]
    pub const fn frame(&self) -> Option<FrameId> {
        match self {
            Self::CurrentWindow(frame) | Self::CurrentWebContents(frame) => Some(*frame),
            Self::Module(_) | Self::Global(_) | Self::Process => None,
        }
    }

    /// The same place, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Root<'static> {
        match self {
            Self::Module(name) => Root::Module(Cow::Owned(name.into_owned())),
            Self::Global(name) => Root::Global(Cow::Owned(name.into_owned())),
            Self::Process => Root::Process,
            Self::CurrentWindow(frame) => Root::CurrentWindow(frame),
            Self::CurrentWebContents(frame) => Root::CurrentWebContents(frame),
        }
    }
}

impl std::fmt::Display for Root<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Module(name) => write!(f, "module `{name}`"),
            Self::Global(name) => write!(f, "global `{name}`"),
            Self::Process => write!(f, "process"),
            Self::CurrentWindow(frame) => write!(f, "current window of frame {frame}"),
            Self::CurrentWebContents(frame) => write!(f, "current web contents of frame {frame}"),
        }
    }
}

/// How a method is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Selector<'a> {
    /// By name and signature; arguments and result are typed.
    Typed(Fingerprint),
    /// By name alone; arguments and result are dynamic values.
    Named {
        /// The member's name; empty where it is the object itself that is called, constructed with or asked about.
        #[serde(borrow)]
        name: Cow<'a, str>,
        /// What is done with it.
        access: Access,
    },
}

/// What the method is called, as far as it is known here.
impl std::fmt::Display for Selector<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Typed(fingerprint) => write!(f, "{:#018x}", fingerprint.0),
            Self::Named { name, .. } => f.write_str(name),
        }
    }
}

/// What is done with a member that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Access {
    /// It is called, with a list of arguments.
    Call,
    /// It is read, without arguments.
    Get,
    /// It is written, with a list of one argument.
    Set,
    /// An object is made with it, with a list of arguments.
    Construct,
    /// The object's members are asked for, without arguments and without a name.
    Members,
}

impl Selector<'_> {
    /// The same selector, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Selector<'static> {
        match self {
            Self::Typed(fingerprint) => Selector::Typed(fingerprint),
            Self::Named { name, access } => Selector::Named { name: Cow::Owned(name.into_owned()), access },
        }
    }
}

/// Answers a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Return<'a> {
    /// The call.
    pub call: CallId,
    /// How it went.
    #[serde(borrow)]
    pub outcome: Outcome<'a>,
}

impl Return<'_> {
    /// The same answer, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Return<'static> {
        Return { call: self.call, outcome: self.outcome.into_owned() }
    }
}

/// How a call went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome<'a> {
    /// It was done, and this is the result.
    #[serde(borrow)]
    Done(Payload<'a>),
    /// The method returned an error.
    Failed {
        /// What any caller can read.
        report: Box<Report>,
        /// The error itself, as the method's own type.
        #[serde(borrow)]
        error: Payload<'a>,
    },
    /// The method was not reached, or it did not return.
    Refused(Box<CallError>),
}

impl Outcome<'_> {
    /// The same outcome, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Outcome<'static> {
        match self {
            Self::Done(payload) => Outcome::Done(payload.into_owned()),
            Self::Failed { report, error } => Outcome::Failed { report, error: error.into_owned() },
            Self::Refused(error) => Outcome::Refused(error),
        }
    }
}

/// Calls a callback of the child. There is no answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invoke<'a> {
    /// The callback.
    pub callback: LentId,
    /// How the argument is encoded.
    pub form: Encoding,
    /// The argument.
    #[serde(borrow)]
    pub argument: Payload<'a>,
}

impl Invoke<'_> {
    /// The same message, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Invoke<'static> {
        Invoke { callback: self.callback, form: self.form, argument: self.argument.into_owned() }
    }
}

/// Calls a function of the child, which answers with a [`FunctionResult`]: at once when its loop thread waits in a call of its own, else
/// in its turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run<'a> {
    /// What the result will name.
    pub invocation: InvocationId,
    /// The function.
    pub function: LentId,
    /// How the argument is encoded, and how the result has to be.
    pub form: Encoding,
    /// The argument.
    #[serde(borrow)]
    pub argument: Payload<'a>,
}

impl Run<'_> {
    /// The same message, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Run<'static> {
        let Self { invocation, function, form, argument } = self;
        Run { invocation, function, form, argument: argument.into_owned() }
    }
}

/// Answers a [`Run`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionResult<'a> {
    /// Which.
    pub invocation: InvocationId,
    /// How it went.
    #[serde(borrow)]
    pub outcome: Outcome<'a>,
}

impl FunctionResult<'_> {
    /// The same result, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> FunctionResult<'static> {
        FunctionResult { invocation: self.invocation, outcome: self.outcome.into_owned() }
    }
}

/// Gives back what the peer lent: `count` of the references to it that have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// What is given back.
    pub id: LentId,
    /// How many references.
    pub count: u32,
}
