{{ define "same" }}sub/_c of the parent{{ end }}
