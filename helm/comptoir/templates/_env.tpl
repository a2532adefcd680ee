{{/* The variables of a service and of the gateway: those that `comptoir config <name>` lists. */}}

{{/* (dict "root" $ "component" NAME) -> the edges that start there and are gRPC, as "name=uri,…". */}}
{{- define "comptoir.peers" -}}
{{- $pairs := list -}}
{{- range (include "comptoir.edges" .root | fromYaml).edges -}}
{{- if and (eq .from $.component) (eq .kind "grpc") -}}
{{- $uri := include "comptoir.uri" (dict "root" $.root "component" .to "port" .port) -}}
{{- $pairs = append $pairs (printf "%s=%s" .to $uri) -}}
{{- end -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{- define "comptoir.upstreams" -}}
{{- $pairs := list -}}
{{- range $name, $service := (include "comptoir.topology" . | fromJson).services -}}
{{- $uri := include "comptoir.uri" (dict "root" $ "component" $name "port" $service.port) -}}
{{- $pairs = append $pairs (printf "%s=%s" $service.proto $uri) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{/* What the chart sets; `comptoir.env` adds what the values give. */}}
{{- define "comptoir.ownEnv" -}}
- name: COMPTOIR_LOG
  value: {{ .root.Values.log | quote }}
{{- with .root.Values.telemetry.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- if ne .kind "program" }}
- name: COMPTOIR_JWKS_FILE
  value: /etc/comptoir/keys/jwks.json
{{- with .root.Values.signingKeys.issuer }}
- name: COMPTOIR_ISSUER
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if eq .kind "gateway" }}
- name: COMPTOIR_UPSTREAM
  value: {{ include "comptoir.upstreams" .root | quote }}
- name: COMPTOIR_DEADLINE_SECONDS
  value: {{ .root.Values.gateway.deadlineSeconds | int | quote }}
- name: COMPTOIR_BODY_LIMIT_BYTES
  value: {{ .root.Values.gateway.bodyLimitBytes | int | quote }}
{{- if .root.Values.gateway.tls.secretName }}
- name: COMPTOIR_TLS_CERTIFICATE
  value: /etc/comptoir/tls/tls.crt
- name: COMPTOIR_TLS_KEY
  value: /etc/comptoir/tls/tls.key
{{- end }}
{{- include "comptoir.natsEnv" . }}
{{- else }}
{{- include "comptoir.mongodbEnv" . }}
{{- include (printf "comptoir.%sEnv" .kind) . }}
{{- end }}
{{- end -}}

{{- define "comptoir.mongodbEnv" }}
{{- $mongodb := .root.Values.mongodb }}
{{- $database := index (include "comptoir.databases" .root | fromYaml) .component }}
{{- if $mongodb.inChart.enabled }}
- name: MONGODB_PASSWORD
  {{- include "comptoir.fromSecret" (dict "existingSecret" $mongodb.existingSecret "key" .component) | nindent 2 }}
- name: COMPTOIR_MONGODB_URI
  value: "mongodb://{{ .component }}:$(MONGODB_PASSWORD)@{{ include "comptoir.mongodb.hosts" .root }}/{{ $database }}?authSource={{ $database }}&replicaSet=rs0"
{{- else }}
- name: COMPTOIR_MONGODB_URI
  {{- include "comptoir.fromSecret" (dict "existingSecret" $mongodb.existingSecret "key" .component) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A program that stands for a provider calls back who uses it. */}}
{{- define "comptoir.programEnv" }}
{{- range (include "comptoir.edges" .root | fromYaml).edges }}
{{- if and (eq .from $.component) (eq .kind "webhooks") }}
- name: COMPTOIR_WEBHOOK_URL
  value: {{ include "comptoir.uri" (dict "root" $.root "component" .to "port" .port) }}/v1/webhooks/sandbox
{{- end }}
{{- end }}
{{- end -}}

{{- define "comptoir.natsEnv" }}
{{- $nats := .root.Values.nats }}
- name: COMPTOIR_NATS_URL
  value: {{ ternary (printf "nats://%s:4222" (include "comptoir.name" (dict "root" .root "component" "nats"))) $nats.external.url $nats.inChart.enabled | quote }}
- name: COMPTOIR_NATS_PASSWORD
  {{- include "comptoir.fromSecret" (dict "existingSecret" $nats.existingSecret "key" .component) | nindent 2 }}
{{- end -}}

{{- define "comptoir.serviceEnv" }}
{{- $nats := .root.Values.nats }}
{{- $service := index (include "comptoir.topology" .root | fromJson).services .component }}
- name: COMPTOIR_SERVICE_KEY_FILE
  value: /etc/comptoir/keys/service.pem
{{- if has "user-tokens" $service.uses }}
- name: COMPTOIR_USER_TOKEN_KEY_FILE
  value: /etc/comptoir/keys/{{ .root.Values.signingKeys.userTokens }}.pem
{{- end }}
{{- $sandboxes := include "comptoir.sandboxes" .root | fromYaml }}
{{- range $use := $service.uses }}
{{- with index $sandboxes $use }}
- name: {{ .addressVariable }}
  value: {{ include "comptoir.uri" (dict "root" $.root "component" .name "port" .port) }}
{{- end }}
{{- end }}
{{- if include "comptoir.keepsMail" . }}
- name: COMPTOIR_MAIL_DIRECTORY
  value: /var/mail/comptoir
{{- end }}
{{- include "comptoir.natsEnv" . }}
- name: COMPTOIR_STREAM_REPLICAS
  value: {{ $nats.streamReplicas | int | quote }}
{{- with include "comptoir.peers" . }}
- name: COMPTOIR_PEERS
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Who sends mail puts it into a directory of the pod when it is in the sandbox and no program stands for the mail server. */}}
{{- define "comptoir.keepsMail" -}}
{{- $hasProgram := hasKey (include "comptoir.sandboxes" .root | fromYaml) "smtp" -}}
{{- if and (has "smtp" .uses) (eq .kind "service") .root.Values.providers.smtp.sandbox (not $hasProgram) -}}
true
{{- end -}}
{{- end -}}

{{/* The keys that a pod may read: the public ones, and its own private one. */}}
{{- define "comptoir.keyItems" -}}
- key: jwks.json
  path: jwks.json
{{- if eq .kind "service" }}
- key: {{ .component }}.pem
  path: service.pem
{{- if has "user-tokens" .uses }}
- key: {{ .root.Values.signingKeys.userTokens }}.pem
  path: {{ .root.Values.signingKeys.userTokens }}.pem
{{- end }}
{{- end }}
{{- end -}}

{{/* Secrets of providers, whose keys become variables: of one outside, or of the program that stands for it. */}}
{{- define "comptoir.envFrom" -}}
{{- $sandboxes := include "comptoir.sandboxes" .root | fromYaml }}
{{- range $use, $provider := .root.Values.providers }}
{{- $isWanted := or (not $provider.sandbox) (hasKey $sandboxes ($use | kebabcase)) }}
{{- if and $provider.existingSecret $isWanted (has ($use | kebabcase) $.uses) }}
- secretRef:
    name: {{ $provider.existingSecret | quote }}
{{- end }}
{{- end }}
{{- end -}}
