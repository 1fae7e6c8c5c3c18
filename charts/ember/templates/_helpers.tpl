{{/* Names are fixed, not derived from the release's: one release serves a namespace, and workers find "ember-broker" by name. */}}

{{- define "ember.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: ember
{{ include "ember.selector" . }}
{{- end }}

{{- define "ember.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Workers carry these; the operator sets them. */}}
{{- define "ember.workerSelector" -}}
app.kubernetes.io/managed-by: ember
{{- end }}

{{- define "ember.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end }}

{{/* The tenant namespaces as a JSON list of {namespace, create}. */}}
{{- define "ember.tenants" -}}
{{- $tenants := list -}}
{{- range .Values.tenants -}}
{{- if and .create (eq .namespace $.Release.Namespace) -}}
{{- fail (printf "tenants: %s is the release namespace, which exists already: leave out `create`" .namespace) -}}
{{- end -}}
{{- $tenants = append $tenants (dict "namespace" .namespace "create" (default false .create)) -}}
{{- end -}}
{{- $tenants | default (list (dict "namespace" .Release.Namespace "create" false)) | toJson -}}
{{- end }}

{{- define "ember.brokerHost" -}}
{{ .Values.broker.host | default (printf "ember-broker.%s.svc" .Release.Namespace) }}
{{- end }}

{{- define "ember.brokerUrl" -}}
{{- $port := int .Values.broker.servicePort -}}
https://{{ include "ember.brokerHost" . }}{{ if ne $port 443 }}:{{ $port }}{{ end }}
{{- end }}

{{/* The operator's settings (ember.model.settings): the chart's values of the same names, and what only the chart knows. */}}
{{- define "ember.settings" -}}
{{- $namespaces := list -}}
{{- range include "ember.tenants" . | fromJsonArray -}}
{{- $namespaces = append $namespaces .namespace -}}
{{- end -}}
{{- $settings := pick .Values "releases" "workers" "sparkDefaults" "store" "logs" "leader" "metricsPort" "logLevel" -}}
{{- $settings = set $settings "namespaces" $namespaces -}}
{{- $settings = set $settings "releaseNamespace" .Release.Namespace -}}
{{- $settings = set $settings "broker" (set (deepCopy .Values.broker) "host" (include "ember.brokerHost" .)) -}}
{{- toYaml $settings -}}
{{- end }}

{{/* The port of the object store's endpoint. */}}
{{- define "ember.storePort" -}}
{{- $url := urlParse .Values.store.endpoint -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- $port | default (ternary "80" "443" (eq $url.scheme "http")) -}}
{{- end }}

{{- define "ember.downwardEnv" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
{{- end }}

{{- define "ember.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
