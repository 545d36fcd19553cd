//! The outside world of templates that are rendered without a cluster.

use std::net::ToSocketAddrs as _;

use crate::chart::Warning;
use crate::template::Host;

/// No cluster; DNS only when asked for; the machine's clock, and its random source.
#[derive(Debug)]
pub(super) struct Offline {
    dns: bool,
}

impl Offline {
    /// `dns` lets `getHostByName` ask.
    pub(super) const fn new(dns: bool) -> Self {
        Self { dns }
    }
}

impl Host for Offline {
    fn host_by_name(&mut self, name: &str) -> String {
        if !self.dns {
            return String::new();
        }
        // As Sprig: any of the addresses, and nothing when there is none.
        let mut addresses = (name, 0_u16).to_socket_addrs().into_iter().flatten();
        addresses
            .next()
            .map(|address| address.ip().to_string())
            .unwrap_or_default()
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

    fn elapsed(&mut self) -> std::time::Duration {
        crate::clock::thread_time()
    }

    fn warn(&mut self, message: &str) {
        crate::cli::warn(&Warning::new(message));
    }
}
