{{ define "same" }}_b of the parent{{ end }}
