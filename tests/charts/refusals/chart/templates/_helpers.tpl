{{- define "fails" -}}
  {{- fail (printf "from a helper: %s" .) -}}
{{- end -}}
{{- define "calls" }}{{ include "fails" . }}{{ end -}}
