//! What a process has of its parent, as the system sees it.

use std::fs;

use remote_child::Child;

use crate::modules::answer;

/// What is inherited: the fields of `/proc/self/status` and `/proc/self/stat` that say so, and the numbers of the open descriptors that
/// survive becoming another program.
pub type Inherited = (Vec<(String, String)>, Vec<String>, Vec<i32>);

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "inherited", |_child, ()| inherited());
}

/// What this very process has.
///
/// # Errors
///
/// Those of reading it.
pub fn inherited() -> std::io::Result<Inherited> {
    let status = fs::read_to_string("/proc/self/status")?;
    let fields = status.lines().filter_map(|line| line.split_once(":\t")).filter(|(name, _)| FIELDS.contains(name));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name comes before it, and may be anything.
    let stat: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    // The process group, the session, the terminal, and how nice it is.
    let stat = [2, 3, 4, 16].iter().filter_map(|index| Some((*stat.get(*index)?).to_owned())).collect();
    Ok((fields, stat, descriptors()?))
}

fn descriptors() -> std::io::Result<Vec<i32>> {
    let entries = fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let inheritable = |number: &i32| {
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:\t"));
        // Without the flag that closes it.
        flags.and_then(|flags| i32::from_str_radix(flags, 8).ok()).is_some_and(|flags| flags & 0o2_000_000 == 0)
    };
    let mut numbers: Vec<i32> = entries.collect();
    numbers.retain(inheritable);
    numbers.sort_unstable();
    Ok(numbers)
}

const FIELDS: &[&str] = &["Umask", "SigBlk", "SigIgn"];
