//! How much of the system a process may use.

use remote_protocol::sandbox::{Sandbox, State};
use rustix::io;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, getuid, set_dumpable_behavior, setrlimit};

/// Sets the limits. In a user namespace of its own the system counts the process's own threads; else it counts all of the user's, and
/// a limit would be one for others.
pub(super) fn set(sandbox: &Sandbox, own_users: bool) -> State {
    let mut missing = Vec::new();
    let mut note = |what: &'static str, outcome: io::Result<()>| {
        if outcome.is_err() {
            missing.push(what);
        }
    };
    // Also that which is piped to a program, which has no limit.
    note("dumps", set_dumpable_behavior(DumpableBehavior::NotDumpable).and_then(|()| limit(Resource::Core, 0)));
    // What is written once and then only read does not count as data any more, though it takes memory; all that is mapped does.
    let mapped = sandbox.memory_bytes().saturating_add(MAPPED_BESIDES);
    note("memory", limit(Resource::Data, sandbox.memory_bytes()).and_then(|()| limit(Resource::As, mapped)));
    note("descriptors", limit(Resource::Nofile, sandbox.descriptor_count()));
    let counted = own_users && !getuid().is_root();
    note("threads", if counted { limit(Resource::Nproc, sandbox.thread_count()) } else { Err(io::Errno::NOTSUP) });
    if missing.is_empty() { State::Enforced } else { State::Partly { missing: missing.join(" and ").into() } }
}

/// What may be mapped beyond the memory of its own: the program and its libraries, the link with its buffers, and what allocators and the
/// stacks of threads set aside and mostly never touch.
const MAPPED_BESIDES: u64 = 4 << 30;

/// No more than there was already.
fn limit(resource: Resource, count: u64) -> io::Result<()> {
    let highest = getrlimit(resource).maximum.map_or(count, |maximum| maximum.min(count));
    setrlimit(resource, Rlimit { current: Some(highest), maximum: Some(highest) })
}
