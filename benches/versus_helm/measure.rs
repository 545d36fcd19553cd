//! Running a program once, and what it took.
//!
//! On Linux a new process begins with the peak memory of the one that started it. So each run has a small parent of
//! its own: this program, started again with [`CHILD`] as its first argument.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::{ResUse, ResourceUsage, Wait4 as _};

use crate::cases::Case;

/// The first argument of a process that only measures another.
pub(crate) const CHILD: &str = "measure-one-process";

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// Of all its threads, in the program and in the system.
    pub(crate) cpu: Duration,
    /// The most memory that it had at once, in bytes.
    pub(crate) memory: u64,
}

/// The two programs.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) helm: PathBuf,
    pub(crate) fairlead: PathBuf,
    /// Stands for the home directory, and takes the outputs.
    pub(crate) home: PathBuf,
}

impl Programs {
    pub(crate) fn run_helm(&self, case: &Case) -> Result<Sample, Box<dyn Error>> {
        self.run(&self.helm, case, &self.home.join("helm.yaml"))
    }

    pub(crate) fn run_fairlead(&self, case: &Case) -> Result<Sample, Box<dyn Error>> {
        self.run(&self.fairlead, case, &self.home.join("fairlead.yaml"))
    }

    /// Whether the last runs wrote the same.
    pub(crate) fn compare_outputs(&self, case: &Case) -> Result<(), Box<dyn Error>> {
        let [helm, fairlead] = ["helm.yaml", "fairlead.yaml"].map(|name| std::fs::read(self.home.join(name)));
        if helm? == fairlead? {
            return Ok(());
        }
        Err(format!("{}: the outputs differ", case.name).into())
    }

    /// Neither program sees the settings, plugins and caches of whoever measures.
    fn run(&self, program: &Path, case: &Case, output: &Path) -> Result<Sample, Box<dyn Error>> {
        let measured = Command::new(std::env::current_exe()?)
            .args([
                OsStr::new(CHILD),
                output.as_os_str(),
                program.as_os_str(),
                "template".as_ref(),
            ])
            .args(&case.arguments)
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stderr(Stdio::inherit())
            .output()?;
        let numbers = String::from_utf8(measured.stdout)?;
        let numbers: Vec<u64> = numbers.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        match numbers.as_slice() {
            [wall, cpu, memory] if measured.status.success() => Ok(Sample {
                wall: Duration::from_nanos(*wall),
                cpu: Duration::from_micros(*cpu),
                memory: *memory,
            }),
            _ => Err(format!("{} failed on {}", program.display(), case.name).into()),
        }
    }
}

/// The measuring process: an output file, a program and its arguments; prints nanoseconds, microseconds and bytes.
pub(crate) fn child(mut arguments: impl Iterator<Item = OsString>) -> Result<bool, Box<dyn Error>> {
    let (Some(output), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("nothing to measure".into());
    };
    let output = File::create(output)?;
    let start = Instant::now();
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::null())
        .spawn()?;
    let ResUse { status, rusage } = child.wait4()?;
    let wall = start.elapsed().as_nanos();
    let ResourceUsage { utime, stime, maxrss } = rusage;
    println!("{wall} {} {maxrss}", (utime + stime).as_micros());
    Ok(status.success())
}
