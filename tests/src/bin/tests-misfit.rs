//! A child that is none, or not as it should be. Its third argument says in which way.

use std::env;
use std::process::{Command, exit};

use tests::gate::{Report, wait_at};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.get(2).map(String::as_str) {
        Some("exits") => exit(7),
        Some("aborts") => std::process::abort(),
        Some("says nothing") => wait_at(&arguments[3]),
        // Another version of the application.
        Some("is newer") => remote_child::Init::new().version("2.0").run(),
        Some("is the same") => remote_child::Init::new().version("1.0").run(),
        // Says what becomes of it when it is of another version.
        Some("tells") => {
            let own = env::current_exe().expect("this program has a path");
            let mut report = Report::at(&arguments[3]);
            let status = Command::new(own).args(&arguments[..2]).arg("is newer").status().expect("it starts");
            report.say(&format!("{:?}", status.code()));
            exit(7);
        }
        // A child like any other, but late.
        Some("waits") => {
            wait_at(&arguments[3]);
            remote_child::init();
        }
        other => panic!("{other:?} is no way to be a misfit"),
    }
}
