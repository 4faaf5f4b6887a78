//! The two tables of references: what is lent to the peer, and what is held of the peer's.
//!
//! Every reference that is sent counts one with its lender. The receiver counts those that arrive, and gives all of them back at
//! once when it has let go of the last. So a release that crosses a new sending of the same thing takes
//! nothing away: what was sent meanwhile still counts. (The scheme is that of Cap'n Proto's import and export tables.)

mod held;
mod lent;
mod unique;

#[cfg(test)]
mod tests;

pub(crate) use held::{Arrivals, Held};
pub(crate) use lent::{Lent, LentError};
pub(crate) use unique::{Keyed, Unique};
