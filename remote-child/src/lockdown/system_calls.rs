//! Which system calls a process may make.
//!
//! Three filters, of which the strictest answer counts. What no program has an honest reason for in there ends the process: whoever tries
//! has taken it over. What has an older way is answered as if the system did not know it, and programs take that. All else that is not
//! needed is refused with `EPERM`: libraries try this and that, and can do without.

use remote_protocol::sandbox::{Sandbox, State};
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads,
};

use self::conditions::Rules;
use super::not_available;

mod conditions;
mod lists;

/// Puts up the filters, for all threads.
pub(super) fn filter(sandbox: &Sandbox) -> State {
    let Ok(target) = TargetArch::try_from(std::env::consts::ARCH) else {
        return State::NotAvailable { reason: "there is no filter for this processor".into() };
    };
    match filters(sandbox, target).map_err(Error::Backend).and_then(|filters| put_up(&filters)) {
        Ok(()) => State::Enforced,
        Err(error) => not_available(&error),
    }
}

fn put_up(filters: &[BpfProgram]) -> Result<(), Error> {
    filters.iter().try_for_each(|filter| apply_filter_all_threads(filter))
}

fn filters(sandbox: &Sandbox, target: TargetArch) -> Result<[BpfProgram; 3], BackendError> {
    let (allow, refuse) = (SeccompAction::Allow, |error: i32| SeccompAction::Errno(error.cast_unsigned()));
    Ok([
        compile(lists::deadly(), allow.clone(), SeccompAction::KillProcess, target)?,
        compile(lists::unknown(), allow.clone(), refuse(libc::ENOSYS), target)?,
        // The last, for it lets no other be put up.
        compile(lists::allowed(sandbox)?, refuse(libc::EPERM), allow, target)?,
    ])
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
    target: TargetArch,
) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(rules, otherwise, matched, target)?.try_into()
}
