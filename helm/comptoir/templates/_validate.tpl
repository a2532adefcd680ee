{{/* What a schema cannot say: a sentence that names the key, and ends the rendering. */}}

{{/* (dict "root" $ "running" RUNNING) */}}
{{- define "comptoir.validate" -}}
{{- include "comptoir.validate.values" .root -}}
{{- include "comptoir.validate.running" . -}}
{{- end -}}

{{- define "comptoir.validate.values" -}}
{{- $topology := include "comptoir.topology" . | fromJson -}}
{{- $known := concat (keys $topology.services) (keys $topology.programs) (list "gateway") | sortAlpha -}}
{{- range $name, $_ := .Values.services -}}
{{- if not (has $name $known) -}}
{{- fail (printf "services.%s: there is no service %s in the topology; known: %s" $name $name (join ", " $known)) -}}
{{- end -}}
{{- end -}}
{{- include "comptoir.validate.names" . -}}
{{- include "comptoir.validate.secrets" . -}}
{{- include "comptoir.validate.stores" . -}}
{{- include "comptoir.validate.providers" . -}}
{{- include "comptoir.validate.way" . -}}
{{- range $name, $component := include "comptoir.components" . | fromYaml -}}
{{- include "comptoir.validate.component" (merge (dict "root" $ "name" $name) $component) -}}
{{- end -}}
{{- end -}}

{{/* What no hash makes legal: labels, and names that a component makes too long for a Service. */}}
{{- define "comptoir.validate.names" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if not (regexMatch "^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$" $name) -}}
{{- fail (printf "nameOverride: the chart is called %s here, which is no value of a label: letters and digits at both ends, at most 63" $name) -}}
{{- end -}}
{{- range $component := keys (include "comptoir.components" . | fromYaml) | sortAlpha -}}
{{- $service := printf "%s-canary" (include "comptoir.name" (dict "root" $ "component" $component)) -}}
{{- if gt (len $service) 63 -}}
{{- fail (printf "fullnameOverride: %s is no name of a Service: it has %d characters, of at most 63. Set a shorter one" $service (len $service)) -}}
{{- end -}}
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
{{- range $key := list "mongodb" "nats" -}}
{{- $store := (index $.Values $key).inChart -}}
{{- if $store.enabled -}}
{{- include "comptoir.validate.resources" (dict "key" (printf "%s.inChart" $key) "resources" $store.resources) -}}
{{- end -}}
{{- end -}}
{{- $memory := (.Values.mongodb.inChart.resources.limits | default dict).memory | default "0" -}}
{{- if and .Values.mongodb.inChart.enabled (lt (include "comptoir.amount" $memory | float64) 536870912.0) -}}
{{- fail "mongodb.inChart.resources.limits.memory: at least 512Mi; mongod's cache takes half of it, and never less than 256 MiB" -}}
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
{{- range $name, $service := (include "comptoir.topology" $ | fromJson).services -}}
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
{{- if and $gateway.tls.secretName (ne .Values.mesh.provider "none") -}}
{{- fail (printf "gateway.tls.secretName: %s encrypts already, and its proxies could not read what its policies are about. Leave one of both" .Values.mesh.provider) -}}
{{- end -}}
{{- if and (or $gateway.gatewayApi.enabled $gateway.gatewayApi.grpc.enabled) (not $gateway.gatewayApi.parentRefs) -}}
{{- fail "gateway.gatewayApi.parentRefs: name the Gateway that the routes attach to" -}}
{{- end -}}
{{- end -}}

{{/* (dict "key" KEY "resources" RESOURCES): the API server refuses a limit below its request. */}}
{{- define "comptoir.validate.resources" -}}
{{- $limits := .resources.limits | default dict -}}
{{- range $name, $request := .resources.requests -}}
{{- if hasKey $limits $name -}}
{{- $limit := get $limits $name -}}
{{- if gt (include "comptoir.amount" $request | float64) (include "comptoir.amount" $limit | float64) -}}
{{- fail (printf "%s.resources.limits.%s: %s is less than the request, %s" $.key $name (include "comptoir.text" $limit) (include "comptoir.text" $request)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "comptoir.validate.component" -}}
{{- $settings := .settings -}}
{{- $key := printf "services.%s" .name -}}
{{- include "comptoir.validate.resources" (dict "key" $key "resources" $settings.resources) -}}
{{- if $settings.autoscaling.enabled -}}
{{- range $name := list "cpu" "memory" -}}
{{- if not (hasKey ($settings.resources.requests | default dict) $name) -}}
{{- fail (printf "%s.resources.requests.%s: autoscaling aims at a percentage of it" $key $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
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
