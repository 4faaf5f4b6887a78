//! Users, networks and shared memory of its own.

use std::fs;
use std::io;

use nix::sched::{CloneFlags, unshare};
use remote_protocol::sandbox::State;
use rustix::process::{getgid, getuid};

use super::not_available;

/// Leaves the namespaces of the parent, as far as the system lets it.
pub(super) fn enter() -> State {
    let (user, group) = (getuid(), getgid());
    match unshare(CloneFlags::CLONE_NEWUSER | OTHERS) {
        Ok(()) => match keep_identity(user.as_raw(), group.as_raw()) {
            Ok(()) => State::Enforced,
            // The process is nobody then, which is no less.
            Err(error) => {
                tracing::debug!(%error, "nobody in a user namespace");
                State::Enforced
            }
        },
        // Root may do without.
        Err(error) => match unshare(OTHERS) {
            Ok(()) => State::Partly { missing: format!("{USERS} ({error})").into() },
            Err(_) => not_available(&error),
        },
    }
}

/// Whether the process is in a user namespace of its own, by what [`enter`] gave.
pub(super) fn has_users(state: &State) -> bool {
    *state == State::Enforced
}

/// The process is who it was, and nobody else, so that it can own what it makes where it may write.
fn keep_identity(user: u32, group: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

const OTHERS: CloneFlags = CloneFlags::CLONE_NEWNET.union(CloneFlags::CLONE_NEWIPC);
const USERS: &str = "users";
