//! `fairlead template` against `helm template`, each as a whole process: wall time, CPU time and peak memory.
//!
//! 30 charts of the corpus and an umbrella with 4,000 `tpl` calls. The two programs take turns, so that whatever else
//! the machine does hits both; both must write the same bytes. Exits with 1 when a goal is not met.
//! benches/README.md says how to run it and what was measured.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a table is what this program is for"
)]

mod cases;
mod measure;
mod report;
#[path = "../support/umbrella.rs"]
mod umbrella;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use cases::Case;
use measure::{Programs, Sample};
use report::Row;

/// Compares `fairlead template` with `helm template`, process by process.
#[derive(Debug, Parser)]
struct Arguments {
    /// Pairs of runs for each chart, after one that is not counted.
    #[arg(long, default_value_t = 11)]
    pairs: usize,
    /// How many charts of the corpus.
    #[arg(long, default_value_t = 30)]
    charts: usize,
    /// Only charts with this in their name.
    #[arg(long)]
    only: Option<String>,
    /// Another build of Fairlead than the one that this benchmark was built with.
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_fairlead"))]
    fairlead: PathBuf,
    /// How many times faster each chart must be.
    #[arg(long, default_value_t = 20.0)]
    minimum_speedup: f64,
    /// How many times less memory each chart must take.
    #[arg(long, default_value_t = 5.0)]
    minimum_memory: f64,
    /// How many times faster the umbrella must be.
    #[arg(long, default_value_t = 50.0)]
    minimum_umbrella_speedup: f64,
    /// What cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let outcome = if arguments.next().is_some_and(|first| first == measure::CHILD) {
        measure::child(arguments)
    } else {
        compare(&Arguments::parse())
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all goals are met.
fn compare(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let programs = Programs {
        helm: helm()?,
        fairlead: arguments.fairlead.clone(),
        home: directory.path().to_owned(),
    };
    let umbrella = directory.path().join("umbrella");
    umbrella::write(&umbrella, umbrella::GOAL)?;
    let mut cases = if let Some(corpus) = cases::corpus() {
        cases::choose(&corpus, arguments.charts)?
    } else {
        println!("no corpus: set FAIRLEAD_CORPUS to measure real charts; this measures the umbrella only");
        Vec::new()
    };
    cases.push(Case::umbrella(&umbrella, arguments.minimum_umbrella_speedup));
    if let Some(part) = &arguments.only {
        cases.retain(|case| case.name.contains(part.as_str()));
    }
    println!(
        "{} pairs of runs a chart; medians; {}\n",
        arguments.pairs,
        programs.helm.display()
    );
    report::heading();
    let mut rows = Vec::new();
    for case in &cases {
        let row = Row::new(case, &measure_pairs(&programs, case, arguments.pairs)?);
        row.print();
        rows.push(row);
    }
    Ok(report::conclude(
        &rows,
        arguments.minimum_speedup,
        arguments.minimum_memory,
    ))
}

/// Runs of Helm and of Fairlead in turn. Fails if what they write is not the same.
fn measure_pairs(programs: &Programs, case: &Case, pairs: usize) -> Result<Vec<[Sample; 2]>, Box<dyn Error>> {
    let mut samples = Vec::new();
    for pair in 0..=pairs {
        let measured = [programs.run_helm(case)?, programs.run_fairlead(case)?];
        if pair == 0 {
            // The first pair fills the caches of the system, and is looked at.
            programs.compare_outputs(case)?;
        } else {
            samples.push(measured);
        }
    }
    Ok(samples)
}

/// The Helm that is compared with: the one given, or else one that is built as Helm's own releases are.
fn helm() -> Result<PathBuf, Box<dyn Error>> {
    match std::env::var_os("FAIRLEAD_HELM").filter(|value| !value.is_empty()) {
        Some(path) if Path::new(&path).is_file() => Ok(path.into()),
        Some(path) => Err(format!("FAIRLEAD_HELM: there is no {}", Path::new(&path).display()).into()),
        None => Ok(fairlead_controlplane::standalone_helm()?),
    }
}
