//! Does not survive its loading, where the process's arguments say so.

use std::env;

use remote_child::Child;

remote_child::register_module!(main);
fn main(child: &Child) {
    if !child.process().is_remote() {
        return;
    }
    // The first two are not the application's.
    match env::args().nth(3).as_deref() {
        Some("aborts") => std::process::abort(),
        Some("exits") => std::process::exit(7),
        _ => {}
    }
}
