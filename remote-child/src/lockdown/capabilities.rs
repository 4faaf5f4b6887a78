//! What a process holds beside what its user may do, and what it could gain by running something.

use remote_protocol::sandbox::State;
use rustix::io;
use rustix::thread::{CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs};

use super::not_available;

/// Drops all capabilities, also those in user namespaces of its own. So being root means no more than owning root's files.
pub(super) fn drop_all() -> State {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    state(clear_ambient_capability_set().and_then(|()| set_capabilities(None, sets)))
}

/// Nothing that the process could run would give it more than it has.
pub(super) fn gain_none() -> State {
    state(set_no_new_privs(true))
}

fn state(outcome: io::Result<()>) -> State {
    match outcome {
        Ok(()) => State::Enforced,
        Err(error) => not_available(&error),
    }
}
