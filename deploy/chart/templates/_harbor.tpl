{{/* All Harbors, as a list under `list`. */}}
{{- define "mimic.harbors" -}}
list: {{ concat (list (omit .Values.harbor "enabled" "others")) .Values.harbor.others | toJson }}
{{- end -}}

{{/* The directory of a Harbor's files. */}}
{{- define "mimic.harbor.directory" -}}
harbor{{ with .name }}-{{ . }}{{ end }}
{{- end -}}

{{/* A Harbor, in the format of the server's configuration file. */}}
{{- define "mimic.harbor.settings" -}}
{{- $directory := include "mimic.harbor.directory" . -}}
{{- with .name }}
name: {{ . | quote }}
{{- end }}
api:
  host: {{ .url | quote }}
  {{- if .caConfigMap }}
  cafile: /etc/mimic/{{ $directory }}/ca.crt
  {{- end }}
{{- with .registry }}
registryurl: {{ . | quote }}
{{- end }}
{{- if or .username .existingSecret }}
robot:
  {{- with .username }}
  username: {{ . | quote }}
  {{- end }}
  {{- if .existingSecret }}
  passwordfile: /etc/mimic/{{ $directory }}/password
  {{- end }}
{{- end }}
{{- with .timeout }}
timeout:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- range $key := list "watch" "private" "unhealthy" }}
{{- if hasKey $ $key }}
{{ $key }}: {{ index $ $key }}
{{- end }}
{{- end }}
{{- with .pullSecret }}
pullsecret: {{ . }}
{{- end }}
{{- with .projects }}
projects:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .overrides }}
overrides: {{ include "mimic.pairs" . | quote }}
{{- end }}
{{- end -}}

{{/* A map as comma-separated pairs, the format of the server. */}}
{{- define "mimic.pairs" -}}
{{- $pairs := list -}}
{{- range $key, $value := . -}}
{{- $pairs = append $pairs (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{/* The server's configuration file, also for a single Harbor: variables cannot set several. */}}
{{- define "mimic.configFile" -}}
harbor:
{{- range (include "mimic.harbors" . | fromYaml).list }}
  - {{ include "mimic.harbor.settings" . | trim | nindent 4 | trim }}
{{- end }}
{{- end -}}
