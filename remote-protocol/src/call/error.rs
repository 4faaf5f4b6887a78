use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codec;

/// Why a call has no result of the method's own making.
///
/// It is itself an error type that methods may return, and every other error type of an interface can be made from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CallError {
    /// Nothing is exported under the name.
    #[error("nothing is exported as {root}")]
    NoSuchExport {
        /// What was asked for.
        root: String,
    },
    /// The parent's policy is that this process does not get it.
    #[error("{root} is denied: {rule}")]
    Denied {
        /// What was asked for.
        root: String,
        /// The rule that says so.
        rule: String,
    },
    /// It is a frame's, and was not asked for in the context of a frame.
    #[error("{asked} is for a frame to ask for, by its own context")]
    NoFrame {
        /// What was asked for.
        asked: String,
    },
    /// What is exported under the name has another interface.
    #[error("{root} is a `{found}`, not a `{expected}`")]
    WrongInterface {
        /// What was asked for.
        root: String,
        /// The interface the caller named.
        expected: String,
        /// The interface it has.
        found: String,
    },
    /// The object is not, or no longer, lent to this process.
    #[error("there is no object {id} for this process, called `{method}` on it")]
    NoSuchObject {
        /// What was asked for.
        id: String,
        /// The method that was called.
        method: String,
    },
    /// The object has no such method.
    #[error("`{interface}` has no method {method}")]
    NoSuchMethod {
        /// The object's interface.
        interface: String,
        /// What was asked for.
        method: String,
    },
    /// The object has no such member, or it is of another kind.
    #[error("`{interface}` has no {member}")]
    NoSuchMember {
        /// The object's interface, or the name it was given.
        interface: String,
        /// What was asked for, and what there is under that name.
        member: String,
    },
    /// The arguments could not be encoded, or are not what the method takes.
    #[error("arguments of `{method}`: {reason}")]
    Arguments {
        /// The method.
        method: String,
        /// What was expected and what was found.
        reason: String,
    },
    /// A buffer does not have these bytes.
    #[error("there are no bytes {start}..{end} in a buffer of {length}")]
    Range {
        /// The first byte that was asked for.
        start: u64,
        /// The one behind the last.
        end: u64,
        /// How many the buffer has.
        length: u64,
    },
    /// The result could not be encoded, or is not what the method returns.
    #[error("result of `{method}`: {reason}")]
    Result {
        /// The method.
        method: String,
        /// What was expected and what was found.
        reason: String,
    },
    /// The method returned an error of a type that is not the caller's; this is what can be told of it.
    #[error(transparent)]
    Failed(Report),
    /// The method panicked. The object and the connection live on.
    #[error("`{method}` panicked{}: {message}", at(location.as_deref()))]
    Panicked {
        /// The method.
        method: String,
        /// What the panic said.
        message: String,
        /// Where in the source it was, `file:line:column`. It is not known where the application has set a panic hook of its own that calls
        /// no other.
        location: Option<String>,
    },
    /// The other process is gone, or went during the call.
    #[error("disconnected during `{method}`")]
    Disconnected {
        /// The method.
        method: String,
    },
    /// No answer came in time. The method may still be running.
    #[error("no answer from `{method}` within {after:?}{}{waits}", if waits.is_empty() { "" } else { ": " })]
    Deadline {
        /// The method or function.
        method: String,
        /// How long was waited.
        after: Duration,
        /// Who waits for whom, as far as the parent knows; empty where the parent was not asked.
        waits: String,
    },
    /// The call was not made: too much is unanswered already.
    #[error("`{method}` was not called: {reason}")]
    Busy {
        /// The method or function.
        method: String,
        /// What there is too much of.
        reason: String,
    },
    /// Functions were nested too deep, each called by a method that another one called.
    #[error("`{function}` was not called: functions nest at most {limit} deep")]
    TooDeep {
        /// The function.
        function: String,
        /// How deep they may nest.
        limit: usize,
    },
    /// The function is gone: its frame was reloaded or closed, its loader unloaded, or its process has ended.
    #[error("`{function}` is gone")]
    NoSuchFunction {
        /// The function.
        function: String,
    },
    /// The method was to answer later, and cannot any more: it dropped its reply.
    #[error("`{method}` dropped its reply without an answer")]
    Unanswered {
        /// The method.
        method: String,
    },
    /// The parent exports no objects at all to this process.
    #[error("the parent exports no objects, asked for {asked}")]
    NotServed {
        /// What was asked for.
        asked: String,
    },
}

impl CallError {
    /// What can be told of any error: its type's name, text and causes. For methods whose errors have no type of their own.
    pub fn from_error<E: Error>(error: &E) -> Self {
        Self::Failed(Report::of(error, ""))
    }
}

fn at(location: Option<&str>) -> String {
    location.map_or_else(String::new, |location| format!(" at {location}"))
}

/// What can be told of an error to those who do not know its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The name of the error's type.
    pub kind: String,
    /// Its text.
    pub message: String,
    /// The texts of its causes, nearest first; of more than [`MOST_CAUSES`](Self::MOST_CAUSES) the first are read.
    #[serde(deserialize_with = "codec::first::<_, _, { Report::MOST_CAUSES }>")]
    pub causes: Vec<String>,
    /// The method that failed; empty where there was none.
    pub method: String,
}

impl Report {
    /// Reads `error` and the causes it names. At most [`MOST_CAUSES`](Self::MOST_CAUSES) are kept: a cause may be its own cause.
    pub fn of<E: Error>(error: &E, method: &str) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause.filter(|_| causes.len() < Self::MOST_CAUSES) {
            causes.push(error.to_string());
            cause = error.source();
        }
        let kind = std::any::type_name::<E>();
        Self {
            kind: kind.rsplit("::").next().unwrap_or(kind).to_owned(),
            message: error.to_string(),
            causes,
            method: method.to_owned(),
        }
    }

    /// How many causes are kept.
    pub const MOST_CAUSES: usize = 16;
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Report {}
