//! Small charts with many kinds of objects.

use crate::support::Result;
use crate::support::chart_repository::ChartRepository;

/// Their names.
pub(super) const NAMES: [&str; 5] = ["settings", "web", "store", "agent", "task"];

/// The kinds of their objects.
pub(super) const KINDS: [(&str, &str); 12] = [
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("policy/v1", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
];

/// The length of the random passwords in `settings`.
pub(super) const PASSWORD_LENGTH: usize = 24;

/// Publishes them.
pub(super) async fn publish(repository: &ChartRepository) -> Result {
    let charts = [SETTINGS, WEB, STORE, AGENT, TASK];
    for (name, template) in NAMES.iter().zip(charts) {
        repository
            .add(
                name,
                "1.0.0",
                &[("templates/all.yaml", template), ("values.yaml", VALUES)],
            )
            .await?;
    }
    Ok(())
}

const VALUES: &str = "image: example.com/app:1\nreplicas: 2\ncolor: red\n";

const SETTINGS: &str = r"
{{- range untilStep 0 6 1 }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $.Release.Name }}-{{ . }}
  namespace: {{ $.Release.Namespace }}
data: {part: {{ . | quote }}, color: {{ $.Values.color | quote }}}
{{- end }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
data: {password: {{ randAlphaNum 24 | b64enc }}}
";

const WEB: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data: {page: hello}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  type: LoadBalancer
  selector: {app: {{ .Release.Name }}}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec: {minAvailable: 1, selector: {matchLabels: {app: {{ .Release.Name }}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}, annotations: {{ toJson (default (dict "part" "web") .Values.podAnnotations) }}}
    spec:
      serviceAccountName: {{ .Release.Name }}
      containers: [{name: web, image: {{ .Values.image }}, ports: [{name: http, containerPort: 8080}]}]
"#;

const STORE: &str = r"
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  clusterIP: None
  selector: {app: {{ .Release.Name }}}
  ports: [{name: store, port: 5432}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data: {size: big}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  replicas: {{ .Values.replicas }}
  serviceName: {{ .Release.Name }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: store, image: {{ .Values.image }}, ports: [{name: store, containerPort: 5432}]}]}
";

const AGENT: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "{{ .Release.Namespace }}-{{ .Release.Name }}"}
rules: [{apiGroups: [""], resources: [nodes], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "{{ .Release.Namespace }}-{{ .Release.Name }}"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "{{ .Release.Namespace }}-{{ .Release.Name }}"}
subjects: [{kind: ServiceAccount, name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {serviceAccountName: {{ .Release.Name }}, containers: [{name: agent, image: {{ .Values.image }}}]}
"#;

const TASK: &str = r#"
apiVersion: batch/v1
kind: Job
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: task, image: example.com/task:1}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: task, image: {{ .Values.image }}}]}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data: {plan: nightly}
"#;
