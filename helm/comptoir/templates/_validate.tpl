{{/* What a schema cannot say: a sentence that names the key, and ends the rendering. */}}

{{- define "comptoir.validate" -}}
{{- $topology := include "comptoir.topology" . | fromYaml -}}
{{- $known := concat (keys $topology.services) (keys $topology.programs) (list "gateway") | sortAlpha -}}
{{- range $name, $_ := .Values.services -}}
{{- if not (has $name $known) -}}
{{- fail (printf "services.%s: there is no service %s in the topology; known: %s" $name $name (join ", " $known)) -}}
{{- end -}}
{{- end -}}
{{- include "comptoir.validate.secrets" . -}}
{{- include "comptoir.validate.stores" . -}}
{{- include "comptoir.validate.providers" . -}}
{{- include "comptoir.validate.way" . -}}
{{- range $name, $component := include "comptoir.components" . | fromYaml -}}
{{- include "comptoir.validate.component" (merge (dict "root" $ "name" $name) $component) -}}
{{- end -}}
{{- end -}}

{{- define "comptoir.validate.secrets" -}}
{{- range $key := list "signingKeys" "mongodb" "nats" -}}
{{- if not (index $.Values $key).existingSecret -}}
{{- fail (printf "%s.existingSecret: name the Secret; `comptoir secrets` makes what goes into it" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "comptoir.validate.stores" -}}
{{- range $key := list "mongodb" "nats" -}}
{{- $replicas := (index $.Values $key).inChart.replicas | int -}}
{{- if eq (mod $replicas 2) 0 -}}
{{- fail (printf "%s.inChart.replicas: %d is even; a majority needs an odd number" $key $replicas) -}}
{{- end -}}
{{- end -}}
{{- $nats := .Values.nats -}}
{{- if not (or $nats.inChart.enabled $nats.external.url) -}}
{{- fail "nats.external.url: say where NATS is, or set nats.inChart.enabled" -}}
{{- end -}}
{{- if and $nats.inChart.enabled (gt ($nats.streamReplicas | int) ($nats.inChart.replicas | int)) -}}
{{- fail (printf "nats.streamReplicas: %d copies do not fit on nats.inChart.replicas: %d" ($nats.streamReplicas | int) ($nats.inChart.replicas | int)) -}}
{{- end -}}
{{- end -}}

{{/* Who uses a provider is given its Secret, also when a program of the topology stands for it. */}}
{{- define "comptoir.validate.providers" -}}
{{- $sandboxes := include "comptoir.sandboxes" . | fromYaml -}}
{{- range $use, $provider := .Values.providers -}}
{{- range $name, $service := (include "comptoir.topology" $ | fromYaml).services -}}
{{- $isWanted := or (not $provider.sandbox) (hasKey $sandboxes ($use | kebabcase)) -}}
{{- if and (has ($use | kebabcase) $service.uses) $isWanted (not $provider.existingSecret) -}}
{{- fail (printf "providers.%s.existingSecret: name the Secret with the variables of the provider that %s uses" $use $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "comptoir.validate.way" -}}
{{- $gateway := .Values.gateway -}}
{{- if and $gateway.ingress.enabled (not $gateway.ingress.host) -}}
{{- fail "gateway.ingress.host: an Ingress needs the host name of the shop" -}}
{{- end -}}
{{- if and (or $gateway.gatewayApi.enabled $gateway.gatewayApi.grpc.enabled) (not $gateway.gatewayApi.parentRefs) -}}
{{- fail "gateway.gatewayApi.parentRefs: name the Gateway that the routes attach to" -}}
{{- end -}}
{{- end -}}

{{- define "comptoir.validate.component" -}}
{{- $settings := .settings -}}
{{- $key := printf "services.%s" .name -}}
{{- if lt ($settings.terminationGracePeriodSeconds | int) (add ($settings.preStopSeconds | int) 20) -}}
{{- fail (printf "%s.terminationGracePeriodSeconds: %d is too short; preStopSeconds and 20 to drain make %d" $key ($settings.terminationGracePeriodSeconds | int) (add ($settings.preStopSeconds | int) 20)) -}}
{{- end -}}
{{- if and $settings.autoscaling.enabled (gt ($settings.autoscaling.minReplicas | int) ($settings.autoscaling.maxReplicas | int)) -}}
{{- fail (printf "%s.autoscaling.minReplicas: %d is more than maxReplicas: %d" $key ($settings.autoscaling.minReplicas | int) ($settings.autoscaling.maxReplicas | int)) -}}
{{- end -}}
{{- if $settings.canary.enabled -}}
{{- if not $settings.canary.tag -}}
{{- fail (printf "%s.canary.tag: name the image tag of the canary" $key) -}}
{{- end -}}
{{- $routed := or (ne .root.Values.mesh.provider "none") (and (eq .name "gateway") .root.Values.gateway.gatewayApi.enabled) -}}
{{- if not $routed -}}
{{- fail (printf "%s.canary.enabled: nothing shares calls by weight without mesh.provider linkerd or istio (for the gateway also gateway.gatewayApi)" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
