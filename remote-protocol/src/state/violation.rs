use crate::codec::DecodeError;
use crate::id::{FrameId, InvocationId, LaneId, LoaderId};
use crate::link::Closure;
use crate::record::JoinError;
use crate::service::Abuse;

/// What a peer did that no honest peer does. It ends the link to that peer, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A message that cannot be decoded.
    #[error("malformed message: {0}")]
    Malformed(#[from] DecodeError),
    /// Bytes that are not a record, or a message that is too long.
    #[error("malformed record: {0}")]
    Record(#[from] JoinError),
    /// A link used wrongly.
    #[error("{0}")]
    Link(Closure),
    /// A message that has no place where it came.
    #[error("`{message}` {when}")]
    Unexpected {
        /// The message's name.
        message: &'static str,
        /// Why it has no place there.
        when: &'static str,
    },
    /// A message that does not belong on its lane.
    #[error("`{message}` on lane {lane}")]
    WrongLane {
        /// The message's name.
        message: &'static str,
        /// The lane.
        lane: LaneId,
    },
    /// A loader that does not exist.
    #[error("no loader {0}")]
    NoSuchLoader(LoaderId),
    /// A frame that the process has not got.
    #[error("no frame {0} in this process")]
    NoSuchFrame(FrameId),
    /// A frame registered under an id that is in use or another's.
    #[error("frame id {0} is not free")]
    FrameTaken(FrameId),
    /// More frames than a process may have.
    #[error("more than {limit} frames")]
    TooManyFrames {
        /// How many it may have.
        limit: usize,
    },
    /// More callbacks and functions, which the parent gave back and the process did not take back, than it may have lent.
    #[error("more than {limit} callbacks and functions lent, which it does not take back")]
    TooManyLent {
        /// How many it may have lent.
        limit: usize,
    },
    /// More lanes than a process may have.
    #[error("more than {limit} lanes")]
    TooManyLanes {
        /// How many it may have.
        limit: u8,
    },
    /// An event with a longer name than an event can have.
    #[error("an event with a name of {length} bytes, at most {limit} may be")]
    LongName {
        /// The length of the name.
        length: usize,
        /// How long one may be.
        limit: usize,
    },
    /// An event with references in it.
    #[error("an event with {count} references")]
    ReferencesInEvent {
        /// How many.
        count: usize,
    },
    /// The result of a function that the parent did not call, or a call made by one.
    #[error("no invocation {0} of a function")]
    NoSuchInvocation(InvocationId),
    /// Claims to have handled what was never sent.
    #[error("handled {cost} of {unhandled} unhandled bytes")]
    HandledTooMuch {
        /// What is claimed.
        cost: u64,
        /// What was unhandled.
        unhandled: u64,
    },
    /// Claims to have handled releases that were never sent.
    #[error("acknowledged {batches} batches of releases, {sent} were sent")]
    AcknowledgedTooMuch {
        /// What is claimed.
        batches: u32,
        /// How many were unacknowledged.
        sent: u32,
    },
    /// Abuse of references.
    #[error(transparent)]
    Object(#[from] Abuse),
}

/// Names all kinds of violations; the compiler sees to it that none is left out.
macro_rules! kinds {
    ($($pattern:pat => $name:literal,)+) => {
        impl Violation {
            /// What [`kind`](Self::kind) can give.
            pub const KINDS: &[&str] = &[$($name),+];

            /// Which rule was broken, without anything of the case: for counting, and for tests that leave none out.
            ///
            /// ```
            /// use remote_protocol::state::Violation;
            ///
            /// let violation = Violation::TooManyFrames { limit: 4096 };
            /// assert_eq!(violation.kind(), "TooManyFrames");
            /// assert!(Violation::KINDS.contains(&violation.kind()));
            /// ```
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self {
                    $($pattern => $name,)+
                }
            }
        }
    };
}

kinds! {
    Self::Malformed(_) => "Malformed",
    Self::Record(JoinError::Empty) => "Record::Empty",
    Self::Record(JoinError::Unknown { .. }) => "Record::Unknown",
    Self::Record(JoinError::TooLong { .. }) => "Record::TooLong",
    Self::Record(JoinError::TooMuch { .. }) => "Record::TooMuch",
    Self::Link(Closure::Ended) => "Link::Ended",
    Self::Link(Closure::Overflow { .. }) => "Link::Overflow",
    Self::Link(Closure::Misused { .. }) => "Link::Misused",
    Self::Link(Closure::Corrupted { .. }) => "Link::Corrupted",
    Self::Unexpected { .. } => "Unexpected",
    Self::WrongLane { .. } => "WrongLane",
    Self::NoSuchLoader(_) => "NoSuchLoader",
    Self::NoSuchFrame(_) => "NoSuchFrame",
    Self::FrameTaken(_) => "FrameTaken",
    Self::TooManyFrames { .. } => "TooManyFrames",
    Self::TooManyLent { .. } => "TooManyLent",
    Self::TooManyLanes { .. } => "TooManyLanes",
    Self::LongName { .. } => "LongName",
    Self::ReferencesInEvent { .. } => "ReferencesInEvent",
    Self::NoSuchInvocation(_) => "NoSuchInvocation",
    Self::HandledTooMuch { .. } => "HandledTooMuch",
    Self::AcknowledgedTooMuch { .. } => "AcknowledgedTooMuch",
    Self::Object(Abuse::Release { .. }) => "Object::Release",
    Self::Object(Abuse::Name { .. }) => "Object::Name",
    Self::Object(Abuse::Releases { .. }) => "Object::Releases",
    Self::Object(Abuse::Revoked { .. }) => "Object::Revoked",
}
