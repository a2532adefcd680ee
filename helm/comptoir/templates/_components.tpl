{{/* The services of the topology and the gateway, with the settings of each. */}}

{{/* topology.yaml as JSON. It is kept beside the values: to read the YAML for each use was half the time of a render. */}}
{{- define "comptoir.topology" -}}
{{- if not (hasKey .Values "topologyJson") -}}
{{- $_ := set .Values "topologyJson" (.Files.Get "topology.yaml" | fromYaml | toJson) -}}
{{- end -}}
{{ .Values.topologyJson }}
{{- end -}}

{{/*
The programs that are installed, by name: those that stand for nothing, and those whose provider is in the sandbox.
*/}}
{{- define "comptoir.programs" -}}
{{- $programs := dict -}}
{{- range $name, $program := (include "comptoir.topology" . | fromJson).programs -}}
{{- $provider := index $.Values.providers ($program.standsFor | camelcase | untitle) | default dict -}}
{{- if or (not $program.standsFor) $provider.sandbox -}}
{{- $_ := set $programs $name $program -}}
{{- end -}}
{{- end -}}
{{- $programs | toYaml -}}
{{- end -}}

{{/* What stands for a provider: {use: {name, port, addressVariable}}. */}}
{{- define "comptoir.sandboxes" -}}
{{- $sandboxes := dict -}}
{{- range $name, $program := include "comptoir.programs" . | fromYaml -}}
{{- with $program.standsFor -}}
{{- $_ := set $sandboxes . (dict "name" $name "port" $program.port "addressVariable" $program.addressVariable) -}}
{{- end -}}
{{- end -}}
{{- $sandboxes | toYaml -}}
{{- end -}}

{{/* name: database of all that have one. */}}
{{- define "comptoir.databases" -}}
{{- $databases := dict -}}
{{- range $name, $service := merge (include "comptoir.programs" . | fromYaml) (include "comptoir.topology" . | fromJson).services -}}
{{- $_ := set $databases $name $service.database -}}
{{- end -}}
{{- $databases | toYaml -}}
{{- end -}}

{{/*
All components by name: port, kind of port, settings (`defaults` under `services.<name>`), tracks. The templates range
over this; none names a service.
*/}}
{{- define "comptoir.components" -}}
{{- $topology := include "comptoir.topology" . | fromJson -}}
{{- $components := dict "gateway" (dict "kind" "gateway" "port" $topology.gateway.port "protocol" "http" "uses" list) -}}
{{- range $name, $service := $topology.services -}}
{{- $_ := set $components $name (dict "kind" "service" "port" $service.port "protocol" "grpc" "uses" $service.uses "webhookPort" $service.webhookPort) -}}
{{- end -}}
{{- range $name, $program := include "comptoir.programs" . | fromYaml -}}
{{- $uses := ternary (list $program.standsFor) list (ne $program.standsFor "") -}}
{{- $_ := set $components $name (dict "kind" "program" "port" $program.port "protocol" "http" "uses" $uses) -}}
{{- end -}}
{{- range $name, $component := $components -}}
{{- $own := index $.Values.services $name | default dict -}}
{{- $settings := mustMergeOverwrite (deepCopy $.Values.defaults) (deepCopy $own) -}}
{{- $_ := set $component "settings" $settings -}}
{{- $_ := set $component "tracks" (list "stable") -}}
{{- if $settings.canary.enabled -}}
{{- $_ := set $component "tracks" (list "stable" "canary") -}}
{{- end -}}
{{- end -}}
{{- $components | toYaml -}}
{{- end -}}

{{/* Lowest number of pods that a component is meant to have. */}}
{{- define "comptoir.fewest" -}}
{{- if .autoscaling.enabled }}{{ .autoscaling.minReplicas }}{{ else }}{{ .replicas }}{{ end -}}
{{- end -}}

{{/* (dict "root" $ "component" NAME "protocol" "http") -> what is spoken at its port; "https" for a gateway with a certificate. */}}
{{- define "comptoir.appProtocol" -}}
{{ ternary "https" .protocol (and (eq .component "gateway") (ne .root.Values.gateway.tls.secretName "")) }}
{{- end -}}

{{/* (dict "root" $ "component" NAME "port" PORT) -> the address at which others call it. */}}
{{- define "comptoir.uri" -}}
{{ include "comptoir.appProtocol" (merge (dict "protocol" "http") .) }}://{{ include "comptoir.name" . }}:{{ .port }}
{{- end -}}

{{/*
Every edge of the call graph: {from, to, port, kind}, with `rpcs` where it is gRPC. All three sorts of policy are made of
this one list. `outside` is who calls the gateway, `anywhere` a store or provider that is not in this chart.
*/}}
{{- define "comptoir.edges" -}}
{{- $topology := include "comptoir.topology" . | fromJson -}}
{{- $edges := list (dict "from" "outside" "to" "gateway" "kind" "http" "port" $topology.gateway.port) -}}
{{- if .Values.test.enabled -}}
{{- $edges = append $edges (dict "from" "test" "to" "gateway" "kind" "http" "port" $topology.gateway.port) -}}
{{- end -}}
{{- range $edge := $topology.edges -}}
{{- if not $edge.rpcs -}}
{{- fail (printf "topology.yaml: the edge from %s to %s has no RPC: its contract lets nobody call" $edge.from $edge.to) -}}
{{- end -}}
{{- $port := (index $topology.services $edge.to).port -}}
{{- $edges = append $edges (merge (dict "kind" "grpc" "port" $port) $edge) -}}
{{- if and $.Values.gateway.gatewayApi.grpc.enabled (eq $edge.from "gateway") -}}
{{- $edges = append $edges (merge (dict "from" "outside" "kind" "grpc" "port" $port) $edge) -}}
{{- end -}}
{{- end -}}
{{- $sandboxes := include "comptoir.sandboxes" . | fromYaml -}}
{{- $programs := include "comptoir.programs" . | fromYaml -}}
{{- range $name, $service := merge (dict "gateway" $topology.gateway) (deepCopy $programs) $topology.services -}}
{{- range $store := eq $name "gateway" | ternary (list "nats") (ternary (list "mongodb") (list "mongodb" "nats") (hasKey $programs $name)) -}}
{{- $of := index $.Values $store -}}
{{- $to := ternary $store "anywhere" $of.inChart.enabled -}}
{{- $port := ternary (include "comptoir.storePort" $store | int) ($of.external.port | int) $of.inChart.enabled -}}
{{- $edges = append $edges (dict "from" $name "to" $to "store" $store "kind" "tcp" "port" $port "cidrs" $of.external.cidrs) -}}
{{- end -}}
{{- end -}}
{{- range $name, $service := $topology.services -}}
{{- $sandbox := "" -}}
{{- range $use := $service.uses -}}
{{- with index $sandboxes $use -}}
{{- $sandbox = .name -}}
{{- $edges = append $edges (dict "from" $name "to" .name "kind" "http" "port" .port) -}}
{{- end -}}
{{- end -}}
{{- with $service.webhookPort -}}
{{- $edges = append $edges (dict "from" ($sandbox | default "outside") "to" $name "kind" "webhooks" "port" .) -}}
{{- end -}}
{{- range $use, $outside := $.Values.providers -}}
{{- if and $outside.existingSecret (not $outside.sandbox) (has ($use | kebabcase) $service.uses) -}}
{{- $edges = append $edges (dict "from" $name "to" "anywhere" "store" ($use | kebabcase) "kind" "tcp" "port" ($outside.port | int) "cidrs" $outside.cidrs) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if .Values.mongodb.inChart.enabled -}}
{{- $edges = append $edges (dict "from" "mongodb" "to" "mongodb" "store" "mongodb" "kind" "tcp" "port" 27017) -}}
{{- end -}}
{{- if .Values.nats.inChart.enabled -}}
{{- $edges = append $edges (dict "from" "nats" "to" "nats" "store" "nats" "kind" "tcp" "port" 6222) -}}
{{- end -}}
{{- dict "edges" $edges | toYaml -}}
{{- end -}}

{{- define "comptoir.storePort" -}}
{{ ternary 27017 4222 (eq . "mongodb") }}
{{- end -}}

{{/* Name of the policy of an edge, without the release: `orders-from-gateway`, `payments-webhooks-from-outside`. */}}
{{- define "comptoir.edge" -}}
{{ .to }}{{ if eq .kind "webhooks" }}-webhooks{{ end }}-from-{{ .from }}
{{- end -}}
