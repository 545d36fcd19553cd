//! Templates: control structures, variables, definitions, includes, `tpl`, comments and white space.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::charts::{ChartFiles, answer, readable};
use crate::check::{self, Subject};
use crate::expressions::{Expressions, VALUES, is_excluded};

struct Templates;

impl Templates {
    /// The text, among some definitions that it can call.
    fn chart((text, helpers): &(String, String)) -> ChartFiles {
        let mut chart = ChartFiles::with_notes(text, VALUES);
        chart
            .files
            .insert("templates/_helpers.tpl".to_owned(), format!("{HELPERS}{helpers}"));
        chart
    }
}

const HELPERS: &str = r#"{{- define "name" -}}{{ .Release.Name }}-{{ .Chart.Name }}{{- end -}}
{{- define "dot" -}}<{{ . }}>{{- end -}}
{{- define "fails" -}}{{ fail "no" }}{{- end -}}
{{- define "deep" -}}{{ include "dot" (include "name" .) }}{{- end -}}
{{- define "wrong" -}}
{{ .Values.m.x.y }}
{{- end -}}
{{- define "requires" }}{{ required "needed" .nope }}{{ end -}}
"#;

impl Subject for Templates {
    type Case = (String, String);

    const NAME: &'static str = "templates";

    fn question(case: &Self::Case) -> Value {
        Self::chart(case).question("template")
    }

    fn ours(case: &Self::Case) -> Value {
        answer(Self::chart(case).render())
    }

    fn theirs(answer: Value) -> Value {
        readable(answer)
    }

    fn same(_: &Self::Case, ours: &Value, theirs: &Value) -> bool {
        is_excluded(ours, theirs) || ours == theirs
    }
}

#[test]
fn templates_give_what_helm_gives() {
    check::check::<Templates>(1_000, || {
        let helpers = prop_oneof![3 => Just(String::new()), 1 => node().prop_map(|body| format!("{{{{ define \"own\" }}}}{body}{{{{ end }}}}"))];
        (node(), helpers).boxed()
    });
}

fn node() -> BoxedStrategy<String> {
    let text = prop_oneof![
        4 => select(vec!["x", " ", "\n", "a: b\n", "  ", "\n\n", "-", "{", "}", "}}", "é", "\t", "<no value>", "{ {", "# c\n"]).prop_map(str::to_owned),
        1 => "[ -z\n]{0,6}",
    ];
    let expression = prop_oneof![
        4 => select(vec![
            ".", "$", "$x", "$y", "$i", "$v", ".a", ".Values.m", ".Values.l", ".Values.m.x", ".Values.nope", ".Values.m.nope.x", "$.Values.s", ".k", "1", "\"s\"", "nil", "true", "(list 1 2)", "(dict \"a\" 1)", "(dict)",
            ".Values.maps", "3", "(until 2)", ".Values.m.e", ".Values.m.f", "include \"name\" .", "include \"dot\" .", "include \"deep\" $", "include \"wrong\" $", "include \"own\" .", "include \"requires\" .", "tpl \"{{ . }}\" .",
            "tpl .Values.tpl .", "tpl \"{{ define \\\"t\\\" }}T{{ end }}{{ template \\\"t\\\" }}\" .", "tpl \"{{ .x.y }}\" .", "tpl \"{{ fail \\\"f\\\" }}\" $", "tpl \"{{ if }}\" .", ".Release.Name", "$.Chart.Name", "set . \"q\" 1", "set $.Values \"q\" 1",
            "$.Values.q", "(index .Values.maps 0).k", "fail \"x\"", "required \"r\" .Values.nope", "$x.a", "$v.k", "$.Template.Name", "eq $i 1", "not .", "and . $x", "or $y 5", "len .", "print . $x", "$x | quote", ". | toYaml | nindent 2", "(0)", "2.5", "\"\"", "'a'", "0x7", "-1",
        ]).prop_map(str::to_owned),
        1 => Expressions::all(1),
    ]
    .boxed();
    let open = select(vec!["{{", "{{", "{{", "{{ ", "{{- ", "{{-\n", "{{-", "{{/"]);
    let close = select(vec!["}}", "}}", "}}", " }}", " -}}", "\n-}}", "-}}", "\n}}"]);
    let marks = (open, close).prop_map(|(open, close)| (if open == "{{/" { "{{ " } else { open }, close));
    let action = (marks.clone(), prop_oneof![
        8 => expression.clone(),
        2 => (select(vec!["$x", "$y", "$i"]), select(vec![":=", "="]), expression.clone()).prop_map(|(name, sign, value)| format!("{name} {sign} {value}")),
        1 => select(vec![
            "/* c */", "break", "continue", "template \"dot\" .", "template \"name\" $", "template \"nope\"", "template \"own\" 1", "template \"wrong\" $", "end", "else", "", "/* open", "$", "define \"a\"", "x", ".x | ", "| quote", "\"open", "1 2", "nope 1", "(", ")", "$undefined", "/**/", "if", "range", "template", "break 1", "template \"fails\"", ".Values.m.x.y.z", "-", "`raw`", "\"\\q\"", "1.x", "'ab'", "block \"b\" .", "with", "@", "$x := 1 2", "range $x = .Values.l", "else if 1",
        ]).prop_map(str::to_owned),
    ]).prop_map(|((open, close), body)| {
        if body.starts_with("/*") {
            let open = if open.contains('-') { "{{- " } else { "{{" };
            let close = if close.contains('-') { " -}}" } else { "}}" };
            return format!("{open}{body}{close}");
        }
        format!("{open}{body}{close}")
    });
    let leaf = prop_oneof![2 => text, 3 => action];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        let end = (marks.clone()).prop_map(|(open, close)| format!("{open}end{close}"));
        let head = (marks.clone(), select(vec![
            "if ", "if ", "with ", "with $x := ", "if $y := ", "range ", "range ", "range $i := ", "range $i, $v := ", "range $i, $v := ", "range $x = ", "with $v := ",
        ]), expression.clone()).prop_map(|((open, close), keyword, expression)| format!("{open}{keyword}{expression}{close}"));
        let middle = prop_oneof![
            3 => Just(String::new()),
            2 => (marks.clone(), inner.clone()).prop_map(|((open, close), body)| format!("{open}else{close}{body}")),
            1 => (marks.clone(), select(vec!["else if ", "else with "]), expression.clone(), inner.clone()).prop_map(|((open, close), keyword, expression, body)| format!("{open}{keyword}{expression}{close}{body}")),
        ];
        let block = (head, inner.clone(), middle.clone(), middle, end.clone()).prop_map(|(head, body, a, b, end)| format!("{head}{body}{a}{b}{end}"));
        let define = (select(vec!["{{ define \"own\" }}", "{{ block \"own\" . }}", "{{- define \"name\" -}}", "{{ define \"dot\" }}", "{{ block \"b\" 5 }}"]), inner.clone(), end).prop_map(|(head, body, end)| format!("{head}{body}{end}"));
        prop_oneof![
            4 => block,
            1 => define,
            3 => prop::collection::vec(inner, 2..4).prop_map(|parts| parts.concat()),
        ]
    })
    .boxed()
}
