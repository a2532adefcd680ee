{{/* Which RPCs a proxy may send twice: those that only read, in one message, and that the contract calls idempotent. */}}
{{- define "comptoir.reads" -}}
{{- $reads := list -}}
{{- range . -}}
{{- if and .idempotent .read (not .stream) -}}
{{- $reads = append $reads .name -}}
{{- end -}}
{{- end -}}
{{- $reads | toJson -}}
{{- end -}}

{{/* `OrderService` of `comptoir.orders.v1.OrderService`, as a name of an object: `order-service`. */}}
{{- define "comptoir.short" -}}
{{ splitList "." . | last | kebabcase }}
{{- end -}}

{{/* Where a route of the Gateway API leads: to all pods, or by weight to the two tracks. */}}
{{- define "comptoir.backends" -}}
{{- if .canary.enabled }}
backendRefs:
  - name: {{ include "comptoir.name" . }}-stable
    port: {{ .port }}
    weight: {{ sub 100 (.canary.weight | int) }}
  - name: {{ include "comptoir.name" . }}-canary
    port: {{ .port }}
    weight: {{ .canary.weight | int }}
{{- else }}
backendRefs:
  - name: {{ include "comptoir.name" . }}
    port: {{ .port }}
{{- end }}
{{- end -}}

{{/*
(dict "root" $ "component" NAME "port" PORT "canary" CANARY "methods" [{service, method}]) -> the rules of a GRPCRoute. A rule
has at most 8 matches: Gateway API 1.1 and 1.2 refuse more.
*/}}
{{- define "comptoir.grpcRules" -}}
rules:
  {{- range $methods := chunk 8 .methods }}
  - matches:
      {{- range $methods }}
      - method: { service: {{ .service }}, method: {{ .method }} }
      {{- end }}
    {{- include "comptoir.backends" $ | trim | nindent 4 }}
  {{- end }}
{{- end -}}
