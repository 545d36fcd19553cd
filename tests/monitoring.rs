//! What is exported, documented and alerted on belongs together.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper of a test fails the test")]

#[path = "it/support/documents.rs"]
mod documents;

/// What a test returns.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[test]
fn the_document_about_metrics_is_current() -> Result {
    documents::check("docs/metrics.md", &fairlead::telemetry::metrics::document())
}
