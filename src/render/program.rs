//! A chart with its parsed templates: parsed once, shared by all releases of the chart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::RenderError;
use super::scope;
use crate::chart::{Chart, View};
use crate::template::value::Text;
use crate::template::{Ahead, TemplateSet};

/// The templates of one combination of subcharts, parsed, and the order in which they are executed. It depends on
/// nothing but the charts that take part.
pub(super) struct Plan {
    pub(super) set: TemplateSet,
    pub(super) steps: Vec<Step>,
}

/// One template that is executed.
pub(super) struct Step {
    /// `.Template.Name`: the path in the tree of charts.
    pub(super) name: String,
    /// The same, shared with what templates see.
    pub(super) text: Text,
    /// `.Template.BasePath`.
    pub(super) base_path: Text,
    /// Its chart's position in [`scope::roots`].
    pub(super) chart: usize,
}

impl Plan {
    /// Parses what neither any of the known plans nor the helpers have parsed.
    fn new(view: &View, known: &[Arc<Plan>], ahead: &Ahead) -> Result<Self, RenderError> {
        let files = scope::files(view);
        let sources = files.iter().map(|file| (file.name.as_str(), file.source.clone()));
        let known: Vec<&TemplateSet> = known.iter().map(|plan| &plan.set).collect();
        let set = TemplateSet::parse_with(&known, &ahead.finish(), sources).map_err(RenderError::Parse)?;
        let executed = files.into_iter().filter(|file| !file.is_partial());
        let steps = executed.map(|file| Step {
            text: Text::from(&file.name),
            name: file.name,
            base_path: file.base_path,
            chart: file.chart,
        });
        Ok(Self {
            steps: steps.collect(),
            set,
        })
    }
}

/// How many plans one chart keeps: one for each combination of enabled subcharts in use.
const MAXIMUM_PLANS: usize = 8;

/// A chart and the plans that its releases needed so far. `Send` and `Sync`; keep it in an `Arc` by digest.
pub struct Program {
    chart: Arc<Chart>,
    /// By the subcharts that take part. Most recently made last.
    plans: Mutex<Vec<(String, Arc<Plan>)>>,
    ahead: Ahead,
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
        Self::with_ahead(chart, Ahead::default())
    }

    /// As [`Program::new`], of a chart some of whose templates have been parsed already.
    pub fn with_ahead(chart: Arc<Chart>, ahead: Ahead) -> Self {
        Self {
            chart,
            plans: Mutex::default(),
            ahead,
        }
    }

    /// The chart.
    pub fn chart(&self) -> &Arc<Chart> {
        &self.chart
    }

    /// The plan for a view of this chart, made if it is a new one.
    pub(super) fn plan(&self, view: &View) -> Result<Arc<Plan>, RenderError> {
        let mut shape = String::new();
        describe(view, &mut shape);
        let find = |plans: &[(String, Arc<Plan>)]| {
            let found = plans.iter().find(|(known, _)| *known == shape);
            found.map(|(_, plan)| Arc::clone(plan))
        };
        let known: Vec<Arc<Plan>> = {
            let plans = self.lock();
            if let Some(plan) = find(&plans) {
                return Ok(plan);
            }
            plans.iter().map(|(_, plan)| Arc::clone(plan)).collect()
        };
        // Parsed without the lock: a second thread may do the same work, but none waits.
        let plan = Arc::new(Plan::new(view, &known, &self.ahead)?);
        let mut plans = self.lock();
        if let Some(plan) = find(&plans) {
            return Ok(plan);
        }
        if plans.len() >= MAXIMUM_PLANS {
            plans.remove(0);
        }
        plans.push((shape, Arc::clone(&plan)));
        Ok(plan)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Arc<Plan>)>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{ArchiveLimits, Capabilities, File, JsonMap};
    use crate::render::{Operation, Release, Request, TemplateOutput, render};
    use crate::template::tests::Nowhere;
    use crate::template::{Limits, Mode};

    const FILES: [(&str, &str); 6] = [
        (
            "Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0, condition: db.enabled}]",
        ),
        (
            "values.yaml",
            "table: {key: default, inner: {list: [1]}}\ndb: {enabled: true}",
        ),
        (
            "templates/a.yaml",
            "before: {{ toJson .Values.table }}\n{{ $_ := set .Values.table.inner \"list\" .Release.Name -}}\nafter: {{ toJson .Values.table }}",
        ),
        ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0"),
        ("charts/db/templates/b.yaml", "b: {{ .Template.Name }}"),
        (
            "charts/db/values.schema.json",
            r#"{"properties": {"size": {"type": "integer"}}}"#,
        ),
    ];

    fn program() -> Program {
        let files = FILES.map(|(name, text)| File::new(name, text.as_bytes().to_vec()));
        let chart = Chart::from_directory(files.into(), &ArchiveLimits::default()).unwrap();
        Program::new(Arc::new(chart))
    }

    fn values(json: serde_json::Value) -> JsonMap {
        serde_json::from_value(json).unwrap()
    }

    fn plan(program: &Program, values: &JsonMap) -> Arc<Plan> {
        let view = View::new(program.chart(), values, &mut Vec::new()).unwrap();
        program.plan(&view).unwrap()
    }

    fn release(name: &str) -> Release {
        Release {
            name: name.to_owned(),
            namespace: "ns".to_owned(),
            revision: 1,
            operation: Operation::Install,
        }
    }

    fn template(program: &Program, name: &str, values: &JsonMap) -> Result<String, RenderError> {
        let request = Request {
            program,
            values,
            release: &release(name),
            capabilities: &Capabilities::default(),
            limits: Limits::default(),
            mode: Mode::default(),
            skip_schema_validation: false,
            subchart_notes: false,
            keep_values: false,
        };
        let rendered = render(&request, &mut Nowhere)?;
        Ok(TemplateOutput::default().write(&rendered))
    }

    #[test]
    fn threads_and_releases_share_one_parse() {
        let program = program();
        let first = plan(&program, &JsonMap::new());
        std::thread::scope(|scope| {
            for replicas in 0..4 {
                let (program, first) = (&program, &first);
                scope.spawn(move || {
                    let plan = plan(program, &values(serde_json::json!({"replicas": replicas})));
                    assert!(Arc::ptr_eq(&plan, first));
                });
            }
        });
        assert_eq!(first.steps.len(), 2);
    }

    #[test]
    fn each_set_of_subcharts_has_its_own_plan() {
        let program = program();
        let off = values(serde_json::json!({"db": {"enabled": false}}));
        let (with, without) = (plan(&program, &JsonMap::new()), plan(&program, &off));
        assert_eq!((with.steps.len(), without.steps.len()), (2, 1));
        assert!(Arc::ptr_eq(&with, &plan(&program, &JsonMap::new())));
        assert!(Arc::ptr_eq(&without, &plan(&program, &off)));
    }

    #[test]
    fn what_a_rendering_sets_is_not_seen_by_the_next() {
        let program = program();
        for name in ["one", "two"] {
            let output = template(&program, name, &JsonMap::new()).unwrap();
            let expected = format!(
                "---\n# Source: web/charts/db/templates/b.yaml\nb: web/charts/db/templates/b.yaml\n\
                 ---\n# Source: web/templates/a.yaml\n\
                 before: {{\"inner\":{{\"list\":[1]}},\"key\":\"default\"}}\n\
                 after: {{\"inner\":{{\"list\":\"{name}\"}},\"key\":\"default\"}}\n"
            );
            assert_eq!(output, expected);
        }
    }

    #[test]
    fn values_are_given_as_templates_saw_them_at_first() {
        let (program, release, capabilities) = (program(), release("rel"), Capabilities::default());
        let set = values(serde_json::json!({"db": {"size": 2}}));
        let mut request = Request::new(&program, &set, &release, &capabilities);
        let given = render(&request, &mut Nowhere).unwrap().values;
        assert_eq!(
            (&given["db"]["size"], &given["table"]["inner"]["list"]),
            (&2.into(), &serde_json::json!([1.0]))
        );
        request.keep_values = false;
        assert_eq!(render(&request, &mut Nowhere).unwrap().values, JsonMap::new());
    }

    #[test]
    fn a_schema_that_is_compiled_once_checks_each_release() {
        let program = program();
        for (size, accepted) in [(serde_json::json!("x"), false), (1.into(), true), (1.5.into(), false)] {
            let outcome = template(&program, "rel", &values(serde_json::json!({"db": {"size": size}})));
            assert_eq!(outcome.is_ok(), accepted, "{size}");
        }
    }
}
