//! Attack after attack.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::siege::PUPPET;
use crate::harness::{MISFIT, Watchdog, every_free_process_transport};

every_free_process_transport! {
    /// A8: a thousand children that start, and die or attack in all ways, leave no descriptors, no threads, no processes, no files and no
    /// memory.
    fn hostile_24_a_thousand_children_leave_nothing(transport) {
        let name = format!("{transport:?}").to_lowercase();
        let _watchdog = Watchdog::start(&format!("hostile_24_a_thousand_children_leave_nothing over {name}"));
        let files = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cycles-{name}-{}", std::process::id()));
        fs::create_dir_all(&files).expect("a directory");
        let output = Command::new(env!("CARGO_BIN_EXE_tests-cycles"))
            .args(["1000", &name, MISFIT, PUPPET])
            .env("TMPDIR", &files)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .expect("it starts");
        let left_there = fs::read_dir(&files).expect("it is there").count();
        fs::remove_dir_all(&files).expect("it is there");
        let output = String::from_utf8(output.stdout).expect("text");
        eprintln!("{output}");
        let lines: Vec<&str> = output.lines().collect();
        let [same, kilobytes, left, held] = lines.as_slice() else { panic!("{output}") };
        assert_eq!((*same, *left, left_there), ("true true true", "(1, 0, 1)", 0), "{output}");
        // 5 % of what it had before.
        let (_, had) = held.split_once("kilobytes: ").expect("what it had before");
        let had: i64 = had.split(',').next().and_then(|had| had.parse().ok()).expect("a number");
        let grown: i64 = kilobytes.parse().expect("a number");
        assert!(grown < had / 20, "{output}");
    }
}
