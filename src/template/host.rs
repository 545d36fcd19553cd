//! What templates may ask of the outside world. The caller provides it; this module does no IO.

use serde_json::Value as Json;

/// The outside world of one rendering. Only time and randomness must be given; the rest has the defaults of `helm template`
/// without a cluster.
pub trait Host {
    /// The current time.
    fn now(&mut self) -> jiff::Timestamp;

    /// Fills the buffer from a cryptographic random source. A source that gives the same bytes again makes rendering
    /// repeatable.
    fn random(&mut self, buffer: &mut [u8]);

    /// The time zone that Go calls Local. Default: UTC.
    fn time_zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::UTC
    }

    /// Helm's `lookup`: one object, or a list when `name` is empty, or `{}` when there is none. The error text goes
    /// into the template's error. Default: there is nothing.
    fn lookup(&mut self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Json, String> {
        let _ = (api_version, kind, namespace, name);
        Ok(Json::Object(serde_json::Map::new()))
    }

    /// `getHostByName`: an address, or "" when DNS is off or the name is unknown. Default: DNS is off.
    fn host_by_name(&mut self, name: &str) -> String {
        let _ = name;
        String::new()
    }

    /// A message that Helm logs (`required` and `fail` in lint mode). Default: it is dropped.
    fn warn(&mut self, message: &str) {
        let _ = message;
    }

    /// The time that the calling thread has worked, from any start, for [`Limits::time`](super::Limits::time). It is
    /// asked seldom. Default: it is not told, and there is no limit of time.
    fn elapsed(&mut self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// How strict a rendering is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// `missingkey=error` instead of `missingkey=zero`.
    pub strict: bool,
    /// `helm lint`: `required` and `fail` log and go on.
    pub lint: bool,
}
