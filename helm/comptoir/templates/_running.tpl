{{/*
What of this release runs now, by `lookup`: nothing at its first install and in `helm template`. What an upgrade must keep
is read here, and what it cannot do is refused before anything is changed.
*/}}

{{/* Deployments and StatefulSets of this release and chart by `<kind>/<name>`, as JSON. */}}
{{- define "comptoir.running" -}}
{{- $running := dict -}}
{{- range $kind := list "Deployment" "StatefulSet" -}}
{{- range $one := (lookup "apps/v1" $kind $.Release.Namespace "").items -}}
{{- $labels := $one.metadata.labels | default dict -}}
{{- $chart := regexReplaceAll "-[0-9]+[.].*$" (get $labels "helm.sh/chart") "" -}}
{{- if and (eq (get $labels "app.kubernetes.io/instance") $.Release.Name) (eq $chart $.Chart.Name) -}}
{{- $_ := set $running (printf "%s/%s" $kind $one.metadata.name) $one -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $running | toJson -}}
{{- end -}}

{{/*
(dict "settings" SETTINGS "live" DEPLOYMENT) -> `replicas`, or nothing. Under an autoscaler the number that runs stays: a
manifest that no longer has the field would set it to the API server's default, 1. Where Helm applies on the server and
somebody else, such as the autoscaler, has set the number since, leaving it out keeps it and cannot conflict.
*/}}
{{- define "comptoir.replicas" -}}
{{- $autoscaling := .settings.autoscaling -}}
{{- if not $autoscaling.enabled -}}
{{ .settings.replicas | int }}
{{- else if .live -}}
{{- $isApplied := false -}}
{{- $isScaled := false -}}
{{- range .live.metadata.managedFields -}}
{{- $spec := get (.fieldsV1 | default dict) "f:spec" | default dict -}}
{{- if eq .operation "Apply" -}}
{{- $isApplied = or $isApplied (hasKey $spec "f:template") -}}
{{- else if or (eq (.subresource | default "") "scale") (hasPrefix "kubectl" (.manager | default "")) -}}
{{- $isScaled = or $isScaled (hasKey $spec "f:replicas") -}}
{{- end -}}
{{- end -}}
{{- $replicas := .live.spec.replicas | int -}}
{{- if not (and $isApplied $isScaled) -}}
{{- /* An autoscaler leaves a Deployment of 0 alone; one that somebody scaled to 0 stays so. */}}
{{ ternary ($autoscaling.minReplicas | int) $replicas (and (eq $replicas 0) (not $isScaled)) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The mesh of a release as its Deployments say it: `linkerd`, `istio-permissive`, `none`. */}}
{{- define "comptoir.mesh" -}}
{{ .Values.mesh.provider }}{{ if and .Values.mesh.permissive (ne .Values.mesh.provider "none") }}-permissive{{ end }}
{{- end -}}

{{/* The same of a Deployment that runs; one of chart 0.1.0 says it by its pods alone. */}}
{{- define "comptoir.meshOf" -}}
{{- $annotations := .spec.template.metadata.annotations | default dict -}}
{{- $pods := ternary "linkerd" (ternary "istio" "none" (hasKey $annotations "sidecar.istio.io/nativeSidecar")) (hasKey $annotations "config.linkerd.io/default-inbound-policy") -}}
{{ get (.metadata.annotations | default dict) "comptoir/mesh" | default $pods }}
{{- end -}}

{{/* (dict "root" $ "running" RUNNING) */}}
{{- define "comptoir.validate.running" -}}
{{- range $key, $one := .running -}}
{{- include "comptoir.validate.sameName" (dict "root" $.root "one" $one) -}}
{{- if eq $one.kind "Deployment" -}}
{{- include "comptoir.validate.meshStep" (dict "root" $.root "from" (include "comptoir.meshOf" $one)) -}}
{{- end -}}
{{- end -}}
{{- range $store := list "mongodb" "nats" -}}
{{- $settings := (index $.root.Values $store).inChart -}}
{{- $live := get $.running (printf "StatefulSet/%s" (include "comptoir.name" (dict "root" $.root "component" $store))) -}}
{{- if and $settings.enabled $live -}}
{{- include "comptoir.validate.store" (dict "key" (printf "%s.inChart" $store) "settings" $settings "live" $live) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "comptoir.validate.sameName" -}}
{{- $labels := .one.metadata.labels -}}
{{- $there := .one.metadata.name | trimSuffix "-canary" | trimSuffix (printf "-%s" (get $labels "app.kubernetes.io/component")) -}}
{{- $fullname := include "comptoir.fullname" .root -}}
{{- if ne $there $fullname -}}
{{- fail (printf "fullnameOverride: this release runs as %s and would become %s: its stores would begin again, empty. Set fullnameOverride=%s to keep them, or uninstall it first" $there $fullname $there) -}}
{{- end -}}
{{- $name := .root.Values.nameOverride | default .root.Chart.Name -}}
{{- if ne $name (get $labels "app.kubernetes.io/name") -}}
{{- fail (printf "nameOverride: the selectors of this release say %s, and a selector cannot change to %s. Leave it as it is, or uninstall first" (get $labels "app.kubernetes.io/name") $name) -}}
{{- end -}}
{{- end -}}

{{/* Into and out of a mesh goes a step in which pods with and without a proxy may call each other. */}}
{{- define "comptoir.validate.meshStep" -}}
{{- $from := .from -}}
{{- $to := include "comptoir.mesh" .root -}}
{{- $isOpen := and (or (eq $from "none") (hasSuffix "-permissive" $from)) (or (eq $to "none") (hasSuffix "-permissive" $to)) -}}
{{- if and (ne (trimSuffix "-permissive" $from) (trimSuffix "-permissive" $to)) (not $isOpen) -}}
{{- fail (printf "mesh.provider: from %s to %s, calls between old and new pods would be denied until the last pod is new. Set mesh.permissive=true first, wait for the rollout, then go on (docs/runbooks/kubernetes.md, A mesh)" $from $to) -}}
{{- end -}}
{{- end -}}

{{/* (dict "key" "mongodb.inChart" "settings" SETTINGS "live" STATEFULSET) */}}
{{- define "comptoir.validate.store" -}}
{{- $replicas := .settings.replicas | int -}}
{{- $running := .live.spec.replicas | int -}}
{{- if lt $replicas $running -}}
{{- fail (printf "%s.replicas: %d members run, and %d of them may be no majority. Take the others out first (docs/runbooks/kubernetes.md, Stores in the release)" .key $running $replicas) -}}
{{- end -}}
{{- $claim := (first .live.spec.volumeClaimTemplates).spec -}}
{{- if ne (include "comptoir.amount" .settings.storage.size) (include "comptoir.amount" $claim.resources.requests.storage) -}}
{{- fail (printf "%s.storage.size: the volumes have %v, and a StatefulSet cannot change them to %v. How they grow: docs/runbooks/kubernetes.md, Stores in the release" .key $claim.resources.requests.storage .settings.storage.size) -}}
{{- end -}}
{{- $class := $claim.storageClassName | default "" -}}
{{- if ne .settings.storage.className $class -}}
{{- fail (printf "%s.storage.className: the volumes have the class %q, and a StatefulSet cannot change it to %q (docs/runbooks/kubernetes.md, Stores in the release)" .key $class .settings.storage.className) -}}
{{- end -}}
{{- end -}}
