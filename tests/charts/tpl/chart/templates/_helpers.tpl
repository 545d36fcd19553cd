{{- define "count" -}}
{{- if gt (int .left) 0 -}}
{{ .left }} {{ tpl "{{ include \"count\" . }}" (dict "left" (sub .left 1)) }}
{{- else -}}
end
{{- end -}}
{{- end -}}
{{- define "render" -}}
{{- if kindIs "string" .value }}{{ tpl .value .context }}{{ else }}{{ tpl (toYaml .value) .context }}{{ end -}}
{{- end -}}
