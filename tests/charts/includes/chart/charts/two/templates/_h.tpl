{{ define "same" }}of chart two{{ end }}
