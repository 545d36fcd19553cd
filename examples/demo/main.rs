//! `cargo demo`: a release, a person who changes it at night, and a decision, on a real control plane.
//!
//! Every command that is shown is run, and every line with a check mark was read back from the API server or from the
//! operator's metrics; when one does not hold, the demo fails. `operator.rs` shows how the operator is embedded.

mod error;
mod narrator;
mod observed;
mod operator;
mod repository;
mod shell;
mod story;

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use clap::Parser;
use fairlead_controlplane::{ControlPlane, Options};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use error::DemoError;
use narrator::Narrator;
use operator::Embedded;
use shell::Shell;
use story::Story;

/// How many of the operator's last log lines a failure shows.
const LOG_LINES: usize = 15;
/// How long is waited, at the very end, for threads that a stop left behind.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// Fairlead's main job on a control plane of its own: one release, one night, one decision.
#[derive(Debug, Parser)]
#[command(name = "cargo demo --")]
struct Arguments {
    /// End when the story is over; without it everything stays up until Ctrl-C
    #[arg(long)]
    once: bool,
}

#[expect(clippy::print_stderr, reason = "errors go to people")]
fn main() -> ExitCode {
    // Before anything speaks TLS; a second installation is the only failure.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Arguments { once } = Arguments::parse();
    let played = tokio::runtime::Runtime::new()
        .map_err(DemoError::io("starting the async runtime"))
        .and_then(|runtime| {
            let played = runtime.block_on(play(once));
            runtime.shutdown_timeout(LEFTOVERS);
            played
        });
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(DemoError::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("\nThe demo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn play(once: bool) -> Result<(), DemoError> {
    let stop = until_told_to_stop()?;
    let mut narrator = Narrator::new();
    narrator.say(
        "Fairlead applies Helm releases field by field. This demo starts a real Kubernetes control plane, installs a\n\
         release, lets somebody change it behind Fairlead's back, and decides about every contested field.\n\
         The first run builds the control plane from Go sources, which takes minutes; later ones start it in seconds.",
    );
    narrator.act("A control plane");
    let control_plane = tokio::select! {
        started = ControlPlane::start(Options::default()) => started?,
        () = stop.cancelled() => return Err(DemoError::Interrupted),
    };
    for part in ["kube-controller-manager", "kube-scheduler", "kwok"] {
        if !control_plane.runs(part) {
            return Err(DemoError::NotWhole { part });
        }
    }
    let log = control_plane.directory().join("operator.log");
    write_log_to(&log)?;
    let shell = Shell::of(&control_plane).await?;
    let mut story = Story {
        narrator,
        shell,
        client: control_plane.client()?,
        folder: control_plane.directory().join("charts"),
    };
    let played = perform(&mut story, once, &stop).await;
    match &played {
        Ok(()) | Err(DemoError::Interrupted) => story.narrator.say("Stopping the control plane; nothing stays behind."),
        Err(_) => last_lines(&story.narrator, &log),
    }
    drop(control_plane);
    played
}

/// The acts, then the wait for Ctrl-C. The operator ends before its control plane does.
async fn perform(story: &mut Story, once: bool, stop: &CancellationToken) -> Result<(), DemoError> {
    stop.run_until_cancelled(story.prepare_cluster())
        .await
        .unwrap_or(Err(DemoError::Interrupted))?;
    let mut operator = Embedded::start(story.client.clone()).await?;
    let url = operator.url().to_owned();
    let told = tokio::select! {
        told = story.tell(&url, once, stop) => told,
        error = operator.ended() => Err(error),
        () = stop.cancelled() => Err(DemoError::Interrupted),
    };
    let stopped = operator.stop().await;
    told.and(stopped)
}

/// A token that Ctrl-C and SIGTERM cancel.
fn until_told_to_stop() -> Result<CancellationToken, DemoError> {
    let listening = || DemoError::io("listening for signals");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(listening())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(listening())?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}

/// The operator's log goes to a file, so that it does not stand between the lines of the story.
fn write_log_to(path: &Path) -> Result<(), DemoError> {
    let file = File::create(path).map_err(DemoError::io(format!("writing {}", path.display())))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .init();
    Ok(())
}

fn last_lines(narrator: &Narrator, log: &Path) {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
    narrator.say("The operator's last log lines:");
    narrator.output(&last.join("\n"));
}
