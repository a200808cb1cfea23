{{/*
The server's settings that derive from values other than `config`, as a map of variables. Settings that equal the server's
default are omitted.
*/}}
{{- define "mimic.settings" -}}
{{- $settings := dict "MIMIC_CERTIFICATE_SOURCE" .Values.certificate.mode -}}
{{- if eq .Values.certificate.mode "file" -}}
{{- $_ := set $settings "MIMIC_CERTIFICATE_CERTFILE" "/certs/tls.crt" -}}
{{- $_ := set $settings "MIMIC_CERTIFICATE_KEYFILE" "/certs/tls.key" -}}
{{- end -}}
{{- if .Values.certificate.clientCAConfigMap -}}
{{- $_ := set $settings "MIMIC_CLIENTCA" "/client-ca/ca.crt" -}}
{{- end -}}
{{- if .Values.harbor.enabled -}}
{{- $_ := set $settings "MIMIC_CONFIG" "/etc/mimic/config.yaml" -}}
{{- end -}}
{{- $name := include "mimic.name" . -}}
{{- if .Values.policy.enabled -}}
{{- $_ := set $settings "MIMIC_POLICY_ENABLED" "true" -}}
{{- if ne $name "mimic" -}}
{{- $_ := set $settings "MIMIC_POLICY_NAME" $name -}}
{{- end -}}
{{- end -}}
{{- range list
  (list "MIMIC_CERTIFICATE_SERVICE" $name "mimic")
  (list "MIMIC_CERTIFICATE_WEBHOOK" $name "mimic")
  (list "MIMIC_KUBERNETES_CONFIGMAP" (include "mimic.configMap" .) "mimic-mirrors")
  (list "MIMIC_KUBERNETES_CERTSECRET" (include "mimic.secret" .) "mimic-certs")
  (list "MIMIC_EXCLUDE_NAMESPACES" (join "," .Values.excludeNamespaces) "kube-system,kube-node-lease,kube-public")
  (list "MIMIC_LISTENPORT" (toString .Values.ports.webhook) "8443")
  (list "MIMIC_ADMIN_LISTENPORT" (toString .Values.ports.admin) "8081")
  (list "MIMIC_LOGLEVEL" .Values.log.level "info")
  (list "MIMIC_LOGFORMAT" .Values.log.format "text")
-}}
{{- if ne (index . 1) (index . 2) -}}
{{- $_ := set $settings (index . 0) (index . 1) -}}
{{- end -}}
{{- end -}}
{{- range $variable, $value := .Values.config -}}
{{- $_ := set $settings $variable (toString $value) -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}
