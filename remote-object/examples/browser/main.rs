//! A browser of SVG files in three kinds of processes.
//!
//! The *parent* owns the windows and the files. Each window shows a frame in a *content* process, where the document is
//! parsed, laid out and drawn: what a document does to its process, it does not do to the others. The *shell* is the
//! program: through remote objects it opens a window for each document, loads it, is told by callback when it can be
//! seen, and has a picture of it written.
//!
//! `cargo run --release -p remote-object --example browser -- --help` says how it is used.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use remote_object::Exports;
use remote_parent::{Parent, Process, ProcessOptions, this_module};

use crate::args::Command;
use crate::contents::Contents;
use crate::crash::Crash;
use crate::interfaces::BrowserWindows;
use crate::say::{complain, say};
use crate::windows::Windows;

mod args;
mod documents;
mod fonts;
mod interfaces;
mod say;

// In the parent.
mod contents;
mod crash;
mod tab;
mod windows;

// In the content processes.
mod content;
mod page;

// In the shell.
mod shell;

fn main() -> ExitCode {
    remote_child::Init::new().before_lockdown(fonts::prepare).run();
    let browsed = match Command::parse(env::args_os().skip(1)) {
        Ok(Command::Browse { crash, out, files }) => browse(Crash::new(crash), &out, files),
        Ok(Command::Help) => {
            println!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("browser: {error}; --help says what there is");
            return ExitCode::from(2);
        }
    };
    match browsed {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_failed) => ExitCode::FAILURE,
        Err(error) => {
            complain("main", format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Has the shell draw all files; gives how many of them have no picture.
fn browse(crash: Crash, out: &Path, files: Vec<PathBuf>) -> anyhow::Result<usize> {
    fs::create_dir_all(out).with_context(|| format!("cannot make the directory {}", out.display()))?;
    let documents = documents::list(files, out);
    let names: Vec<_> = documents.iter().map(|document| document.name.clone()).collect();

    let parent = Parent::new()?;
    let contents = Contents::new(&parent, thread::available_parallelism().map_or(1, usize::from).min(MOST_CONTENTS));
    let windows = Windows::new(&parent, documents, &contents, crash);
    let exports = Exports::new();
    exports.module::<dyn BrowserWindows>("windows", Arc::new(windows))?;
    exports.serve(&parent)?;
    parent.remote_require("./content", this_module!())?;
    parent.remote_require("./shell", this_module!())?;

    let shell = parent.processes().spawn_with(ProcessOptions::new().name("shell"))?;
    let (tell, done) = mpsc::channel();
    shell.port().once("done", move |_shell, failed: usize| {
        // It is looked at when the shell has ended.
        tell.send(failed).ok();
    });
    shell.port().emit("open", &names)?;
    wait(&shell, &contents);
    contents.close_all();

    let alive = exports.alive();
    let processes = parent.processes().len();
    say(
        "main",
        format_args!(
            "still alive: {processes} {}, {} frames, {} remote objects, {} callbacks",
            if processes == 1 { "process (the main one)" } else { "processes" },
            parent.frames().len(),
            alive.objects,
            alive.callbacks
        ),
    );
    parent.close()?;
    done.try_recv().map_err(|_| match shell.detached() {
        Some(reason) => anyhow!("the shell was not done: {reason}"),
        None => anyhow!("the shell was not done, and does not end"),
    })
}

/// Waits until the shell has ended, and ends what takes too long.
fn wait(shell: &Process, contents: &Contents) {
    while shell.wait(TICK).is_none() {
        contents.end_overdue();
        if contents.unchanged_for() > SHELL_PATIENCE {
            return shell.kill();
        }
    }
}

/// More content processes than this are not started, however many cores there are.
const MOST_CONTENTS: usize = 4;

const TICK: Duration = Duration::from_millis(500);

/// How long the shell may neither open nor close a window; pages are given up before.
const SHELL_PATIENCE: Duration = contents::PATIENCE.saturating_mul(4);
