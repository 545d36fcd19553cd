{{ define "same" }}_a of the parent{{ end }}
{{ define "empty" }}{{ end }}
{{ define "spaces" }}  {{ end }}
