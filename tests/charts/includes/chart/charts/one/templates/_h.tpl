{{ define "same" }}of chart one{{ end }}
{{ define "level200" }}level200 of one{{ end }}
