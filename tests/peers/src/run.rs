//! The whole comparison: rounds in which each contender stands between the references, so that a machine whose speed drifts does not
//! decide who wins.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::contenders::{self, Contender};
use crate::measure::Figures;
use crate::placement::Placement;
use crate::work::Work;

/// What others are compared with, in every round.
pub const REFERENCES: [&str; 3] = ["spinning", "futex", "ipc-channel"];

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub rounds: usize,
    /// For each figure.
    pub millis: u64,
}

impl Plan {
    pub const FULL: Self = Self { rounds: 5, millis: 200 };
    pub const QUICK: Self = Self { rounds: 1, millis: 40 };
}

/// What is measured: one line of a table, or one cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    pub contender: String,
    pub work: Work,
    pub size: usize,
    pub placement: Placement,
}

/// The figures of one cell, a round each.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    pub rounds: Vec<Figures>,
    /// For each reference, this cell's median as a multiple of the reference's beside it, a round each.
    pub ratios: BTreeMap<String, Vec<f64>>,
}

/// Everything that was measured, and what could not be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    #[serde(with = "cells")]
    pub cells: BTreeMap<Cell, Measured>,
    pub missing: BTreeMap<String, String>,
}

/// JSON has no maps whose keys are structs.
mod cells {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{Cell, Measured};

    pub fn serialize<S: Serializer>(cells: &BTreeMap<Cell, Measured>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(cells)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Cell, Measured>, D::Error> {
        Ok(Vec::<(Cell, Measured)>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl Results {
    /// The median of the rounds' medians, in nanoseconds.
    pub fn median(&self, contender: &str, work: Work, size: usize, placement: Placement) -> Option<f64> {
        let measured = self.get(contender, work, size, placement)?;
        median(measured.rounds.iter().map(|figures| figures.p50))
    }

    pub fn get(&self, contender: &str, work: Work, size: usize, placement: Placement) -> Option<&Measured> {
        self.cells.get(&Cell { contender: contender.to_owned(), work, size, placement })
    }

    /// The median of the rounds' ratios.
    pub fn ratio(
        &self,
        contender: &str,
        reference: &str,
        work: Work,
        size: usize,
        placement: Placement,
    ) -> Option<f64> {
        median(self.get(contender, work, size, placement)?.ratios.get(reference)?.iter().copied())
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Runs everything; `only` names the contenders that are wanted beside the references, all if it is empty.
pub fn run(plan: Plan, only: &[String]) -> Results {
    let mut results = Results::default();
    let mut wanted = Vec::new();
    for contender in contenders::ALL {
        let named = only.is_empty() || only.iter().any(|name| name == contender.name);
        match contender.missing() {
            Some(reason) => drop(results.missing.insert(contender.name.to_owned(), reason)),
            None if named && !REFERENCES.contains(&contender.name) => wanted.push(contender),
            None => {}
        }
    }
    let tasks = tasks();
    let does = |task: &&Task| wanted.iter().filter(|contender| contender.does(task.work, task.placement)).count();
    let all = plan.rounds * tasks.iter().map(|task| does(&task)).sum::<usize>();
    let mut runner = Runner { plan, results, done: 0, all };
    for _ in 0..plan.rounds {
        for task in &tasks {
            runner.round(&wanted, *task);
        }
    }
    eprintln!("\r{:78}", "");
    runner.results
}

/// What each contender is measured at, as far as it does that.
#[derive(Clone, Copy)]
struct Task {
    work: Work,
    size: usize,
    placement: Placement,
}

impl Task {
    fn cell(self, contender: &Contender) -> Cell {
        let Self { work, size, placement } = self;
        Cell { contender: contender.name.to_owned(), work, size, placement }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { work, size, placement } = *self;
        match work {
            Work::Call => write!(f, "{work}, {placement}"),
            _ => write!(f, "{work} {}", work.size(size)),
        }
    }
}

/// Calls at every placement, then all other work, size by size.
fn tasks() -> Vec<Task> {
    let calls = Placement::ALL.into_iter().map(|placement| Task { work: Work::Call, size: 0, placement });
    let others = Work::OTHERS.iter().flat_map(|(work, sizes)| {
        sizes.iter().map(|size| Task { work: *work, size: *size, placement: Placement::Free })
    });
    calls.chain(others).collect()
}

struct Runner {
    plan: Plan,
    results: Results,
    done: usize,
    all: usize,
}

impl Runner {
    /// One round: the references, a contender, the references, a contender, …
    fn round(&mut self, wanted: &[&Contender], task: Task) {
        let mut before = self.references(task);
        for contender in wanted.iter().filter(|contender| contender.does(task.work, task.placement)) {
            self.progress(contender.name, task);
            let cell = task.cell(contender);
            let Some(figures) = self.measure(&cell) else { continue };
            let after = self.references(task);
            let measured = self.results.cells.entry(cell).or_default();
            measured.rounds.push(figures);
            for (name, before) in &before {
                if let Some(after) = after.get(name) {
                    let ratio = figures.p50 / f64::midpoint(*before, *after);
                    measured.ratios.entry(name.clone()).or_default().push(ratio);
                }
            }
            before = after;
        }
    }

    /// Those of the references that do this.
    fn references(&mut self, task: Task) -> BTreeMap<String, f64> {
        let mut medians = BTreeMap::new();
        let is_one = |contender: &&Contender| REFERENCES.contains(&contender.name);
        for reference in contenders::ALL.iter().filter(is_one) {
            if !reference.does(task.work, task.placement) {
                continue;
            }
            let cell = task.cell(reference);
            if let Some(figures) = self.measure(&cell) {
                medians.insert(reference.name.to_owned(), figures.p50);
                self.results.cells.entry(cell).or_default().rounds.push(figures);
            }
        }
        medians
    }

    /// `None` when it fails, which is said in the end.
    fn measure(&mut self, cell: &Cell) -> Option<Figures> {
        match pair(cell, self.plan.millis) {
            Ok(figures) => Some(figures),
            Err(error) => {
                let what = format!("{}, {} {}, {}", cell.contender, cell.work, cell.size, cell.placement);
                self.results.missing.insert(what, format!("{error:#}"));
                None
            }
        }
    }

    fn progress(&mut self, contender: &str, what: Task) {
        self.done += 1;
        eprint!("\r{:78}\r{} of {}: {contender}, {what}", "", self.done, self.all);
        // What cannot be shown is not missed.
        let _ = std::io::stderr().flush();
    }
}

/// Measures a cell once, in two processes.
fn pair(cell: &Cell, millis: u64) -> anyhow::Result<Figures> {
    let output = Command::new("timeout")
        .args(["--kill-after=2", "60"])
        .arg(std::env::current_exe()?)
        .args(["pair", "--contender", &cell.contender, "--work", &cell.work.to_string()])
        .args(["--size", &cell.size.to_string(), "--millis", &millis.to_string()])
        .args(["--placement", &cell.placement.argument()])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", output.status, complaint.lines().last().unwrap_or_default());
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().rev().find(|line| line.starts_with('{')).context("no figures")?;
    Ok(serde_json::from_str(line)?)
}
