{{/* Quantities of Kubernetes (`500m`, `1.5Gi`, `1e3`, 2): as text for a manifest, and as a number to compare. */}}

{{/* A value as text: a whole number without an exponent, as Helm reads each number of a file as a float. */}}
{{- define "comptoir.text" -}}
{{- if and (kindIs "float64" .) (eq (float64 .) (floor .)) -}}
{{ int64 . }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

{{- define "comptoir.amount" -}}
{{- $text := include "comptoir.text" . | trimPrefix "+" -}}
{{- $number := regexFind "^[0-9.]+([eE][+-]?[0-9]+)?" $text -}}
{{- $decimal := dict "n" 1e-9 "u" 1e-6 "m" 1e-3 "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 -}}
{{- $binary := dict "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- mulf (float64 $number) (get (merge $decimal $binary) (trimPrefix $number $text)) -}}
{{- end -}}

{{/* {requests, limits} as the manifest has them. */}}
{{- define "comptoir.resources" -}}
{{- $resources := dict -}}
{{- range $kind, $quantities := . -}}
{{- $texts := dict -}}
{{- range $name, $quantity := $quantities -}}
{{- $_ := set $texts $name (include "comptoir.text" $quantity) -}}
{{- end -}}
{{- $_ := set $resources $kind $texts -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
