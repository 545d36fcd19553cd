{{- define "umbrella.name" -}}{{ .Release.Name }}-{{ .Chart.Name }}{{- end -}}
{{- define "shared.label" -}}from the parent{{- end -}}
