{{/* The object name: `mimic` for the release `mimic`, `other-mimic` for the release `other`. */}}
{{- define "mimic.name" -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name $chart) (contains $chart .Release.Name) -}}
{{- default $name .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "mimic.configMap" -}}
{{- default (printf "%s-mirrors" (include "mimic.name" .)) .Values.configMap.name -}}
{{- end -}}

{{- define "mimic.secret" -}}
{{- default (printf "%s-certs" (include "mimic.name" .)) .Values.certificate.secret -}}
{{- end -}}

{{- define "mimic.serviceAccount" -}}
{{- default (ternary (include "mimic.name" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "mimic.priorityClass" -}}
{{- ternary (include "mimic.name" .) .Values.priorityClassName .Values.priorityClass.create -}}
{{- end -}}

{{- define "mimic.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- .Values.image.repository }}:{{ $tag }}{{ with .Values.image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* Labels that select the pods. They cannot change later, because the selector of a Deployment is immutable. */}}
{{- define "mimic.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: webhook
{{- end -}}

{{- define "mimic.labels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Metadata of objects in the namespace that have the object name. */}}
{{- define "mimic.metadata" -}}
name: {{ include "mimic.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "mimic.labels" . | nindent 2 }}
{{- end -}}

{{/* Whether the container mounts anything. */}}
{{- define "mimic.mounts" -}}
{{- or (eq .Values.certificate.mode "file") (ne .Values.certificate.clientCAConfigMap "") .Values.harbor.enabled (gt (len .Values.extraVolumeMounts) 0) (gt (len .Values.extraVolumes) 0) -}}
{{- end -}}

{{/* The version of the API for mutating admission policies that the API server has; empty if it has none. */}}
{{- define "mimic.policyVersion" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
v1
{{- else if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy" -}}
v1beta1
{{- end -}}
{{- end -}}
