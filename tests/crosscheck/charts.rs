//! Charts as a whole: what `helm template` makes of them, and the values that their templates see.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use fairlead::chart::{ArchiveLimits, Capabilities, Chart, File, View, load::read_values, values as tables};
use fairlead::render::{Operation, Program, Release, Rendered, Request, render};
use fairlead::template::value::Scope;
use fairlead::template::{Limits, Mode};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::check::{self, Subject, base64};
use crate::host::Offline;

/// A chart by its files, and the text of a values file.
#[derive(Clone)]
pub(crate) struct ChartFiles {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) values: String,
}

impl std::fmt::Debug for ChartFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, content) in &self.files {
            writeln!(formatter, "  {name}: {content:?}")?;
        }
        write!(formatter, "  values: {:?}", self.values)
    }
}

pub(crate) const CHART_YAML: &str = "apiVersion: v2\nname: t2\nversion: 0.1.0\n";

impl ChartFiles {
    /// A chart named t2 whose notes are the text.
    pub(crate) fn with_notes(text: &str, values: &str) -> Self {
        let files = [("Chart.yaml", CHART_YAML), ("templates/NOTES.txt", text)];
        Self {
            files: files.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            values: values.to_owned(),
        }
    }

    pub(crate) fn question(&self, operation: &str) -> Value {
        let files: BTreeMap<_, _> = self
            .files
            .iter()
            .map(|(name, text)| (name, base64(text.as_bytes())))
            .collect();
        json!({"op": operation, "files": files, "values": self.values, "release": "rel", "namespace": "ns"})
    }

    fn load(&self) -> Result<(Arc<Chart>, fairlead::chart::JsonMap), String> {
        let files = self
            .files
            .iter()
            .map(|(name, text)| File::new(name, text.clone().into_bytes()));
        let chart = Chart::from_files(files.collect(), &ArchiveLimits::default()).map_err(|error| error.to_string())?;
        Ok((Arc::new(chart), read_values(self.values.as_bytes())?))
    }

    /// What we make of the chart.
    pub(crate) fn render(&self) -> Result<Rendered, String> {
        let (chart, values) = self.load()?;
        let release = Release {
            name: "rel".to_owned(),
            namespace: "ns".to_owned(),
            revision: 1,
            operation: Operation::Install,
        };
        let request = Request {
            program: &Program::new(chart),
            values: &values,
            release: &release,
            capabilities: &Capabilities::default(),
            limits: Limits::default(),
            mode: Mode::default(),
            skip_schema_validation: false,
            subchart_notes: false,
            keep_values: false,
        };
        render(&request, &mut Offline(1)).map_err(|error| error.to_string())
    }

    /// The values that the chart's templates see, and the full paths of the charts that are enabled.
    pub(crate) fn coalesce(&self) -> Result<(Value, Vec<String>), String> {
        let (chart, user) = self.load()?;
        let _scope = Scope::new();
        let mut warnings = Vec::new();
        let view = View::new(&chart, &user, &mut warnings).map_err(|error| error.to_string())?;
        let table = tables::table(&user);
        tables::coalesce(&view, &table, tables::Nulls::Delete, &mut warnings).map_err(|error| error.to_string())?;
        let values = fairlead::template::Value::Map(table)
            .to_json()
            .map_err(|error| error.to_string())?;
        let mut paths = Vec::new();
        collect_paths(&view, &view.metadata.name, &mut paths);
        paths.sort();
        Ok((values, paths))
    }
}

fn collect_paths(view: &View, path: &str, paths: &mut Vec<String>) {
    paths.push(path.to_owned());
    for below in &view.subcharts {
        collect_paths(below, &format!("{path}/charts/{}", below.metadata.name), paths);
    }
}

/// The oracle's answer to `template`, with the text of bytes.
pub(crate) fn readable(mut theirs: Value) -> Value {
    for key in ["manifest", "notes"] {
        if let Some(text) = theirs.get(key).and_then(Value::as_str) {
            let text = crate::check::unbase64(text);
            theirs[key] = String::from_utf8_lossy(&text).into();
        }
    }
    theirs
}

/// Our rendering in the form of the oracle's answer.
pub(crate) fn answer(rendered: Result<Rendered, String>) -> Value {
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(error) => return json!({"manifest": null, "hooks": null, "notes": null, "error": error}),
    };
    let mut manifest = String::new();
    for document in &rendered.manifests {
        let _ = writeln!(manifest, "---\n# Source: {}\n{}", document.path, document.text); // a string takes everything
    }
    let hooks = rendered.hooks.iter().map(|hook| {
        json!({
            "path": hook.manifest.path,
            "manifest": hook.manifest.text.as_str(),
            "events": hook.events.iter().map(|event| event.name()).collect::<Vec<_>>(),
            "weight": hook.weight,
        })
    });
    let hooks: Vec<Value> = hooks.collect();
    let hooks = if hooks.is_empty() { Value::Null } else { hooks.into() };
    json!({"manifest": manifest, "hooks": hooks, "notes": rendered.notes, "error": ""})
}

/// The values that templates see, of charts with subcharts, aliases, conditions, tags, imports and globals.
struct Coalescing;

impl Subject for Coalescing {
    type Case = ChartFiles;

    const NAME: &'static str = "values";

    fn question(case: &ChartFiles) -> Value {
        case.question("values")
    }

    fn ours(case: &ChartFiles) -> Value {
        match case.coalesce() {
            Ok((values, charts)) => json!({"values": values, "charts": charts, "error": ""}),
            Err(error) => json!({"values": null, "charts": null, "error": error}),
        }
    }
}

#[test]
fn values_are_put_together_as_by_helm() {
    check::check::<Coalescing>(1_000, chart);
}

/// Charts as a whole, rendered: the same charts, with templates that print what they see.
struct Charts;

impl Charts {
    fn with_templates(case: &ChartFiles) -> ChartFiles {
        let mut chart = case.clone();
        let print = "{{ $_ := set .Values \"own\" .Chart.Name }}a: {{ toJson .Values | quote }}\nb: {{ .Chart.Name }}\nc: {{ keys .Subcharts | sortAlpha }}\n";
        for folder in ["", "charts/one/", "charts/two/", "charts/one/charts/low/"] {
            if case.files.contains_key(&format!("{folder}Chart.yaml")) {
                chart
                    .files
                    .insert(format!("{folder}templates/values.yaml"), print.to_owned());
            }
        }
        chart
    }
}

impl Subject for Charts {
    type Case = ChartFiles;

    const NAME: &'static str = "charts";

    fn question(case: &ChartFiles) -> Value {
        Self::with_templates(case).question("template")
    }

    fn ours(case: &ChartFiles) -> Value {
        answer(Self::with_templates(case).render())
    }

    fn theirs(answer: Value) -> Value {
        readable(answer)
    }
}

#[test]
fn charts_give_what_helm_gives() {
    check::check::<Charts>(400, chart);
}

/// Values as YAML in flow style. Keys are few, so that they meet.
fn values() -> BoxedStrategy<String> {
    let scalar = select(vec![
        "1", "2", "x", "null", "null", "true", "false", "[1, 2]", "[]", "{}", "\"\"", "0", "y",
    ])
    .prop_map(str::to_owned);
    let key = select(vec![
        "a", "b", "c", "one", "two", "low", "al", "global", "global", "exports", "data", "tags", "on1", "enabled",
    ]);
    let tree = scalar.prop_recursive(4, 24, 5, move |inner| {
        prop::collection::btree_map(key.clone(), inner, 0..5).prop_map(|entries| {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            format!("{{{}}}", entries.join(", "))
        })
    });
    tree.prop_map(|text| if text.starts_with('{') { text } else { "{}".to_owned() })
        .boxed()
}

/// One entry of `dependencies`.
fn dependency(name: &'static str) -> BoxedStrategy<String> {
    let maybe = |options: Vec<&'static str>| prop_oneof![1 => Just(""), 1 => select(options)];
    let condition = maybe(vec![
        ", condition: one.enabled",
        ", condition: a",
        ", condition: \"a.b,on1\"",
        ", condition: \"two.enabled, one.enabled\"",
        ", condition: global.a",
    ]);
    let tags = maybe(vec![", tags: [a]", ", tags: [a, b]", ", tags: [c]"]);
    let alias = prop_oneof![3 => Just(""), 1 => select(vec![", alias: al", ", alias: two", ", alias: b"])];
    let imports = maybe(vec![
        ", import-values: [data]",
        ", import-values: [a, b]",
        ", import-values: [{child: a, parent: b}]",
        ", import-values: [{child: exports.data, parent: global}]",
        ", import-values: [{child: a.b, parent: c.a}, data]",
        ", import-values: [{child: nope, parent: a}]",
        ", import-values: [{child: a, parent: \".\"}]",
        ", import-values: [{child: low.a, parent: a}]",
        ", import-values: [5]",
        ", import-values: [{child: global, parent: b}]",
    ]);
    let version = select(vec!["0.1.0", "0.1.0", "0.1.0", "\">=0\"", "9.9.9", "\"*\"", "\"\""]);
    (condition, tags, alias, imports, version)
        .prop_map(move |(condition, tags, alias, imports, version)| {
            format!("  - {{name: {name}, version: {version}{condition}{tags}{alias}{imports}}}\n")
        })
        .boxed()
}

fn chart() -> BoxedStrategy<ChartFiles> {
    let of = |names: Vec<&'static str>| {
        let all: Vec<_> = names
            .into_iter()
            .map(|name| prop::collection::vec(dependency(name), 0..3))
            .collect();
        all.prop_map(|entries| entries.concat().concat())
    };
    let present = prop::array::uniform3(prop::bool::weighted(0.8));
    let texts = (values(), values(), values(), values(), values());
    (
        of(vec!["one", "two"]),
        of(vec!["low"]),
        present,
        texts,
        select(vec!["application", "library"]),
    )
        .prop_map(
            |(dependencies, lower, [one, two, low], (root, first, second, lowest, user), kind)| {
                let head = |name: &str, dependencies: &str| {
                    let dependencies = if dependencies.is_empty() {
                        String::new()
                    } else {
                        format!("dependencies:\n{dependencies}")
                    };
                    format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n{dependencies}")
                };
                let mut files = BTreeMap::new();
                let mut add = |folder: &str, head: String, values: String| {
                    files.insert(format!("{folder}Chart.yaml"), head);
                    files.insert(format!("{folder}values.yaml"), values);
                };
                add("", head("t2", &dependencies), root);
                if one {
                    add("charts/one/", head("one", &lower), first);
                    if low {
                        add("charts/one/charts/low/", head("low", ""), lowest);
                    }
                }
                if two {
                    add("charts/two/", head("two", "") + "type: " + kind + "\n", second);
                }
                ChartFiles { files, values: user }
            },
        )
        .boxed()
}

/// Manifests: splitting, comments, hooks, order.
struct Manifests;

impl Subject for Manifests {
    type Case = ChartFiles;

    const NAME: &'static str = "manifests";

    fn question(case: &ChartFiles) -> Value {
        case.question("template")
    }

    fn ours(case: &ChartFiles) -> Value {
        answer(case.render())
    }

    fn theirs(answer: Value) -> Value {
        readable(answer)
    }
}

#[test]
fn manifests_are_split_and_sorted_as_by_helm() {
    check::check::<Manifests>(500, || {
        let kind = select(vec![
            "ConfigMap",
            "Secret",
            "Deployment",
            "Service",
            "Foo",
            "Bar",
            "Namespace",
            "CustomResourceDefinition",
            "Pod",
            "Job",
            "List",
            "ValidatingWebhookConfiguration",
            "5",
            "\"\"",
            "",
        ]);
        let hook = prop_oneof![
            3 => Just(""),
            2 => select(vec![
                "    helm.sh/hook: pre-install\n", "    helm.sh/hook: post-install, test\n    helm.sh/hook-weight: \"5\"\n", "    \"helm.sh/hook\": crd-install\n", "    helm.sh/hook: test-success\n    helm.sh/hook-weight: x\n",
                "    helm.sh/hook: \" Pre-Upgrade \"\n    helm.sh/hook-weight: \"-3\"\n", "    helm.sh/hook: pre-install,nope\n", "    helm.sh/hook: \"\"\n", "    helm.sh/resource-policy: keep\n", "    a: 5\n", "    a: null\n", "    helm.sh/hook-weight: 5\n    helm.sh/hook: test\n", "    helm.sh/hook: pre-install,\n", "    helm.sh/hook: pre-rollback\n    helm.sh/hook-weight: \"+7\"\n",
            ]),
        ];
        let object = (kind, select(vec!["a", "b", "5", "\"x\""]), hook).prop_map(|(kind, name, hook)| {
            let annotations = if hook.is_empty() {
                String::new()
            } else {
                format!("  annotations:\n{hook}")
            };
            format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n{annotations}")
        });
        let document = prop_oneof![
            6 => object,
            1 => select(vec!["", "# comment\n", "\n\n", "a: b\n", "- a\n", "text\n", "{}\n", "null\n", "a: b: c\n", "{\"kind\": \"Pod\"}\n", "kind: [x]\n", "metadata: 5\n", "metadata:\n  annotations: x\n", "apiVersion: 1\n", "kind: A\nkind: B\n", "kind: A\n...\nkind: B\n", "metadata:\n  labels: {a: 5}\n", "metadata: {name: 5.5}\n"]).prop_map(str::to_owned),
        ];
        let separator = select(vec![
            "---\n",
            "---\n",
            "---\n",
            "\n---\n",
            "--- \n",
            "---\t\n",
            " ---\n",
            "---\r\n",
            "---# c\n",
            "--- # c\n",
            "----\n",
            "---\n---\n",
            "\n\n---\n\n",
            "---a: b\n",
            "---",
        ]);
        let start = select(vec!["", "", "---\n", "\n\n", "# c\n", "  \n---\n", "\r\n"]);
        let file = (start, prop::collection::vec((document, separator), 0..4)).prop_map(|(start, documents)| {
            let last = documents.len().saturating_sub(1);
            let parts = documents
                .into_iter()
                .enumerate()
                .map(|(index, (document, separator))| if index == last { document } else { document + separator });
            start.to_owned() + &parts.collect::<String>()
        });
        let name = select(vec![
            "a.yaml",
            "b.yaml",
            "sub/a.yaml",
            "_c.yaml",
            "z.txt",
            "sub/_d.tpl",
            "x/y/z.yaml",
            "A.yaml",
            "NOTES.txt",
            "subNOTES.txt",
            "10.yaml",
            "9.yaml",
        ]);
        prop::collection::btree_map(name, file, 0..4)
            .prop_map(|files| {
                let files = files
                    .into_iter()
                    .map(|(name, text)| (format!("templates/{name}"), text));
                let chart = ("Chart.yaml".to_owned(), CHART_YAML.to_owned());
                ChartFiles {
                    files: files.chain([chart]).collect(),
                    values: String::new(),
                }
            })
            .boxed()
    });
}
