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
