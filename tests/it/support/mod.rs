//! What the integration tests share. Namespaces, kubectl, Helm, registries and the proof of "no write" are
//! `fairlead_controlplane`'s.

pub(crate) mod chart_repository;
pub(crate) mod command;
pub(crate) mod cosign;
pub(crate) mod documents;
pub(crate) mod gate;
pub(crate) mod http;
pub(crate) mod installation;
pub(crate) mod metrics;
pub(crate) mod operator;
pub(crate) mod own_plane;
pub(crate) mod storm;
pub(crate) mod wait;
pub(crate) mod webhook;

/// What a test returns.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;
