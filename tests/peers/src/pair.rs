//! Two processes that measure one contender: this one serves, and starts the one that calls.

use std::os::fd::{OwnedFd, RawFd};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::measure::{Figures, Pace};
use crate::memory;
use crate::placement::{Placement, Side};
use crate::work::Work;

/// What is measured.
#[derive(Clone, Debug, Args)]
pub struct Pair {
    #[arg(long)]
    pub contender: String,
    #[arg(long, value_enum)]
    pub work: Work,
    /// How large, or how many, if the work has such a number.
    #[arg(long, default_value_t = 0)]
    pub size: usize,
    #[arg(long, value_enum)]
    pub placement: Placement,
    #[arg(long)]
    pub millis: u64,
}

impl Pair {
    pub fn pace(&self) -> Pace {
        Pace { within: Duration::from_millis(self.millis), idle: self.placement.pause() }
    }

    /// Starts the process that calls, with these descriptors; it prints the figures.
    pub fn start_caller(&self, descriptors: &[RawFd]) -> anyhow::Result<Running> {
        self.start_caller_with(descriptors, &[])
    }

    /// [`start_caller`](Self::start_caller), with further words for it.
    pub fn start_caller_with(&self, descriptors: &[RawFd], words: &[String]) -> anyhow::Result<Running> {
        let mut command = Command::new("/proc/self/exe");
        command.args(["caller", "--contender", &self.contender]);
        command.args(["--work", &self.work.to_string(), "--size", &self.size.to_string()]);
        command.args(["--placement", &self.placement.argument()]);
        command.args(["--millis", &self.millis.to_string()]);
        for descriptor in descriptors {
            memory::pass_on(*descriptor)?;
            command.args(["--descriptor", &descriptor.to_string()]);
        }
        for word in words {
            command.args(["--word", word]);
        }
        Ok(Running(command.stdin(Stdio::null()).spawn()?))
    }
}

/// The process that calls.
pub struct Running(Child);

impl Running {
    pub fn finish(mut self) -> anyhow::Result<()> {
        let status = self.0.wait()?;
        ensure!(status.success(), "the caller ended with {status}");
        Ok(())
    }
}

/// What the process that calls was told.
#[derive(Clone, Debug, Args)]
pub struct CallerArguments {
    #[command(flatten)]
    pair: Pair,
    #[arg(long)]
    descriptor: Vec<RawFd>,
    #[arg(long)]
    word: Vec<String>,
}

/// The process that calls.
pub struct Caller {
    pub pair: Pair,
    pub pace: Pace,
    words: Vec<String>,
    descriptors: Vec<RawFd>,
}

impl Caller {
    pub fn new(arguments: CallerArguments) -> anyhow::Result<Self> {
        Placement::unpin()?;
        arguments.pair.placement.pin(Side::Caller)?;
        let pace = arguments.pair.pace();
        Ok(Self { pair: arguments.pair, pace, words: arguments.word, descriptors: arguments.descriptor })
    }

    /// A word that was passed on.
    pub fn word(&self, index: usize) -> anyhow::Result<&str> {
        self.words.get(index).map(String::as_str).context("a word is missing")
    }

    /// A descriptor that was passed on; each can be taken once.
    pub fn descriptor(&self, index: usize) -> anyhow::Result<OwnedFd> {
        self.descriptors.get(index).copied().map(memory::inherited).context("a descriptor is missing")
    }

    pub fn report(&self, figures: &Figures) -> anyhow::Result<()> {
        print(figures)
    }
}

/// Prints the figures for the process that asked for them.
pub fn print(figures: &Figures) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(figures)?);
    Ok(())
}
