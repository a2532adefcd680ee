{{/* What all pods share: the restricted pod security standard, the mesh's switches, the spread over zones and nodes. */}}

{{- define "comptoir.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "comptoir.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/*
Annotations that put a pod into the mesh. Native sidecars start before the containers and end after them, so that a
draining service can still call its peers and a pod that ends is not kept by its proxy.
*/}}
{{- define "comptoir.meshAnnotations" -}}
{{- if eq .Values.mesh.provider "linkerd" -}}
linkerd.io/inject: enabled
config.linkerd.io/default-inbound-policy: {{ include "comptoir.linkerd.default" . }}
config.linkerd.io/proxy-enable-native-sidecar: "true"
config.linkerd.io/opaque-ports: {{ include "comptoir.opaquePorts" . | quote }}
{{- with .Values.mesh.linkerd.skipOutboundPorts }}
config.linkerd.io/skip-outbound-ports: {{ join "," . | quote }}
{{- end }}
{{- else if eq .Values.mesh.provider "istio" -}}
sidecar.istio.io/nativeSidecar: "true"
sidecar.istio.io/rewriteAppHTTPProbers: "true"
{{- end -}}
{{- end -}}

{{- define "comptoir.meshLabels" -}}
{{- if eq .Values.mesh.provider "istio" -}}
sidecar.istio.io/inject: "true"
{{- end -}}
{{- end -}}

{{/* Ports that are not HTTP: NATS speaks first, which a proxy that waits for the client would never see. */}}
{{- define "comptoir.opaquePorts" -}}
{{- $mongodb := ternary 27017 (.Values.mongodb.external.port | int) .Values.mongodb.inChart.enabled -}}
{{- $nats := ternary 4222 (.Values.nats.external.port | int) .Values.nats.inChart.enabled -}}
{{ $mongodb }},{{ $nats }}{{ if .Values.nats.inChart.enabled }},6222{{ end }}
{{- end -}}

{{/* (dict "root" $ "component" NAME) -> pods of one component on different zones, then nodes, as far as it goes. */}}
{{- define "comptoir.spread" -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ $key }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "comptoir.selector" $ | nindent 6 }}
{{- end }}
{{- end -}}

{{/* (dict "root" $ "existingSecret" NAME "key" KEY) -> a variable's value out of a Secret. */}}
{{- define "comptoir.fromSecret" -}}
valueFrom:
  secretKeyRef:
    name: {{ .existingSecret | quote }}
    key: {{ .key | quote }}
{{- end -}}

{{/* What Linkerd does with a call that no policy lets in: in a permissive step it passes, and is logged. */}}
{{- define "comptoir.linkerd.default" -}}
{{ if .Values.mesh.permissive }}audit{{ else }}deny{{ end }}
{{- end -}}
