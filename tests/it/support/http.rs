//! Plain HTTP requests, to the operator's admin server for example.

use std::sync::OnceLock;
use std::time::Duration;

use super::Result;

/// The status and the body that a URL answers with.
pub(crate) async fn get(url: &str) -> Result<(u16, String)> {
    let response = client().get(url).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

/// Makes one for each call, because a connection belongs to the runtime of the test that made it.
fn client() -> reqwest::Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // Fails only when there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let built = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .no_proxy()
        .build();
    built.expect("a client with a TLS provider")
}
