{{- define "shared.label" -}}from the child{{- end -}}
