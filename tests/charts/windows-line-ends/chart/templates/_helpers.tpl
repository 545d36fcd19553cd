{{- define "labels" -}}
name: {{ .Chart.Name }}
kind: x
{{- end -}}
