//! Renders a chart as a library user does, with the chart engine alone:
//!
//! ```sh
//! cargo run --no-default-features --features render --example render -- \
//!     CHART [--values FILE]... [--name NAME] [--namespace NAMESPACE] [--seed NUMBER] [--time TIMESTAMP]
//! ```
//!
//! CHART is a directory or a packed chart (.tgz). With a seed and a time the output is the same at each run, also that of
//! charts that make passwords and certificates.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io};

use fairlead::chart::load::read_values;
use fairlead::chart::values::merge_maps;
use fairlead::chart::{ArchiveLimits, Capabilities, Chart, File, JsonMap};
use fairlead::jiff::Timestamp;
use fairlead::render::{Host, Limits, Program, Release, Request, TemplateOutput, render};
use sha2::{Digest as _, Sha256};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let (manifests, notes) = render_on_thread(Arguments::parse(env::args().skip(1))?)?;
    print!("{manifests}");
    eprint!("{notes}");
    Ok(())
}

/// Templates may recurse deeply: a thread with enough stack for the default limits.
pub(crate) fn render_on_thread(arguments: Arguments) -> Outcome<(String, String)> {
    let thread = std::thread::Builder::new().stack_size(Limits::STACK_BYTES);
    let outcome = thread.spawn(move || render_chart(&arguments))?.join();
    outcome.unwrap_or_else(|_| Err("rendering failed".into()))
}

/// The manifests, and the notes with the warnings.
fn render_chart(arguments: &Arguments) -> Outcome<(String, String)> {
    let chart = load(&arguments.chart)?;
    let mut values = JsonMap::new();
    for file in &arguments.values {
        values = merge_maps(values, read_values(&fs::read(file)?)?);
    }
    // Keep the program where a chart is rendered more than once: it parses the templates only once.
    let program = Program::new(Arc::new(chart));
    let release = Release::new(&arguments.name, &arguments.namespace);
    let capabilities = Capabilities::default();
    let mut world = World {
        time: arguments.time,
        random: arguments.seed.map(Sequence::new),
    };
    let rendered = render(&Request::new(&program, &values, &release, &capabilities), &mut world)?;
    let warnings = rendered.warnings.iter().map(|warning| format!("{warning}\n"));
    let remarks = warnings.collect::<String>() + &rendered.notes;
    Ok((TemplateOutput::default().write(&rendered), remarks))
}

/// What templates see of the world.
struct World {
    time: Option<Timestamp>,
    random: Option<Sequence>,
}

impl Host for World {
    fn now(&mut self) -> Timestamp {
        self.time.unwrap_or_else(Timestamp::now)
    }

    fn random(&mut self, buffer: &mut [u8]) {
        match &mut self.random {
            Some(sequence) => sequence.fill(buffer),
            // Passwords and keys from anything but the system's source would only look like good ones.
            None if getrandom::fill(buffer).is_ok() => {}
            None => std::process::abort(),
        }
    }
}

/// Random bytes that a seed decides: hashes of the seed and a counter.
struct Sequence {
    seed: u64,
    counter: u64,
}

impl Sequence {
    fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let block = Sha256::new()
                .chain_update(self.seed.to_le_bytes())
                .chain_update(self.counter.to_le_bytes());
            chunk.copy_from_slice(&block.finalize()[..chunk.len()]);
            self.counter += 1;
        }
    }
}

fn load(path: &Path) -> Outcome<Chart> {
    let limits = ArchiveLimits::default();
    if !path.is_dir() {
        return Ok(Chart::from_archive(&fs::read(path)?, &limits)?);
    }
    let mut files = Vec::new();
    read_directory(path, path, &mut files)?;
    Ok(Chart::from_directory(files, &limits)?)
}

/// Reads all files below a directory, in the order of their names.
fn read_directory(root: &Path, directory: &Path, files: &mut Vec<File>) -> Outcome<()> {
    let entries = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_directory(root, &path, files)?;
        } else {
            let name = path
                .strip_prefix(root)?
                .to_str()
                .ok_or("a file name that is not UTF-8")?;
            files.push(File::new(name.replace('\\', "/"), fs::read(&path)?));
        }
    }
    Ok(())
}

pub(crate) struct Arguments {
    chart: PathBuf,
    values: Vec<PathBuf>,
    name: String,
    namespace: String,
    seed: Option<u64>,
    time: Option<Timestamp>,
}

impl Arguments {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut parsed = Self {
            chart: arguments.next().ok_or("which chart? a directory or a .tgz")?.into(),
            values: Vec::new(),
            name: "release-name".to_owned(),
            namespace: "default".to_owned(),
            seed: None,
            time: None,
        };
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--values" => parsed.values.push(value.into()),
                "--name" => parsed.name = value,
                "--namespace" => parsed.namespace = value,
                "--seed" => parsed.seed = Some(value.parse()?),
                "--time" => parsed.time = Some(value.parse()?),
                _ => return Err(format!("unknown flag {flag}").into()),
            }
        }
        Ok(parsed)
    }
}
