//! Counts of requests, from the API server's own metrics: what a test compares before and after.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::{ControlPlane, Error};

/// What requests of one kind have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKind {
    /// As the API server's metric has it: GET, LIST, WATCH, POST, PUT, PATCH, APPLY, DELETE, DELETECOLLECTION.
    pub verb: String,
    /// The API group, empty for the core group.
    pub group: String,
    /// The resource, such as `deployments`.
    pub resource: String,
    /// The subresource, such as `status`, or empty.
    pub subresource: String,
    /// Whether nothing was to be written.
    pub dry_run: bool,
}

impl RequestKind {
    /// Whether it is about the control plane's own rest, which never comes: heartbeats, and checks of who may do what.
    pub fn is_heartbeat(&self) -> bool {
        matches!(
            self.resource.as_str(),
            "leases" | "nodes" | "subjectaccessreviews" | "tokenreviews"
        )
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            group,
            resource,
            subresource,
            dry_run,
        } = self;
        write!(formatter, "{verb} {resource}")?;
        if !group.is_empty() {
            write!(formatter, ".{group}")?;
        }
        if !subresource.is_empty() {
            write!(formatter, "/{subresource}")?;
        }
        if *dry_run {
            write!(formatter, " (dry run)")?;
        }
        Ok(())
    }
}

/// How many requests of which kind the API server answered since it started, those of its own controllers included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct RequestCounts(BTreeMap<RequestKind, u64>);

impl RequestCounts {
    /// The requests that were answered after `earlier` was taken.
    pub fn since(&self, earlier: &Self) -> Self {
        let grown = |(kind, &count): (&RequestKind, &u64)| {
            let more = count.saturating_sub(earlier.0.get(kind).copied().unwrap_or(0));
            (more > 0).then(|| (kind.clone(), more))
        };
        Self(self.0.iter().filter_map(grown).collect())
    }

    /// Only those that write.
    pub fn writes(&self) -> Self {
        self.filter(|kind| {
            matches!(
                kind.verb.as_str(),
                "POST" | "PUT" | "PATCH" | "APPLY" | "DELETE" | "DELETECOLLECTION"
            )
        })
    }

    /// Only those of a resource, its subresources included.
    pub fn of(&self, resource: &str) -> Self {
        self.filter(|kind| kind.resource == resource)
    }

    /// Only those that `keep` says.
    pub fn filter(&self, keep: impl Fn(&RequestKind) -> bool) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(kind, _)| keep(kind))
                .map(|(kind, count)| (kind.clone(), *count))
                .collect(),
        )
    }

    /// The sum.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Each kind with its count, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&RequestKind, u64)> {
        self.0.iter().map(|(kind, count)| (kind, *count))
    }

    /// Reads `apiserver_request_total` from metrics in Prometheus's text format.
    pub fn parse(metrics: &str) -> Self {
        let mut counts = Self::default();
        for line in metrics.lines() {
            let Some(rest) = line.strip_prefix("apiserver_request_total{") else {
                continue;
            };
            let Some((labels, value)) = rest.rsplit_once("} ") else {
                continue;
            };
            let Ok(value) = value.trim().parse::<u64>() else {
                continue;
            };
            let mut kind = RequestKind::default();
            for label in labels.split("\",") {
                let Some((name, value)) = label.split_once("=\"") else {
                    continue;
                };
                let value = value.trim_end_matches('"').to_owned();
                match name {
                    "verb" => kind.verb = value,
                    "group" => kind.group = value,
                    "resource" => kind.resource = value,
                    "subresource" => kind.subresource = value,
                    "dry_run" => kind.dry_run = !value.is_empty(),
                    _ => {}
                }
            }
            *counts.0.entry(kind).or_default() += value;
        }
        counts
    }
}

impl fmt::Display for RequestCounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(kind, count)| writeln!(formatter, "{count} {kind}"))
    }
}

impl ControlPlane {
    /// The API server's metrics in Prometheus's text format.
    pub async fn apiserver_metrics(&self) -> Result<String, Error> {
        self.get("/metrics").await
    }

    /// The processor time that the API server has used since it started.
    pub async fn apiserver_cpu(&self) -> Result<Duration, Error> {
        let metrics = self.apiserver_metrics().await?;
        let seconds = metrics
            .lines()
            .find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
        let seconds = seconds.and_then(|seconds| seconds.trim().parse().ok());
        Ok(Duration::from_secs_f64(seconds.unwrap_or_default()))
    }

    /// How many requests the API server answered since it started.
    ///
    /// Everything that runs counts, so a test that asks for "no write" should look at resources that nobody else writes;
    /// [`requests_since`](Self::requests_since) tells writers apart.
    pub async fn request_counts(&self) -> Result<RequestCounts, Error> {
        Ok(RequestCounts::parse(&self.apiserver_metrics().await?))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<String, Error> {
        let asking = format!("GET {path}");
        let request = http::Request::get(path).body(Vec::new());
        let request = request.map_err(|error| Error::api(asking.clone())(kube::Error::HttpError(error)))?;
        self.client()?.request_text(request).await.map_err(Error::api(asking))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"# HELP apiserver_request_total
apiserver_request_total{code="200",component="apiserver",dry_run="",group="apps",resource="deployments",scope="resource",subresource="",verb="APPLY",version="v1"} 2
apiserver_request_total{code="201",component="apiserver",dry_run="",group="apps",resource="deployments",scope="resource",subresource="",verb="APPLY",version="v1"} 1
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="secrets",scope="namespace",subresource="",verb="LIST",version="v1"} 7
apiserver_request_duration_seconds_count{verb="POST"} 3
"#;

    #[test]
    fn codes_are_summed_and_other_metrics_left_out() {
        let counts = RequestCounts::parse(BEFORE);
        assert_eq!(counts.to_string(), "3 APPLY deployments.apps\n7 LIST secrets\n");
        assert_eq!(counts.writes().total(), 3);
        assert_eq!(counts.of("secrets").total(), 7);
    }

    #[test]
    fn dry_runs_are_a_kind_of_their_own() {
        let counts = RequestCounts::parse(&BEFORE.replacen("dry_run=\"\"", "dry_run=\"All\"", 1));
        assert_eq!(
            counts.to_string(),
            "1 APPLY deployments.apps\n2 APPLY deployments.apps (dry run)\n7 LIST secrets\n"
        );
    }

    #[test]
    fn only_what_grew_is_left() {
        let before = RequestCounts::parse(BEFORE);
        let after = RequestCounts::parse(&BEFORE.replace("} 7", "} 9"));
        assert_eq!(after.since(&before).to_string(), "2 LIST secrets\n");
        assert_eq!(after.since(&before).writes().total(), 0);
    }
}
