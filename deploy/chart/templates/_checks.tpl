{{/* What the schema cannot say, or cannot say in words that help. */}}
{{- define "mimic.checks" -}}
{{- $certificate := .Values.certificate -}}
{{- if eq $certificate.mode "managed" -}}
{{- if or $certificate.certManager.enabled $certificate.caBundle $certificate.injectCA -}}
{{- fail "certificate.mode is `managed`, in which Mimic makes the certificate and fills in the caBundle: take away certificate.certManager.enabled, caBundle and injectCA, or choose the mode `kubernetes` or `file`" -}}
{{- end -}}
{{- else -}}
{{- if and $certificate.caBundle (or $certificate.injectCA $certificate.certManager.enabled) -}}
{{- fail "certificate.caBundle is set, and cert-manager is to fill it in: choose one of them" -}}
{{- end -}}
{{- if and $certificate.caBundle (not (contains "-----BEGIN CERTIFICATE-----" $certificate.caBundle)) -}}
{{- fail "certificate.caBundle must be certificates in PEM form, not in base64: --set-file certificate.caBundle=ca.crt" -}}
{{- end -}}
{{- end -}}
{{- if .Values.harbor.enabled -}}
{{- $names := list -}}
{{- range (include "mimic.harbors" . | fromYaml).list -}}
{{- if not .url -}}
{{- fail "harbor.enabled is true: set harbor.url, and a url for each of harbor.others" -}}
{{- end -}}
{{- if and .existingSecret (not .username) -}}
{{- fail (printf "the Harbor at %s has an existingSecret: set the username that the password is for as well" .url) -}}
{{- end -}}
{{- if and $.Values.harbor.others (not .name) -}}
{{- fail "there are several Harbors: set harbor.name, and a name for each of harbor.others" -}}
{{- end -}}
{{- if has .name $names -}}
{{- fail (printf "two Harbors are called `%s`" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- else if .Values.harbor.others -}}
{{- fail "there are harbor.others, but harbor.enabled is false" -}}
{{- end -}}
{{- range $upstream, $mirror := .Values.mirrors -}}
{{- if or (contains "://" $upstream) (contains "://" $mirror) -}}
{{- fail (printf "mirrors has `%s: %s`: write registries without a scheme, such as harbor.example.com/dockerhub" $upstream $mirror) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if hasPrefix "MIMIC_" .name -}}
{{- fail (printf "extraEnv has %s: Mimic's settings are values of their own or belong into config" .name) -}}
{{- end -}}
{{- end -}}
{{- if eq (int .Values.ports.webhook) (int .Values.ports.admin) -}}
{{- fail "ports.webhook and ports.admin must differ" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas must not be above autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and .Values.priorityClassName .Values.priorityClass.create -}}
{{- fail "priorityClassName names an existing PriorityClass, and priorityClass.create makes one: choose one of them" -}}
{{- end -}}
{{- end -}}
