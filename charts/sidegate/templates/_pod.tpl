{{/* The pods that the chart runs itself, in modes daemonset and deployment: their template. */}}
{{- define "sidegate.podTemplate" -}}
metadata:
  labels:
    {{- include "sidegate.selectorLabels" . | nindent 4 }}
    {{- include "sidegate.ringLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "sidegate.podBasics" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if eq .Values.mode "deployment" }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- include "sidegate.spread" (list . "kubernetes.io/hostname") | nindent 4 }}
    {{- include "sidegate.spread" (list . "topology.kubernetes.io/zone") | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    {{- include "sidegate.container" (dict "chart" . "sidecar" false) | nindent 4 }}
  {{- $volumes := include "sidegate.volumes" (dict "chart" . "sidecar" false) | trim }}
  {{- if $volumes }}
  volumes:
    {{- $volumes | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* What every pod of ours has, that of the test included. sidegate asks the API server nothing. */}}
{{- define "sidegate.podBasics" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.serviceAccount.name }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Apart where that is possible, and together where it is not. Takes a list: context, topology key. */}}
{{- define "sidegate.spread" -}}
- maxSkew: 1
  topologyKey: {{ index . 1 }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "sidegate.selectorLabels" (index . 0) | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end -}}
