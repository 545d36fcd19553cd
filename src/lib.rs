//! Fairlead: Helm releases applied with server-side apply, every contested field decided by policy and recorded.
//!
//! Modules are of two kinds. **Pure** ones (`go`, `yaml`, `template`, `chart`, `render`, `parallel`, `resting`, `postrender`,
//! `ownership`, `health`, `release`, `plan`, `api`, `signature`) never do IO: time, randomness and look-ups come in as parameters. **Edge** ones (`source`,
//! `cluster`, `operator`, `telemetry`, `clock`, `cli`) do it for them. `tests/architecture` holds the line.
//!
//! With `default-features = false, features = ["render"]` this crate is the chart engine alone, without tokio or kube:
//! start at `render`, which shows how a chart is rendered.

#[cfg(feature = "cluster")]
pub mod api;
#[cfg(feature = "render")]
pub mod chart;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(any(feature = "cli", feature = "operator"))]
mod clock;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(feature = "render")]
pub mod go;
#[cfg(feature = "cluster")]
pub mod health;
#[cfg(feature = "operator")]
pub mod operator;
#[cfg(feature = "cluster")]
pub mod ownership;
#[cfg(feature = "render")]
mod parallel;
#[cfg(feature = "cluster")]
pub mod plan;
#[cfg(feature = "cluster")]
pub mod postrender;
#[cfg(feature = "cluster")]
pub mod release;
#[cfg(feature = "render")]
pub mod render;
#[cfg(feature = "cluster")]
mod resting;
#[cfg(feature = "verification")]
pub mod signature;
#[cfg(feature = "source")]
pub mod source;
#[cfg(feature = "operator")]
pub mod telemetry;
#[cfg(feature = "render")]
pub mod template;
#[cfg(feature = "render")]
pub mod yaml;

// In the signatures of this crate: a caller uses the same versions through these.
#[cfg(feature = "render")]
pub use jiff;
pub use serde_json;
