{{/* Names and labels. Every object of a release is named `<fullname>-<component>`. */}}

{{- define "comptoir.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- include "comptoir.legal" (.Values.fullnameOverride | default $full) -}}
{{- end -}}

{{/*
How the name of a Service may begin: RFC 1035, and short enough for what follows. A name that is changed for that has a hash
of the whole at its end, so that no two names become one.
*/}}
{{- define "comptoir.legal" -}}
{{- if regexMatch "^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$" . -}}
{{ . }}
{{- else -}}
{{- $name := regexReplaceAll "[^a-z0-9]+" (lower .) "-" | trimAll "-" -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- $name = printf "s-%s" $name -}}
{{- end -}}
{{ $name | trunc 31 | trimSuffix "-" }}-{{ . | sha256sum | trunc 8 }}
{{- end -}}
{{- end -}}

{{/* An image tag as the value of a label: without its digest, at most 63 characters, a letter or digit at both ends. */}}
{{- define "comptoir.labelValue" -}}
{{- $value := splitList "@" . | first | replace "+" "_" | trimAll "-_." -}}
{{- if gt (len $value) 63 -}}
{{- $value = printf "%s-%s" ($value | trunc 54 | trimAll "-_.") (. | sha256sum | trunc 8) -}}
{{- end -}}
{{ $value }}
{{- end -}}

{{/* (dict "root" $ "component" NAME) -> the name of its objects. */}}
{{- define "comptoir.name" -}}
{{ include "comptoir.fullname" .root }}-{{ .component }}
{{- end -}}

{{/* What the selectors use. Never add to it: a Deployment's selector cannot change. */}}
{{- define "comptoir.selector" -}}
app.kubernetes.io/name: {{ .root.Values.nameOverride | default .root.Chart.Name | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* What every pod of the release has, whatever its component. */}}
{{- define "comptoir.release" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of a pod: nothing that only the chart's version changes. `app` and `version` are those that Istio and Kiali read. */}}
{{- define "comptoir.podLabels" -}}
{{ include "comptoir.selector" . }}
app.kubernetes.io/part-of: comptoir
app.kubernetes.io/version: {{ include "comptoir.labelValue" (.version | default .root.Chart.AppVersion) | quote }}
app: {{ include "comptoir.name" . }}
version: {{ include "comptoir.labelValue" (.version | default .root.Chart.AppVersion) | quote }}
{{- end -}}

{{/* Labels of any object. */}}
{{- define "comptoir.labels" -}}
{{ include "comptoir.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | include "comptoir.labelValue" | quote }}
{{- end -}}

{{/* (dict "root" $ "apiVersion" V "kind" KIND "name" NAME "component" COMPONENT) -> how an object begins. */}}
{{- define "comptoir.head" -}}
apiVersion: {{ .apiVersion }}
kind: {{ .kind }}
metadata:
  name: {{ include "comptoir.fullname" .root }}-{{ .name }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "comptoir.labels" . | nindent 4 }}
{{- end -}}

{{/* (dict "root" $ "image" IMAGE "tag" DEFAULT) -> what a container runs. A digest wins over a tag. */}}
{{- define "comptoir.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .tag }}
{{- end -}}
{{- end -}}
