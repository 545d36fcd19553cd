{{ define "down" }}{{ . }}{{ if gt (int .) 0 }} {{ include "down" (sub . 1) }}{{ end }}{{ end }}
{{ define "dict" }}{{ $_ := set . "seen" true }}{{ end }}
{{ define "number" }}42{{ end }}
{{ define "yaml" }}a: 1
b: [x, y]
{{ end }}
{{ define "loop" }}{{ include "loop" . }}{{ end }}
