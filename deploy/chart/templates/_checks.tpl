{{/* Checks that the schema cannot express, or not with a helpful message. */}}
{{- define "mimic.checks" -}}
{{- $certificate := .Values.certificate -}}
{{- if eq $certificate.mode "managed" -}}
{{- if or $certificate.certManager.enabled $certificate.caBundle $certificate.injectCA -}}
{{- fail "certificate.mode is `managed`, in which Mimic creates the certificate and sets the caBundle: remove certificate.certManager.enabled, caBundle and injectCA, or choose the mode `kubernetes` or `file`" -}}
{{- end -}}
{{- else -}}
{{- if and $certificate.caBundle (or $certificate.injectCA $certificate.certManager.enabled) -}}
{{- fail "certificate.caBundle is set, but cert-manager is to set it, too: choose one of them" -}}
{{- end -}}
{{- if and $certificate.caBundle (not (contains "-----BEGIN CERTIFICATE-----" $certificate.caBundle)) -}}
{{- fail "certificate.caBundle must be PEM, not base64: --set-file certificate.caBundle=ca.crt" -}}
{{- end -}}
{{- end -}}
{{- if .Values.policy.enabled -}}
{{- if eq (toString .Values.config.MIMIC_DRYRUN) "true" -}}
{{- fail "policy.enabled is true, but config.MIMIC_DRYRUN is to leave pods unchanged: choose one of them" -}}
{{- end -}}
{{- if .Values.webhook.matchConditions -}}
{{- fail "policy.enabled is true, but webhook.matchConditions are not conditions of the policy: express them as webhook.namespaceSelector or webhook.objectSelector" -}}
{{- end -}}
{{- if and (.Capabilities.APIVersions.Has "v1/Pod") (not (include "mimic.policyVersion" .)) -}}
{{- fail "policy.enabled is true, but the API server has no API for mutating admission policies: Kubernetes 1.36 and later have it; 1.34 and 1.35 need the feature gate MutatingAdmissionPolicy and --runtime-config=admissionregistration.k8s.io/v1beta1=true" -}}
{{- end -}}
{{- end -}}
{{- if .Values.harbor.enabled -}}
{{- $names := list -}}
{{- range (include "mimic.harbors" . | fromYaml).list -}}
{{- if not .url -}}
{{- fail "harbor.enabled is true: set harbor.url, and a url for each of harbor.others" -}}
{{- end -}}
{{- if and .existingSecret (not .username) -}}
{{- fail (printf "the Harbor at %s has an existingSecret but no username: set the username of the password" .url) -}}
{{- end -}}
{{- if and $.Values.harbor.others (not .name) -}}
{{- fail "several Harbors are set: set harbor.name, and a name for each of harbor.others" -}}
{{- end -}}
{{- if has .name $names -}}
{{- fail (printf "two Harbors have the name `%s`" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- else if .Values.harbor.others -}}
{{- fail "harbor.others is set, but harbor.enabled is false" -}}
{{- end -}}
{{- range $upstream, $mirror := .Values.mirrors -}}
{{- if or (contains "://" $upstream) (contains "://" $mirror) -}}
{{- fail (printf "mirrors has `%s: %s`: write registries without a scheme, such as harbor.example.com/dockerhub" $upstream $mirror) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if hasPrefix "MIMIC_" .name -}}
{{- fail (printf "extraEnv has %s: use the value for this setting, or config" .name) -}}
{{- end -}}
{{- end -}}
{{- if eq (int .Values.ports.webhook) (int .Values.ports.admin) -}}
{{- fail "ports.webhook and ports.admin must differ" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas must not be above autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and .Values.priorityClassName .Values.priorityClass.create -}}
{{- fail "priorityClassName names an existing PriorityClass, and priorityClass.create creates one: choose one of them" -}}
{{- end -}}
{{- end -}}
