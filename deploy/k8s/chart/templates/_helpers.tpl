{{- define "bertd.labels" -}}
app.kubernetes.io/name: bertd
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bertd.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* Where `bertctl pull` puts a commit, unless the volume has the model in another folder. */ -}}
{{- define "bertd.model" -}}
{{- $pulled := printf "models--%s/snapshots/%s" (replace "/" "--" .Values.model.repository) .Values.model.revision -}}
/models/{{ .Values.model.path | default $pulled }}
{{- end }}

{{- /* xrt:0,xrt:1: XRT counts the cards that the pod has, not those of the node. */ -}}
{{- define "bertd.cards" -}}
{{- range $n := until (int .Values.xrt.count) }}{{ if $n }},{{ end }}xrt:{{ $n }}{{ end }}
{{- end }}

{{- define "bertd.resources" -}}
requests:
  {{- toYaml (.Values.resources.requests | default .Values.resources.limits) | nindent 2 }}
limits:
  {{- toYaml .Values.resources.limits | nindent 2 }}
{{- end }}

{{- define "bertd.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
