//! A chart with its parsed templates: parsed once, shared by all releases of the chart.

use std::sync::{Arc, Mutex, PoisonError};

use super::RenderError;
use super::scope::ChartTemplate;
use crate::chart::{Chart, View};
use crate::template::TemplateSet;

/// How many sets one chart keeps: one for each combination of enabled subcharts in use.
const MAXIMUM_SETS: usize = 8;

/// A chart and the template sets that its releases needed so far. `Send` and `Sync`; keep it in an `Arc` by digest.
pub struct Program {
    chart: Arc<Chart>,
    /// By the subcharts that take part. Most recently made last.
    sets: Mutex<Vec<(String, Arc<TemplateSet>)>>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Program")
            .field("chart", &self.chart.metadata.name)
            .finish_non_exhaustive()
    }
}

impl Program {
    /// Takes a chart; its templates are parsed when they are first rendered.
    pub fn new(chart: Arc<Chart>) -> Self {
        Self {
            chart,
            sets: Mutex::default(),
        }
    }

    /// The chart.
    pub fn chart(&self) -> &Arc<Chart> {
        &self.chart
    }

    /// The set of templates for a view of this chart, parsed if it is a new one.
    pub(super) fn compile(
        &self,
        view: &View,
        templates: &[ChartTemplate<'_>],
    ) -> Result<Arc<TemplateSet>, RenderError> {
        let mut shape = String::new();
        describe(view, &mut shape);
        if let Some(set) = self.find(&shape) {
            return Ok(set);
        }
        // Parsed without the lock: a second thread may do the same work, but none waits.
        let sources = templates
            .iter()
            .map(|template| (template.name.as_str(), template.source.clone()));
        let set = Arc::new(TemplateSet::parse(sources).map_err(RenderError::Parse)?);
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if sets.len() >= MAXIMUM_SETS {
            sets.remove(0);
        }
        sets.push((shape, Arc::clone(&set)));
        Ok(set)
    }

    fn find(&self, shape: &str) -> Option<Arc<TemplateSet>> {
        let sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        sets.iter()
            .find(|(known, _)| known == shape)
            .map(|(_, set)| Arc::clone(set))
    }
}

/// The charts that take part, with their names in the tree and where they come from.
fn describe(view: &View, shape: &mut String) {
    use std::fmt::Write;
    // Writing to a string does not fail. The address tells apart charts that are packed twice.
    let _ = write!(shape, "{}={:p}(", view.metadata.name, Arc::as_ptr(&view.chart));
    view.subcharts.iter().for_each(|subchart| describe(subchart, shape));
    shape.push(')');
}
