//! Measures remote beside its peers: the same work, in the same run, on the same machine, always in two processes.
#![deny(unsafe_code)]

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

mod contenders;
mod measure;
mod memory;
mod pair;
mod placement;
mod report;
mod run;
mod work;

use contenders::Contender;
use pair::{Caller, CallerArguments, Pair};
use placement::Side;
use run::Plan;

#[derive(Debug, Parser)]
#[command(about)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// One short round instead of five: within a minute.
    #[arg(long)]
    quick: bool,
    /// Only these contenders, beside the references.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the results are written, and the plots as SVG.
    #[arg(long, default_value = "target/peers")]
    out: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures one contender once; the figures are printed as JSON.
    Pair(Pair),
    /// The process that calls.
    #[command(hide = true)]
    Caller(CallerArguments),
}

/// Makes this program end at once.
const NOTHING: &str = "nothing";

fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).is_some_and(|argument| argument == NOTHING) {
        return Ok(());
    }
    // The children of ours are this program, too.
    remote_child::init();
    let Arguments { quick, only, out, command } = Arguments::parse();
    match command {
        None => compare(quick, &only, &out),
        Some(Command::Pair(pair)) => {
            pair.placement.pin(Side::Server)?;
            Contender::named(&pair.contender)?.serve(&pair)
        }
        Some(Command::Caller(arguments)) => {
            let caller = Caller::new(arguments)?;
            Contender::named(&caller.pair.contender)?.call(&caller)
        }
    }
}

/// Measures everything, and says how it went.
fn compare(quick: bool, only: &[String], out: &Path) -> anyhow::Result<()> {
    for name in only {
        Contender::named(name)?;
    }
    let results = run::run(if quick { Plan::QUICK } else { Plan::FULL }, only);
    let text = report::text(&results);
    println!("{text}");
    std::fs::create_dir_all(out)?;
    std::fs::write(out.join("results.json"), serde_json::to_string_pretty(&results)?)?;
    std::fs::write(out.join("results.txt"), text)?;
    report::plot::calls(&results, &out.join("calls.svg"))?;
    report::plot::others(&results, &out.join("others.svg"))?;
    println!("written to {}", out.display());
    Ok(())
}
