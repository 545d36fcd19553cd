//! Which chart a release means now.
//!
//! Edge. What was looked up is kept as long as nothing says that it may be another; the chart itself is fetched elsewhere.

use std::time::Instant;

use super::inputs::InputError;
use crate::api::HelmRelease;
use crate::api::helm_release::chart::ReconcileStrategy;
use crate::operator::context::Context;
use crate::operator::memory::{LookedUp, ReleaseMemory};
use crate::operator::sources::{Located, SourcesError};
use crate::signature::Trust;
use crate::source::ResolvedChart;

/// The chart that the release means now: what was looked up last, while neither the source nor the release changed. It is looked up
/// again at the interval where the source does not tell of its changes. One that is given takes its place, whoever signed it.
///
/// # Errors
/// When it cannot be found.
pub(super) async fn current(
    context: &Context,
    release: &HelmRelease,
    memory: &mut ReleaseMemory,
) -> Result<ResolvedChart, InputError> {
    if let Some(given) = &context.shared.referred.given().chart {
        return Ok(context.shared.charts.resolve(given, None).await?);
    }
    let located = context.shared.sources.locate(release).await?;
    // Read each time: who is no longer trusted is not trusted from the next look on, whether or not a watch told of it.
    let trust = context.shared.sources.trust(&located).await?;
    let requested = release.requested_at().unwrap_or_default();
    let revision = located.revision().unwrap_or_default();
    let scope = format!("{} {:x?}", located.scope(), trust.as_ref().map(Trust::fingerprint));
    let key = format!("{revision} {requested}");
    let known = memory.chart.as_ref().filter(|known| known.scope == scope);
    if let Some(known) = known
        && known.key == key
        && (located.is_kept() || known.at.elapsed() < interval(release))
    {
        return Ok(known.chart.clone());
    }
    if let Some(source_name) = located.suspended() {
        // What was looked up before its suspension stays in use.
        let chart = known.map(|known| known.chart.clone());
        return chart.ok_or_else(|| SourcesError::Suspended { source_name }.into());
    }
    let found = find(context, &located, trust.as_ref()).await?;
    let chart = match known {
        Some(known) if !is_another(&located, release, &known.chart, &found) => known.chart.clone(),
        Some(_) | None => found,
    };
    memory.chart = Some(LookedUp {
        scope,
        key,
        at: Instant::now(),
        chart: chart.clone(),
    });
    Ok(chart)
}

/// How often the chart is looked up where the source does not tell of its changes.
fn interval(release: &HelmRelease) -> std::time::Duration {
    let template = release.spec.chart.as_ref();
    let interval = template.and_then(|template| template.spec.interval);
    interval.unwrap_or(release.spec.interval).as_std()
}

async fn find(context: &Context, located: &Located, trust: Option<&Trust>) -> Result<ResolvedChart, InputError> {
    let shared = &context.shared;
    if let Some(chart) = shared.sources.known(located, trust) {
        return Ok(chart);
    }
    let reference = shared.sources.reference(located).await?;
    Ok(shared.charts.resolve(&reference, trust).await?)
}

/// Whether a chart is released anew. A folder of a Git repository or a bucket changes with every commit: by default only a version that
/// differs counts, as with Flux.
fn is_another(located: &Located, release: &HelmRelease, known: &ResolvedChart, found: &ResolvedChart) -> bool {
    let strategy = release
        .spec
        .chart
        .as_ref()
        .map(|template| template.spec.reconcile_strategy);
    let by_version = located.is_folder() && strategy == Some(ReconcileStrategy::ChartVersion);
    !by_version || (&known.name, &known.version) != (&found.name, &found.version)
}
