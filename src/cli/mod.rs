//! The command line: one file a command.
//!
//! Edge. This module knows the commands, the exit codes and where output goes: data on stdout, everything else on
//! stderr. What a command does stands in its own file.

#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "operator")]
mod controller;
#[cfg(feature = "cluster")]
mod crd;
mod template;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::chart::Warning;
use crate::template::Limits;
use crate::template::limits::InvalidLimit;

/// What a command can fail with: a text for a person whose first line says it all, printed as `Error: ...` like Helm and kubectl do.
pub type CommandError = Box<dyn std::error::Error + Send + Sync>;

/// Helm releases applied with server-side apply, every contested field decided by policy and recorded.
#[derive(Debug, Parser)]
#[command(name = "fairlead", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator.
    #[cfg(feature = "operator")]
    Controller(controller::ControllerArguments),
    #[cfg(feature = "cluster")]
    Crd(crd::CrdArguments),
    #[cfg(feature = "cluster")]
    Conflicts(cluster::conflicts::ConflictsArguments),
    #[cfg(feature = "cluster")]
    Blame(cluster::blame::BlameArguments),
    #[cfg(feature = "cluster")]
    Resolve(cluster::resolve::ResolveArguments),
    #[cfg(feature = "cluster")]
    Ownership(cluster::ownership::OwnershipArguments),
    #[cfg(feature = "cluster")]
    Policy(cluster::policy::PolicyArguments),
    #[cfg(feature = "operator")]
    Shadow(cluster::shadow::ShadowArguments),
    #[cfg(feature = "operator")]
    Diff(cluster::diff::DiffArguments),
    #[cfg(feature = "operator")]
    Values(cluster::values::ValuesArguments),
    Template(Box<template::TemplateArguments>),
}

/// Parses the process's arguments, runs the command and says how the process ends: 0 done, 1 the command failed, 2 the
/// arguments were wrong; `diff` has its own meanings.
pub fn run() -> ExitCode {
    let Arguments { command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, not failures; clap knows which stream each belongs to.
            let code = if error.use_stderr() { 2 } else { 0 };
            return if error.print().is_ok() {
                ExitCode::from(code)
            } else {
                ExitCode::FAILURE
            };
        }
    };
    command.run()
}

impl Command {
    fn run(self) -> ExitCode {
        let done = match self {
            #[cfg(feature = "operator")]
            Self::Controller(arguments) => controller::run(arguments),
            #[cfg(feature = "cluster")]
            Self::Crd(arguments) => crd::run(&arguments),
            #[cfg(feature = "cluster")]
            Self::Conflicts(arguments) => cluster::conflicts::run(&arguments),
            #[cfg(feature = "cluster")]
            Self::Blame(arguments) => cluster::blame::run(&arguments),
            #[cfg(feature = "cluster")]
            Self::Resolve(arguments) => cluster::resolve::run(&arguments),
            #[cfg(feature = "cluster")]
            Self::Ownership(arguments) => cluster::ownership::run(&arguments),
            #[cfg(feature = "cluster")]
            Self::Policy(arguments) => cluster::policy::run(&arguments),
            #[cfg(feature = "operator")]
            Self::Shadow(arguments) => cluster::shadow::run(&arguments),
            #[cfg(feature = "operator")]
            Self::Diff(arguments) => {
                let compared = cluster::diff::run(&arguments);
                return compared.unwrap_or_else(|error| report(&*error, ExitCode::from(cluster::diff::FAILED)));
            }
            #[cfg(feature = "operator")]
            Self::Values(arguments) => cluster::values::run(&arguments),
            Self::Template(arguments) => template::run(&arguments),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report(&*error, ExitCode::FAILURE),
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where the command line says why it failed"
)]
fn report(error: &(dyn std::error::Error + 'static), code: ExitCode) -> ExitCode {
    eprintln!("Error: {error}");
    code
}

/// The default limits of rendering with those that `--limit` sets.
fn limits(assignments: &[String]) -> Result<Limits, InvalidLimit> {
    let mut limits = Limits::default();
    for assignment in assignments {
        limits.set(assignment)?;
    }
    Ok(limits)
}

/// Something about the answer that the person should know.
#[cfg(feature = "operator")]
#[expect(clippy::print_stderr, reason = "the answer itself is data")]
fn note(text: &str) {
    eprintln!("Note: {text}");
}

/// Something that the person should know although the command goes on.
#[expect(clippy::print_stderr, reason = "warnings go where errors go")]
fn warn(warning: &Warning) {
    eprintln!("{warning}");
}
