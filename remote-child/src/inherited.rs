//! What a process has of its parent without having been given it.

use std::fs;
use std::os::fd::RawFd;

/// Closes what a parent left to this process by accident: every descriptor past the standard streams that it did not open itself.
///
/// Those it opened itself are told by their flag: what has it does not survive becoming this program.
pub(crate) fn close_descriptors() {
    let Ok(open) = fs::read_dir(DESCRIPTORS) else {
        tracing::warn!("{DESCRIPTORS} cannot be read, so what the parent left open stays open");
        return;
    };
    let numbers: Vec<RawFd> = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > STANDARD_ERROR && survived(*number)) {
        // Nothing in this program knows the number, so nothing is closed under anybody's feet.
        match nix::unistd::close(number) {
            Ok(()) => tracing::debug!(number, "closed a descriptor that the parent left open"),
            Err(error) => tracing::warn!(number, %error, "cannot close what the parent left open"),
        }
    }
}

/// Whether a descriptor is one that survives becoming another program. `false` for one that is not there any more.
fn survived(number: RawFd) -> bool {
    let Ok(text) = fs::read_to_string(format!("{FLAGS}/{number}")) else { return false };
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & libc::O_CLOEXEC == 0)
}

const DESCRIPTORS: &str = "/proc/self/fd";
const FLAGS: &str = "/proc/self/fdinfo";
const STANDARD_ERROR: RawFd = 2;
