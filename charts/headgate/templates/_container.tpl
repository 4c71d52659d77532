{{/* The one definition of the container that runs `headgate serve`, and of its volumes.

Takes a dict: `chart` (the context of this chart) and `sidecar` (true beside an app). */}}

{{- define "headgate.container" -}}
{{- $chart := .chart -}}
{{- $values := $chart.Values -}}
- name: headgate
  image: {{ include "headgate.image" $chart | quote }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  command: [headgate, serve]
  {{- if .sidecar }}
  restartPolicy: Always
  {{- end }}
  env:
    {{- include "headgate.env" . | nindent 4 }}
  ports:
    - name: headgate-link
      containerPort: {{ int $values.ports.link }}
    - name: headgate-http
      containerPort: {{ int $values.ports.http }}
  {{- /* It is started once it has been sent the buckets that it will own; the app starts then. */}}
  {{- with $values.probes.startup }}
  startupProbe:
    {{- include "headgate.probe" (list $chart "/readyz" .) | nindent 4 }}
  {{- end }}
  {{- with $values.probes.liveness }}
  livenessProbe:
    {{- include "headgate.probe" (list $chart "/healthz" .) | nindent 4 }}
  {{- end }}
  {{- /* Beside an app none: a limiter out of order must not take the app out of service. */}}
  {{- if not .sidecar }}
  {{- with $values.probes.readiness }}
  readinessProbe:
    {{- include "headgate.probe" (list $chart "/readyz" .) | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- /* Runs at once, before the app stops: it hands over and goes on forwarding. SIGTERM ends it. */}}
  lifecycle:
    preStop:
      exec:
        command: [headgate, leave]
  {{- with $values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $values.securityContext | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  {{- $mounts := include "headgate.volumeMounts" . | trim }}
  {{- if $mounts }}
  volumeMounts:
    {{- $mounts | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "headgate.env" -}}
{{- $chart := .chart -}}
{{- $values := $chart.Values -}}
{{ include "headgate.nodeName" . | trim }}
- name: HEADGATE_LINK
  value: {{ include "headgate.address" (list $values.listenOn $values.ports.link) | quote }}
- name: HEADGATE_HTTP
  value: {{ include "headgate.address" (list $values.listenOn $values.ports.http) | quote }}
- name: HEADGATE_SEEDS
  value: {{ include "headgate.seeds" $chart | quote }}
{{- if .sidecar }}
- name: HEADGATE_SOCKET
  value: /run/headgate/headgate.sock
- name: HEADGATE_SOCKET_MODE
  value: {{ $values.socketMode | quote }}
{{- end }}
{{- if $values.insecure }}
- name: HEADGATE_INSECURE
  value: "true"
{{- else }}
- name: HEADGATE_SECRET_FILE
  value: /etc/headgate/secret/secret
{{- end }}
{{- if include "headgate.tlsSecretName" $chart }}
- name: HEADGATE_TLS_CERT
  value: /etc/headgate/tls/tls.crt
- name: HEADGATE_TLS_KEY
  value: /etc/headgate/tls/tls.key
- name: HEADGATE_TLS_CA
  value: /etc/headgate/tls/ca.crt
{{- end }}
- name: HEADGATE_CLUSTER
  value: {{ $values.cluster | quote }}
- name: HEADGATE_ROLE
  value: {{ $values.role }}
- name: HEADGATE_ON_UNREACHABLE
  value: {{ $values.onUnreachable }}
- name: HEADGATE_BUDGET
  value: {{ $values.budget | quote }}
- name: HEADGATE_DRAIN
  value: {{ $values.drain | quote }}
- name: HEADGATE_MOST_KEYS
  value: {{ $values.mostKeys | int64 | quote }}
- name: HEADGATE_MOST_CONNECTIONS
  value: {{ $values.mostConnections | int64 | quote }}
{{- with $values.stateFile }}
- name: HEADGATE_STATE_FILE
  value: {{ . | quote }}
{{- end }}
- name: HEADGATE_LOG_LEVEL
  value: {{ $values.logLevel }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Who it is on the ring: its pod. Pods of StatefulSets have the same names in each namespace, so
beside apps the namespace is added where the ring is in several, by injection or by a seed elsewhere. */}}
{{- define "headgate.nodeName" -}}
{{- $many := or (include "headgate.inOtherNamespaces" .chart) .chart.Values.seeds }}
{{- if and .sidecar $many }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: HEADGATE_NAME
  value: $(POD_NAME).$(POD_NAMESPACE)
{{- else }}
- name: HEADGATE_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- end -}}

{{/* Takes a list: context, path, timings. */}}
{{- define "headgate.probe" -}}
httpGet:
  path: {{ index . 1 }}
  port: {{ int (index . 0).Values.ports.http }}
{{ toYaml (index . 2) }}
{{- end -}}

{{/* Directories, not single files of them: only those follow when the Secret changes. */}}
{{- define "headgate.volumeMounts" -}}
{{- $chart := .chart }}
{{- if .sidecar }}
- name: headgate-socket
  mountPath: /run/headgate
{{- end }}
{{- include "headgate.trustMounts" $chart }}
{{- with $chart.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "headgate.volumes" -}}
{{- $chart := .chart }}
{{- if .sidecar }}
- name: headgate-socket
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end }}
{{- include "headgate.trustVolumes" $chart }}
{{- with $chart.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "headgate.trustMounts" -}}
{{- if not .Values.insecure }}
- name: headgate-secret
  mountPath: /etc/headgate/secret
  readOnly: true
{{- end }}
{{- if include "headgate.tlsSecretName" . }}
- name: headgate-tls
  mountPath: /etc/headgate/tls
  readOnly: true
{{- end }}
{{- end -}}

{{/* 0444: the containers that may mount them run as users that we don't know. */}}
{{- define "headgate.trustVolumes" -}}
{{- if not .Values.insecure }}
- name: headgate-secret
  secret:
    secretName: {{ include "headgate.secretName" . }}
    defaultMode: 0444
    items:
      - key: {{ .Values.secret.existingKey }}
        path: secret
{{- end }}
{{- with include "headgate.tlsSecretName" . }}
- name: headgate-tls
  secret:
    secretName: {{ . }}
    defaultMode: 0444
{{- end }}
{{- end -}}
