{{- define "queue.name" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
