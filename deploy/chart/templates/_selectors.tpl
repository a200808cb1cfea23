{{/* The pods that the webhook and the policy get: selectors of namespaces and of pods. */}}
{{- define "mimic.namespaceSelector" -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values:
      {{- range .Values.excludeNamespaces }}
      {{- if regexMatch "^[a-z0-9-]+$" . }}
      - {{ . }}
      {{- end }}
      {{- end }}
      {{- if not (has .Release.Namespace .Values.excludeNamespaces) }}
      - {{ .Release.Namespace }}
      {{- end }}
  {{- with .Values.webhook.namespaceSelector.matchExpressions }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.webhook.namespaceSelector.matchLabels }}
matchLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "mimic.objectSelector" -}}
matchExpressions:
  # Opt-out label. Mimic checks it, too; here it saves the call.
  - key: mimic.cryptkcoding.com/rewrite
    operator: NotIn
    values: ["false"]
  {{- if .Values.presets.cloudNativePG }}
  - key: cnpg.io/podRole
    operator: NotIn
    values: [instance]
  {{- end }}
  {{- if .Values.presets.olm }}
  - key: olm.catalogSource
    operator: DoesNotExist
  {{- end }}
  {{- if .Values.presets.aerospike }}
  - key: aerospike.com/cr
    operator: DoesNotExist
  {{- end }}
  {{- if .Values.presets.zalandoPostgres }}
  - key: application
    operator: NotIn
    values: [spilo]
  {{- end }}
  {{- with .Values.webhook.objectSelector.matchExpressions }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.webhook.objectSelector.matchLabels }}
matchLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
