//! Releases on a real API server, from the HelmRelease to the last object that is gone: the operator runs as a process,
//! charts come from a repository, and everything is said and read through the API, as users do.

mod catalogue;
mod client_side;
mod crashes;
mod drift;
mod flux_sources;
mod gates;
mod health;
mod hooks;
mod identity;
mod immutable;
mod kept;
mod kills;
mod lookups;
mod options;
mod order;
mod played_sources;
mod post_rendering;
mod predecessors;
mod real_charts;
mod records;
mod references;
mod remediation;
mod remote;
mod rendered;
mod requests;
mod small_charts;
mod sources;
mod stage;
mod storms;
mod takeover;
mod testing;
mod uninstalling;
mod verification;
mod waiting;
