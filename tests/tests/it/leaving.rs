//! What a parent leaves behind when it goes, in whichever way: nothing. It is a program of its own here, and so are its children.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use remote_parent::Transport;
use rustix::process::{Pid, test_kill_process};

use crate::harness::{PATIENCE, Watchdog, every_free_process_transport, unique};

const PARENT: &str = env!("CARGO_BIN_EXE_tests-parent");

/// A program that is a parent, and a directory for its temporary files. Killed and reaped when it is dropped.
struct Family {
    parent: Child,
    stdout: BufReader<ChildStdout>,
    directory: PathBuf,
    _watchdog: Watchdog,
}

impl Family {
    fn start(transport: Transport, what: &str, count: usize) -> Self {
        let transport = if transport == Transport::Ipc { "ipc" } else { "default" };
        let watchdog = Watchdog::start(&format!("a parent that has to {what}, over {transport}"));
        // Short: a socket's path has to fit.
        let directory = std::env::temp_dir().join(unique("rt"));
        fs::create_dir_all(&directory).expect("a directory for temporary files");
        let mut parent = Command::new(PARENT)
            .args([transport, what, &count.to_string()])
            .env("TMPDIR", &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the parent starts");
        let stdout = BufReader::new(parent.stdout.take().expect("it is piped"));
        Self { parent, stdout, directory, _watchdog: watchdog }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it speaks");
        line.trim().to_owned()
    }

    /// The children, all of which live.
    fn children(&mut self) -> Vec<Pid> {
        let pids = self.line();
        let pids: Vec<Pid> =
            pids.split(' ').map(|pid| Pid::from_raw(pid.parse().expect("a number")).unwrap()).collect();
        assert!(pids.iter().all(|pid| test_kill_process(*pid).is_ok()));
        pids
    }

    /// Waits until the last of them has gone, which closes what they all inherited; then nothing is left.
    fn leaves_nothing(&mut self, children: &[Pid]) -> String {
        drop(self.parent.stdin.take());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("it speaks to the end");
        self.parent.wait().expect("it is our child");
        assert_gone(children);
        let left: Vec<_> = fs::read_dir(&self.directory).expect("it is there").collect();
        assert!(left.is_empty(), "{left:?}");
        rest
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        let _ = self.parent.kill();
        let _ = self.parent.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Waits until they have ended: what they have open is closed a moment before that.
fn assert_gone(children: &[Pid]) {
    let deadline = Instant::now() + PATIENCE;
    for pid in children {
        while is_there(*pid) {
            assert!(Instant::now() < deadline, "{pid:?} is still there");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Whether a process runs. One that has ended may be left for somebody to take note of it: when its parent has gone, who that is
/// is not for us to say.
fn is_there(pid: Pid) -> bool {
    if cfg!(not(target_os = "linux")) {
        return test_kill_process(pid).is_ok();
    }
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let Ok(status) = status else { return false };
    // After the name, which may contain anything, comes the state.
    let state = status.rsplit(')').next().and_then(|rest| rest.trim().chars().next());
    !matches!(state, Some('Z' | 'X'))
}

every_free_process_transport! {
    /// A8: dropping the parent ends all its children, the busy ones too.
    fn hostile_28_a_parent_that_is_dropped_leaves_nothing(transport) {
        let mut family = Family::start(transport, "drop", 3);
        let children = family.children();
        assert_eq!(children.len(), 3);
        assert_eq!(family.leaves_nothing(&children).trim(), "dropped");
    }

    /// A8: so does a parent that exits without a word.
    fn hostile_28_a_parent_that_exits_leaves_nothing(transport) {
        let mut family = Family::start(transport, "exit", 3);
        let children = family.children();
        family.leaves_nothing(&children);
    }

    /// A8: so does one that panics.
    fn hostile_28_a_parent_that_panics_leaves_nothing(transport) {
        let mut family = Family::start(transport, "panic", 3);
        let children = family.children();
        family.leaves_nothing(&children);
    }

    /// A8: and one that is killed.
    fn hostile_28_a_parent_that_is_killed_leaves_nothing(transport) {
        let mut family = Family::start(transport, "exit", 4);
        let children = family.children();
        family.parent.kill().expect("it is our child");
        family.leaves_nothing(&children);
    }

    /// A8: children that come and go leave no descriptors and no threads.
    #[cfg(target_os = "linux")]
    fn children_leave_no_descriptors_and_no_threads(transport) {
        let mut family = Family::start(transport, "measure", 20);
        let measured = family.line();
        let (before, after) = measured.split_once(") (").unwrap_or_else(|| panic!("{measured}"));
        assert_eq!(before.trim_start_matches('('), after.trim_end_matches(')'));
        family.leaves_nothing(&[]);
    }
}
