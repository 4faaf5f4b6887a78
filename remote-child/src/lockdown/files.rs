//! Which files a process reaches.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};
use remote_protocol::sandbox::{Sandbox, State};

use super::not_available;

/// Leaves nothing but the paths that are allowed, and no sockets and signals, as far as this system's Landlock knows these.
pub(super) fn restrict(sandbox: &Sandbox) -> State {
    let status = match rules(sandbox) {
        Ok(status) => status,
        Err(error) => return not_available(&error),
    };
    match status.landlock {
        // What it does not know of files, the filter of system calls refuses, but where that has to let files be changed.
        LandlockStatus::Available { effective_abi, .. }
            if effective_abi >= ABI::V3 || sandbox.writable().next().is_none() =>
        {
            State::Enforced
        }
        LandlockStatus::Available { .. } => State::Partly { missing: "making other files empty".into() },
        LandlockStatus::NotEnabled => State::NotAvailable { reason: "Landlock is switched off".into() },
        LandlockStatus::NotImplemented => State::NotAvailable { reason: "this kernel has no Landlock".into() },
    }
}

fn rules(sandbox: &Sandbox) -> Result<RestrictionStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read | (AccessFs::from_write(NEWEST) & !(AccessFs::MakeChar | AccessFs::MakeBlock));
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    for (path, access) in
        sandbox.readable().map(|path| (path, read)).chain(sandbox.writable().map(|path| (path, write)))
    {
        rules = allow(rules, path, access)?;
    }
    rules.restrict_self()
}

/// What has gone meanwhile is not reached, either.
fn allow(
    rules: landlock::RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<landlock::RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(path) else { return Ok(rules) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    rules.add_rule(PathBeneath::new(opened, access))
}

/// What is asked for; the kernel's own version decides what of that there is.
const NEWEST: ABI = ABI::V9;
