{{/*
What a release gives beside the chart's own: variables, labels and annotations, by name. A name is there once; of two values
the given one counts, except where other objects rely on the chart's own: then the rendering ends with a sentence.
*/}}

{{/* (dict "root" $ "component" NAME "setting" KEY "name" NAME) -> the key of the values that gave it. */}}
{{- define "comptoir.origin" -}}
{{- $own := index .root.Values.services .component | default dict -}}
{{- $where := ternary (printf "services.%s" .component) "defaults" (hasKey (get $own .setting | default dict) .name) -}}
{{ $where }}.{{ .setting }}: {{ .name }}
{{- end -}}

{{/* (dict "root" $ "component" NAME "setting" KEY "own" TEXT "given" DICT "fixed" [NAME]) -> labels or annotations. */}}
{{- define "comptoir.merged" -}}
{{- $own := .own | fromYaml -}}
{{- range $name := .fixed -}}
{{- if and (hasKey $own $name) (hasKey $.given $name) (ne (get $own $name) (get $.given $name)) -}}
{{- $origin := include "comptoir.origin" (merge (dict "name" $name) $) -}}
{{- fail (printf "%s is the chart's own, here %s: selectors, policies or the mesh rely on it; leave it out" $origin (get $own $name)) -}}
{{- end -}}
{{- end -}}
{{- mustMergeOverwrite $own (deepCopy .given) | toYaml -}}
{{- end -}}

{{/* Labels of a pod that its selectors, its policies and the mesh find it by. */}}
{{- define "comptoir.fixedLabels" -}}
{{- list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "comptoir/track" "sidecar.istio.io/inject" | toJson -}}
{{- end -}}

{{- define "comptoir.fixedAnnotations" -}}
{{- list "linkerd.io/inject" "config.linkerd.io/default-inbound-policy" "config.linkerd.io/opaque-ports" "sidecar.istio.io/rewriteAppHTTPProbers" | toJson -}}
{{- end -}}

{{/*
The variables of a container. A value of the chart's own may be given again where no other object relies on it; addresses,
ports, users and what comes out of Secrets may not, also where the chart leaves them to the program's default.
*/}}
{{- define "comptoir.env" -}}
{{- $env := list -}}
{{- $given := deepCopy .settings.env -}}
{{- $free := list "COMPTOIR_LOG" "COMPTOIR_DEADLINE_SECONDS" "COMPTOIR_BODY_LIMIT_BYTES" "OTEL_EXPORTER_OTLP_ENDPOINT" -}}
{{- $fixed := list "COMPTOIR_LISTEN" "COMPTOIR_WEBHOOK_LISTEN" "COMPTOIR_DATABASE" "COMPTOIR_NATS_USER" -}}
{{- range $variable := include "comptoir.ownEnv" . | fromYamlArray -}}
{{- $name := $variable.name -}}
{{- if not (has $name $free) -}}
{{- $fixed = append $fixed $name -}}
{{- else if hasKey $given $name -}}
{{- $_ := set $variable "value" (include "comptoir.text" (get $given $name)) -}}
{{- $_ := unset $given $name -}}
{{- end -}}
{{- $env = append $env $variable -}}
{{- end -}}
{{- range $name, $value := $given -}}
{{- if has $name $fixed -}}
{{- $origin := include "comptoir.origin" (merge (dict "setting" "env" "name" $name) $) -}}
{{- fail (printf "%s is set by the chart, from the topology and its other values, and other objects rely on it; leave it out" $origin) -}}
{{- end -}}
{{- $env = append $env (dict "name" $name "value" (include "comptoir.text" $value)) -}}
{{- end -}}
{{- toYaml $env -}}
{{- end -}}
