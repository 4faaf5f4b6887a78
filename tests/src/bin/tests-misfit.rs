//! A child that is none, or not as it should be. Its third argument says in which way.

use std::env;
use std::process::{Command, exit};

use tests::gate::{Report, wait_at};
use tests::raw::Raw;

/// The last piece of a message, of a kind that does not exist.
const GARBAGE: [u8; 4] = [0, 0xff, 0xff, 0xff];

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
        // A hello, and nothing more.
        Some("greets") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.greet("");
            raw.wait_for_the_end();
        }
        // Something that is no message, before hello or after it.
        Some("says garbage") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.say(&GARBAGE);
            raw.wait_for_the_end();
        }
        Some("goes mad") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.greet("1.0");
            raw.say(&GARBAGE);
            raw.wait_for_the_end();
        }
        // A message that is in order, but not now.
        Some("greets twice") => {
            let mut raw = Raw::connect(&arguments[1]);
            raw.greet("1.0");
            raw.greet("1.0");
            raw.wait_for_the_end();
        }
        other => panic!("{other:?} is no way to be a misfit"),
    }
}
