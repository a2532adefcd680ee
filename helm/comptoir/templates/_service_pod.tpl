{{/* The pod of a service, a program or the gateway: one container, `comptoir serve <name>`. */}}

{{- define "comptoir.servicePod" -}}
serviceAccountName: {{ include "comptoir.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .settings.terminationGracePeriodSeconds | int }}
securityContext:
  {{- include "comptoir.podSecurity" 10001 | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
containers:
  - name: comptoir
    image: {{ .image | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: [serve, {{ .component }}]
    env:
      {{- include "comptoir.env" . | nindent 6 }}
    {{- with include "comptoir.envFrom" . | trim }}
    envFrom:
      {{- . | nindent 6 }}
    {{- end }}
    ports:
      - name: {{ .protocol }}
        containerPort: {{ .port }}
      {{- with .webhookPort }}
      - name: webhooks
        containerPort: {{ . }}
      {{- end }}
    {{- include "comptoir.probes" . | nindent 4 }}
    {{- /* A sleep of 0 s is refused by Kubernetes before 1.33: no hook is the same. */}}
    {{- with .settings.preStopSeconds | int }}
    lifecycle:
      preStop:
        sleep:
          seconds: {{ . }}
    {{- end }}
    resources:
      {{- include "comptoir.resources" .settings.resources | nindent 6 }}
    securityContext:
      {{- include "comptoir.containerSecurity" . | nindent 6 }}
    {{- if ne .kind "program" }}
    volumeMounts:
      - name: keys
        mountPath: /etc/comptoir/keys
        readOnly: true
      {{- if eq (include "comptoir.appProtocol" .) "https" }}
      - name: tls
        mountPath: /etc/comptoir/tls
        readOnly: true
      {{- end }}
      {{- if include "comptoir.keepsMail" . }}
      - name: mail
        mountPath: /var/mail/comptoir
      {{- end }}
volumes:
  - name: keys
    secret:
      secretName: {{ .root.Values.signingKeys.existingSecret | quote }}
      defaultMode: 0440
      items:
        {{- include "comptoir.keyItems" . | nindent 8 }}
  {{- if eq (include "comptoir.appProtocol" .) "https" }}
  - name: tls
    secret:
      secretName: {{ .root.Values.gateway.tls.secretName | quote }}
      defaultMode: 0440
      items:
        - key: tls.crt
          path: tls.crt
        - key: tls.key
          path: tls.key
  {{- end }}
  {{- if include "comptoir.keepsMail" . }}
  - name: mail
    emptyDir:
      sizeLimit: 64Mi
  {{- end }}
    {{- end }}
topologySpreadConstraints:
  {{- include "comptoir.spread" . | trim | nindent 2 }}
{{- with .settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/*
Startup and liveness ask only whether the process answers: an outage of MongoDB or NATS restarts nothing. Readiness of a
service is its stores. That of the gateway is its own, not /readyz: one service that is down must not close the shop. A
program has one answer, which is its own too.
*/}}
{{- define "comptoir.probes" -}}
{{- $period := 2 }}
{{- $live := dict "httpGet" (dict "path" (ternary "/readyz" "/healthz" (eq .kind "program")) "port" .protocol) }}
{{- if eq (include "comptoir.appProtocol" .) "https" }}
{{- $_ := set $live.httpGet "scheme" "HTTPS" }}
{{- end }}
{{- $ready := $live }}
{{- if eq .protocol "grpc" }}
{{- $live = dict "grpc" (dict "port" .port "service" "live") }}
{{- $ready = dict "grpc" (dict "port" .port) }}
{{- end -}}
startupProbe:
  {{- toYaml $live | nindent 2 }}
  periodSeconds: {{ $period }}
  failureThreshold: {{ div (.settings.startupSeconds | int) $period | max 1 }}
livenessProbe:
  {{- toYaml $live | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  {{- toYaml $ready | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}
