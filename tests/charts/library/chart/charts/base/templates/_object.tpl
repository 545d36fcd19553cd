{{- /* Merges what the caller defines over what every object has. */ -}}
{{- define "base.object" -}}
{{- $root := index . 0 -}}
{{- $own := fromYaml (include (index . 1) $root) -}}
{{- $common := dict "apiVersion" "v1" "kind" "ConfigMap" "metadata" (dict "name" $root.Values.name) -}}
{{- toYaml (merge $own $common) -}}
{{- end -}}
