{{/* Names and labels. Every object of a release is named `<fullname>-<component>`. */}}

{{- define "comptoir.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* (dict "root" $ "component" NAME) -> the name of its objects. */}}
{{- define "comptoir.name" -}}
{{ include "comptoir.fullname" .root }}-{{ .component }}
{{- end -}}

{{/* What the selectors use. Never add to it: a Deployment's selector cannot change. */}}
{{- define "comptoir.selector" -}}
app.kubernetes.io/name: {{ .root.Values.nameOverride | default .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* What every pod of the release has, whatever its component. */}}
{{- define "comptoir.release" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of a pod: nothing that only the chart's version changes. `app` and `version` are those that Istio and Kiali read. */}}
{{- define "comptoir.podLabels" -}}
{{ include "comptoir.selector" . }}
app.kubernetes.io/part-of: comptoir
app.kubernetes.io/version: {{ .version | default .root.Chart.AppVersion | quote }}
app: {{ include "comptoir.name" . }}
version: {{ .version | default .root.Chart.AppVersion | quote }}
{{- end -}}

{{/* Labels of any object. */}}
{{- define "comptoir.labels" -}}
{{ include "comptoir.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* (dict "root" $ "apiVersion" V "kind" KIND "name" NAME "component" COMPONENT) -> how an object begins. */}}
{{- define "comptoir.head" -}}
apiVersion: {{ .apiVersion }}
kind: {{ .kind }}
metadata:
  name: {{ include "comptoir.fullname" .root }}-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
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
