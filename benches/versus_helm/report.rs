//! The table, and whether the goals are met.

use std::time::Duration;

use crate::cases::Case;
use crate::measure::Sample;

/// The medians of one chart.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    minimum_speedup: Option<f64>,
    helm: Sample,
    fairlead: Sample,
}

impl Row {
    pub(crate) fn new(case: &Case, pairs: &[[Sample; 2]]) -> Self {
        Self {
            name: case.name.clone(),
            minimum_speedup: case.minimum_speedup,
            helm: median(pairs.iter().map(|[helm, _]| *helm)),
            fairlead: median(pairs.iter().map(|[_, fairlead]| *fairlead)),
        }
    }

    pub(crate) fn print(&self) {
        let Self {
            name, helm, fairlead, ..
        } = self;
        println!(
            "{name:<48} {:>9.2} {:>9.2} {:>7.1} {:>7.1} {:>9.1} {:>9.1} {:>7.1}",
            milliseconds(helm.wall),
            milliseconds(fairlead.wall),
            self.speedup(),
            helm.cpu.as_secs_f64() / fairlead.cpu.as_secs_f64(),
            mebibytes(helm.memory),
            mebibytes(fairlead.memory),
            self.memory(),
        );
    }

    fn speedup(&self) -> f64 {
        self.helm.wall.as_secs_f64() / self.fairlead.wall.as_secs_f64()
    }

    fn memory(&self) -> f64 {
        mebibytes(self.helm.memory) / mebibytes(self.fairlead.memory)
    }
}

/// The head of the table.
pub(crate) fn heading() {
    println!(
        "{:<48} {:>9} {:>9} {:>7} {:>7} {:>9} {:>9} {:>7}",
        "", "Helm", "Fairlead", "faster", "CPU", "Helm", "Fairlead", "less"
    );
    println!(
        "{:<48} {:>9} {:>9} {:>7} {:>7} {:>9} {:>9} {:>7}",
        "chart", "ms", "ms", "times", "times", "MiB", "MiB", "times"
    );
}

/// Prints the summary. Result: whether every chart meets the goals.
pub(crate) fn conclude(rows: &[Row], minimum_speedup: f64, minimum_memory: f64) -> bool {
    println!();
    let plain = || rows.iter().filter(|row| row.minimum_speedup.is_none());
    summarize("faster", plain().map(Row::speedup));
    summarize("less memory", plain().map(Row::memory));
    let mut met = !rows.is_empty();
    for row in rows {
        let speedup = row.minimum_speedup.unwrap_or(minimum_speedup);
        for (found, wanted, what) in [
            (row.speedup(), speedup, "faster"),
            (row.memory(), minimum_memory, "less memory"),
        ] {
            if found < wanted {
                met = false;
                println!("NOT MET: {}: {found:.1} times {what}, the goal is {wanted}", row.name);
            }
        }
    }
    met
}

fn summarize(what: &str, ratios: impl Iterator<Item = f64>) {
    let ratios: Vec<f64> = ratios.collect();
    if ratios.is_empty() {
        return;
    }
    let count = f64::from(u32::try_from(ratios.len()).unwrap_or(u32::MAX));
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / count).exp();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "{what}: geometric mean {mean:.1} times, at least {least:.1} times ({} charts of the corpus)",
        ratios.len()
    );
}

/// The median of each number by itself.
fn median(samples: impl Iterator<Item = Sample> + Clone) -> Sample {
    fn middle<T: Ord + Copy + Default>(values: impl Iterator<Item = T>) -> T {
        let mut values: Vec<T> = values.collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or_default()
    }
    Sample {
        wall: middle(samples.clone().map(|sample| sample.wall)),
        cpu: middle(samples.clone().map(|sample| sample.cpu)),
        memory: middle(samples.map(|sample| sample.memory)),
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
