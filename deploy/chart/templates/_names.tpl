{{/* Name of all objects: a release called `mimic` gives `mimic`, one called `other` gives `other-mimic`. */}}
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

{{/* Labels by which objects find the pods: those of a Deployment cannot be changed later. */}}
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

{{/* What is in the namespace and carries that name. */}}
{{- define "mimic.metadata" -}}
name: {{ include "mimic.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "mimic.labels" . | nindent 2 }}
{{- end -}}

{{/* Whether the container mounts anything. */}}
{{- define "mimic.mounts" -}}
{{- or (eq .Values.certificate.mode "file") .Values.harbor.enabled (gt (len .Values.extraVolumeMounts) 0) (gt (len .Values.extraVolumes) 0) -}}
{{- end -}}
