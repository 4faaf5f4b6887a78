//! Java RMI, if there is a JDK: over TCP on this machine, which is the only way it knows.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::pair::{Caller, Pair};

/// Why it cannot be measured here, if so.
pub fn missing() -> Option<String> {
    let found = Command::new("javac").arg("-version").output().is_ok_and(|output| output.status.success());
    (!found).then(|| "there is no `javac` on this machine".to_owned())
}

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    let classes = compiled()?;
    let mut server =
        java(&classes, "Server").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("java starts")?;
    let mut port = String::new();
    BufReader::new(server.stdout.take().context("its output")?).read_line(&mut port)?;
    pair.start_caller_with(&[], &[port.trim().to_owned(), classes.to_string_lossy().into_owned()])?.finish()?;
    drop(server.stdin.take());
    ensure!(server.wait()?.success(), "the server failed");
    Ok(())
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    let pause = caller.pace.idle.map_or(0, |pause| pause.as_micros());
    let status = java(Path::new(caller.word(1)?), "Caller")
        .args([caller.word(0)?, &caller.pace.within.as_millis().to_string(), &pause.to_string()])
        .status()?;
    ensure!(status.success(), "the caller failed");
    Ok(())
}

fn java(classes: &Path, class: &str) -> Command {
    let mut command = Command::new("java");
    command.arg("-cp").arg(classes).arg(class);
    command
}

/// Compiles the programs once.
fn compiled() -> anyhow::Result<PathBuf> {
    let classes = std::env::temp_dir().join("peers-rmi-classes");
    if !classes.join("Caller.class").exists() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("java");
        let files = ["Echo.java", "Server.java", "Caller.java"].map(|file| sources.join(file));
        let status = Command::new("javac").arg("-d").arg(&classes).args(files).status()?;
        ensure!(status.success(), "javac failed");
    }
    Ok(classes)
}
