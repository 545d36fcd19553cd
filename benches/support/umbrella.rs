//! A chart of many subcharts that call `tpl` a lot: what Helm is slowest at, as it copies its whole set of templates
//! for each call.
//!
//! Generated, so that its size is a parameter and nothing lies in the repository. Every `tpl` text is another one: no
//! cache of texts makes it look good.

use std::fmt::Write as _;
use std::path::Path;

/// How large the umbrella is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Number of subcharts, each with seven templates.
    pub(crate) subcharts: usize,
    /// `tpl` calls in each of them.
    pub(crate) calls: usize,
}

/// The umbrella of the project's goal: 4,000 `tpl` calls.
pub(crate) const GOAL: Size = Size {
    subcharts: 200,
    calls: 20,
};

const HELPERS: &str = r#"{{- define "NAME.fullname" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "NAME.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
{{- define "NAME.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "NAME.selector" . }}
{{- with .Values.global.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
"#;

const SETTINGS: &str = r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "NAME.fullname" . }}
  labels: {{- include "NAME.labels" . | nindent 4 }}
data:
  {{- range $key, $text := .Values.settings }}
  {{ $key }}: {{ tpl $text $ | quote }}
  {{- end }}
"#;

const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "NAME.fullname" . }}
  labels: {{- include "NAME.labels" . | nindent 4 }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  selector:
    matchLabels: {{- include "NAME.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "NAME.selector" . | nindent 8 }}
    spec:
      serviceAccountName: {{ include "NAME.fullname" . }}
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          ports:
            - {name: http, containerPort: {{ .Values.port }}}
          {{- with .Values.resources }}
          resources: {{- toYaml . | nindent 12 }}
          {{- end }}
"#;

const SERVICE: &str = r#"apiVersion: v1
kind: Service
metadata:
  name: {{ include "NAME.fullname" . }}
  labels: {{- include "NAME.labels" . | nindent 4 }}
spec:
  ports:
    - {name: http, port: 80, targetPort: http}
  selector: {{- include "NAME.selector" . | nindent 4 }}
"#;

const ACCOUNT: &str = r#"apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "NAME.fullname" . }}
  labels: {{- include "NAME.labels" . | nindent 4 }}
"#;

const SCALER: &str = r#"{{- if .Values.autoscaling.enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "NAME.fullname" . }}
spec:
  maxReplicas: {{ .Values.autoscaling.maximum }}
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "NAME.fullname" . }}}
{{- end }}
"#;

const POLICY: &str = r#"apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "NAME.fullname" . }}
spec:
  podSelector:
    matchLabels: {{- include "NAME.selector" . | nindent 6 }}
  ingress:
    - ports: [{port: {{ .Values.port }}}]
"#;

const VALUES: &str = "replicas: 2
port: 8080
image: {repository: registry.example.com/NAME, tag: \"\"}
autoscaling: {enabled: false, maximum: 5}
resources:
  limits: {cpu: 500m, memory: 128Mi}
  requests: {cpu: 100m, memory: 64Mi}
settings:
";

/// The templates of a subchart by file name.
const TEMPLATES: [(&str, &str); 7] = [
    ("_helpers.tpl", HELPERS),
    ("deployment.yaml", DEPLOYMENT),
    ("networkpolicy.yaml", POLICY),
    ("scaler.yaml", SCALER),
    ("service.yaml", SERVICE),
    ("serviceaccount.yaml", ACCOUNT),
    ("settings.yaml", SETTINGS),
];

/// All files of the umbrella: path in the chart, and content.
pub(crate) fn files(size: Size) -> Vec<(String, String)> {
    let names: Vec<String> = (0..size.subcharts).map(|index| format!("service-{index:03}")).collect();
    let mut root = "apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n".to_owned();
    for name in &names {
        let _ = writeln!(root, "  - {{name: {name}, version: 1.2.3, condition: {name}.enabled}}");
    }
    let mut files = vec![
        ("Chart.yaml".to_owned(), root),
        ("values.yaml".to_owned(), "global:\n  labels: {team: shop}\n".to_owned()),
    ];
    for name in &names {
        subchart(name, size.calls, &mut files);
    }
    files
}

fn subchart(name: &str, calls: usize, files: &mut Vec<(String, String)>) {
    let about = format!("apiVersion: v2\nname: {name}\nversion: 1.2.3\nappVersion: 4.5.6\n");
    let mut values = VALUES.replace("NAME", name);
    for call in 0..calls {
        let _ = writeln!(
            values,
            "  key-{call:02}: '{{{{ .Release.Name }}}}/{name}/{call}/{{{{ include \"{name}.fullname\" . | upper }}}}:{{{{ .Values.port }}}}'"
        );
    }
    files.push((format!("charts/{name}/Chart.yaml"), about));
    files.push((format!("charts/{name}/values.yaml"), values));
    for (file, text) in TEMPLATES {
        let text = text.replace("NAME", name);
        files.push((format!("charts/{name}/templates/{file}"), text));
    }
}

/// Writes the umbrella as a chart directory, for programs that read charts from disk.
pub(crate) fn write(directory: &Path, size: Size) -> std::io::Result<()> {
    for (path, text) in files(size) {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}
