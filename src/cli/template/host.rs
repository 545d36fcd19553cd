//! The outside world of templates that are rendered without a cluster.

use crate::template::Host;

/// No cluster, no DNS; the machine's clock, and its random source.
#[derive(Debug, Default)]
pub(super) struct Offline {
    warnings: Vec<String>,
}

impl Host for Offline {
    fn lookup(&mut self, _: &str, _: &str, _: &str, _: &str) -> Result<serde_json::Value, String> {
        Ok(serde_json::json!({}))
    }

    fn host_by_name(&mut self, _: &str) -> String {
        String::new()
    }

    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn time_zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::system()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        let provider = rustls::crypto::ring::default_provider();
        if provider.secure_random.fill(buffer).is_err() {
            // Passwords and keys from anything else would look like good ones.
            std::process::abort();
        }
    }

    fn warn(&mut self, message: &str) {
        self.warnings.push(message.to_owned());
    }
}
