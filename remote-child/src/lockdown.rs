//! How a process locks itself in, as its parent asked.
//!
//! The order is that in which each layer can still be put up: what the next ones need is open until then, and the filter of system calls,
//! which forbids all of this, comes last.

use remote_protocol::sandbox::{Layer, Report, Sandbox, State};

mod capabilities;
mod files;
mod limits;
mod namespaces;
mod system_calls;

/// Locks this process in, as far as the system can, and gives how far that is. There is no way back.
///
/// No other thread may run yet: most of it would not hold for that one. Where one does, the report says so.
pub(crate) fn lock_down(sandbox: &Sandbox) -> Report {
    let alone = is_alone();
    let namespaces = namespaces::enter();
    let limits = limits::set(sandbox, namespaces::has_users(&namespaces));
    let capabilities = capabilities::drop_all();
    let privileges = capabilities::gain_none();
    let files = files::restrict(sandbox);
    // Some of the above makes the system forget it.
    super::connect::die_with_parent();
    let system_calls = system_calls::filter(sandbox);
    let layers = [
        (Layer::Capabilities, capabilities, alone),
        (Layer::Files, files, alone),
        (Layer::Limits, limits, true),
        (Layer::Namespaces, namespaces, alone),
        (Layer::NoNewPrivileges, privileges, alone),
        // Put up for all threads.
        (Layer::SystemCalls, system_calls, true),
    ];
    layers
        .into_iter()
        .map(|(layer, state, holds)| (layer, if holds { state } else { but_for_threads(state) }))
        .collect()
}

/// Whether this thread is the only one.
fn is_alone() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

fn but_for_threads(state: State) -> State {
    match state {
        State::Enforced => State::Partly { missing: "threads that were started before".into() },
        state => state,
    }
}

fn not_available(error: &dyn std::fmt::Display) -> State {
    State::NotAvailable { reason: error.to_string().into() }
}
