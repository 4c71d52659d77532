{{/* The one definition of the container that runs `sidegate serve`, and of its volumes.

Takes a dict: `chart` (the context of this chart) and `sidecar` (true beside an app). */}}

{{- define "sidegate.container" -}}
{{- $chart := .chart -}}
{{- $values := $chart.Values -}}
- name: sidegate
  image: {{ include "sidegate.image" $chart | quote }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  command: [sidegate, serve]
  {{- if .sidecar }}
  restartPolicy: Always
  {{- end }}
  env:
    {{- include "sidegate.env" . | nindent 4 }}
  ports:
    - name: sidegate-link
      containerPort: {{ int $values.ports.link }}
    - name: sidegate-http
      containerPort: {{ int $values.ports.http }}
    {{- if and $values.ports.resp (not .sidecar) }}
    - name: sidegate-resp
      containerPort: {{ int $values.ports.resp }}
    {{- end }}
    {{- if and $values.ports.auth (not .sidecar) }}
    - name: sidegate-auth
      containerPort: {{ int $values.ports.auth }}
    {{- end }}
    {{- if $values.envoy.enabled }}
    - name: sidegate-grpc
      containerPort: {{ int $values.ports.grpc }}
    {{- end }}
  {{- /* It is started once it has been sent the buckets that it will own; the app starts then. */}}
  {{- with $values.probes.startup }}
  startupProbe:
    {{- include "sidegate.probe" (list $chart "/readyz" .) | nindent 4 }}
  {{- end }}
  {{- with $values.probes.liveness }}
  livenessProbe:
    {{- include "sidegate.probe" (list $chart "/healthz" .) | nindent 4 }}
  {{- end }}
  {{- /* Beside an app none: a limiter out of order must not take the app out of service. */}}
  {{- if not .sidecar }}
  {{- with $values.probes.readiness }}
  readinessProbe:
    {{- include "sidegate.probe" (list $chart "/readyz" .) | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- /* Runs at once, before the app stops: it hands over and goes on forwarding. SIGTERM ends it. */}}
  lifecycle:
    preStop:
      exec:
        command: [sidegate, leave]
  {{- with $values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $values.securityContext | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  {{- $mounts := include "sidegate.volumeMounts" . | trim }}
  {{- if $mounts }}
  volumeMounts:
    {{- $mounts | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "sidegate.env" -}}
{{- $chart := .chart -}}
{{- $values := $chart.Values -}}
{{ include "sidegate.nodeName" . | trim }}
- name: SIDEGATE_LINK
  value: {{ include "sidegate.address" (list $values.listenOn $values.ports.link) | quote }}
- name: SIDEGATE_HTTP
  value: {{ include "sidegate.address" (list $values.listenOn $values.ports.http) | quote }}
{{- if $values.ports.resp }}
- name: SIDEGATE_RESP
  value: {{ include "sidegate.address" (list (ternary "127.0.0.1" $values.listenOn .sidecar) $values.ports.resp) | quote }}
{{- end }}
{{- if $values.ports.auth }}
- name: SIDEGATE_AUTH
  value: {{ include "sidegate.address" (list (ternary "127.0.0.1" $values.listenOn .sidecar) $values.ports.auth) | quote }}
{{- with $values.authProxies }}
- name: SIDEGATE_AUTH_PROXIES
  value: {{ join "," . | quote }}
{{- end }}
{{- end }}
{{- if $values.envoy.enabled }}
{{- /* Beside an app Envoy is in the same pod. */}}
- name: SIDEGATE_GRPC
  value: {{ include "sidegate.address" (list (.sidecar | ternary "127.0.0.1" $values.listenOn) $values.ports.grpc) | quote }}
{{- with include "sidegate.ratelimitFiles" $chart }}
- name: SIDEGATE_RATELIMIT_YAML
  value: {{ . | quote }}
{{- end }}
{{- end }}
- name: SIDEGATE_SEEDS
  value: {{ include "sidegate.seeds" $chart | quote }}
{{- if .sidecar }}
- name: SIDEGATE_SOCKET
  value: /run/sidegate/sidegate.sock
- name: SIDEGATE_SOCKET_MODE
  value: {{ $values.socketMode | quote }}
{{- end }}
{{- if $values.insecure }}
- name: SIDEGATE_INSECURE
  value: "true"
{{- else }}
- name: SIDEGATE_SECRET_FILE
  value: /etc/sidegate/secret/secret
{{- if include "sidegate.nodeKey" $chart }}
- name: SIDEGATE_NODE_SECRET_FILE
  value: /etc/sidegate/secret/node-secret
{{- end }}
{{- include "sidegate.tokenEnv" $chart }}
{{- end }}
- name: SIDEGATE_RING_SEED_FILE
  value: /etc/sidegate/ring-seed/ring-seed
{{- if include "sidegate.tlsSecretName" $chart }}
- name: SIDEGATE_TLS_CERT
  value: /etc/sidegate/tls/tls.crt
- name: SIDEGATE_TLS_KEY
  value: /etc/sidegate/tls/tls.key
- name: SIDEGATE_TLS_CA
  value: /etc/sidegate/tls/ca.crt
{{- end }}
- name: SIDEGATE_CLUSTER
  value: {{ $values.cluster | quote }}
- name: SIDEGATE_ROLE
  value: {{ $values.role }}
{{- if $values.zone }}
- name: SIDEGATE_ZONE
  value: {{ $values.zone | quote }}
{{- else if $values.zoneLabel }}
- name: SIDEGATE_ZONE
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['{{ $values.zoneLabel }}']
{{- end }}
- name: SIDEGATE_ON_UNREACHABLE
  value: {{ $values.onUnreachable }}
- name: SIDEGATE_ON_SPLIT
  value: {{ $values.onSplit }}
- name: SIDEGATE_BUDGET
  value: {{ $values.budget | quote }}
- name: SIDEGATE_DRAIN
  value: {{ $values.drain | quote }}
- name: SIDEGATE_MAX_MEMORY
  value: {{ kindIs "string" $values.maxMemory | ternary $values.maxMemory ($values.maxMemory | int64) | quote }}
- name: SIDEGATE_CACHE_BYTES
  value: {{ kindIs "string" $values.cacheBytes | ternary $values.cacheBytes ($values.cacheBytes | int64) | quote }}
- name: SIDEGATE_MAX_CONNECTIONS
  value: {{ $values.maxConnections | int64 | quote }}
- name: SIDEGATE_REPORT_RULES
  value: {{ $values.reports.rules | int64 | quote }}
- name: SIDEGATE_REPORT_MEMORY
  value: {{ kindIs "string" $values.reports.memory | ternary $values.reports.memory ($values.reports.memory | int64) | quote }}
- name: SIDEGATE_REPORT_KEYS
  value: {{ $values.reports.keys }}
{{- with $values.httpHosts }}
- name: SIDEGATE_HTTP_HOSTS
  value: {{ join "," . | quote }}
{{- end }}
{{- with $values.stateFile }}
- name: SIDEGATE_STATE_FILE
  value: {{ . | quote }}
{{- end }}
{{- if $values.rules.configMap }}
- name: SIDEGATE_RULES
  value: {{ printf "/etc/sidegate/rules/%s" $values.rules.key | quote }}
{{- end }}
- name: SIDEGATE_LOG_LEVEL
  value: {{ $values.logLevel }}
{{- if $values.otel }}
- name: SIDEGATE_OTEL
  value: "true"
{{- end }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Who it is on the ring: its pod. Pods of StatefulSets have the same names in each namespace, so
beside apps the namespace is added where the ring is in several, by injection or by a seed elsewhere. */}}
{{- define "sidegate.nodeName" -}}
{{- $many := or (include "sidegate.inOtherNamespaces" .chart) .chart.Values.seeds }}
{{- if and .sidecar $many }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: SIDEGATE_NAME
  value: $(POD_NAME).$(POD_NAMESPACE)
{{- else }}
- name: SIDEGATE_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- end -}}

{{/* Takes a list: context, path, timings. */}}
{{- define "sidegate.probe" -}}
httpGet:
  path: {{ index . 1 }}
  port: {{ int (index . 0).Values.ports.http }}
{{ toYaml (index . 2) }}
{{- end -}}

{{/* Directories, not single files of them: only those follow when the Secret changes. */}}
{{- define "sidegate.volumeMounts" -}}
{{- $chart := .chart }}
{{- if .sidecar }}
- name: sidegate-socket
  mountPath: /run/sidegate
{{- end }}
- name: sidegate-ring-seed
  mountPath: /etc/sidegate/ring-seed
  readOnly: true
{{- if include "sidegate.ratelimitFiles" $chart }}
- name: sidegate-ratelimit
  mountPath: /etc/sidegate/ratelimit
  readOnly: true
{{- end }}
{{- if $chart.Values.rules.configMap }}
- name: sidegate-rules
  mountPath: /etc/sidegate/rules
  readOnly: true
{{- end }}
{{- include "sidegate.trustMounts" $chart }}
{{- with $chart.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sidegate.volumes" -}}
{{- $chart := .chart }}
{{- if .sidecar }}
- name: sidegate-socket
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end }}
- name: sidegate-ring-seed
  secret:
    secretName: {{ include "sidegate.ringSeedSecretName" $chart }}
    defaultMode: 0444
    items:
      - key: {{ $chart.Values.ringSeed.existingKey }}
        path: ring-seed
{{- if include "sidegate.ratelimitFiles" $chart }}
- name: sidegate-ratelimit
  configMap:
    name: {{ $chart.Values.envoy.existingConfigMap | default (printf "%s-ratelimit" (include "sidegate.ring" $chart)) }}
{{- end }}
{{- with $chart.Values.rules.configMap }}
- name: sidegate-rules
  configMap:
    name: {{ . }}
{{- end }}
{{- include "sidegate.trustVolumes" $chart }}
{{- with $chart.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The paths of the limits for Envoy: all files of the ConfigMap; nothing where rules decide. */}}
{{- define "sidegate.ratelimitFiles" -}}
{{- if .Values.envoy.enabled }}
{{- $names := ternary .Values.envoy.existingKeys (keys .Values.envoy.limits | sortAlpha) (ne .Values.envoy.existingConfigMap "") }}
{{- range $at, $name := $names }}{{ if $at }},{{ end }}/etc/sidegate/ratelimit/{{ $name }}{{ end }}
{{- end }}
{{- end -}}

{{- define "sidegate.trustMounts" -}}
{{- if not .Values.insecure }}
- name: sidegate-secret
  mountPath: /etc/sidegate/secret
  readOnly: true
{{- end }}
{{- if include "sidegate.tlsSecretName" . }}
- name: sidegate-tls
  mountPath: /etc/sidegate/tls
  readOnly: true
{{- end }}
{{- end -}}

{{/* What a command that asks over HTTP reads, if it isn't the secret of apps. */}}
{{- define "sidegate.tokenEnv" -}}
{{- if include "sidegate.tokenKey" . }}
- name: SIDEGATE_HTTP_TOKEN_FILE
  value: /etc/sidegate/secret/http-token
{{- end }}
{{- end -}}

{{/* 0444: the containers that may mount them run as users that we don't know. */}}
{{- define "sidegate.trustVolumes" -}}
{{- include "sidegate.appTrustVolumes" (dict "chart" . "sidecar" true) -}}
{{- end -}}

{{/* Apps that connect over TCP have the one secret that is for apps. Takes a dict, as above. */}}
{{- define "sidegate.appTrustVolumes" -}}
{{- $chart := .chart }}
{{- if not $chart.Values.insecure }}
- name: sidegate-secret
  secret:
    secretName: {{ include "sidegate.secretName" $chart }}
    defaultMode: 0444
    items:
      - key: {{ $chart.Values.secret.existingKey }}
        path: secret
      {{- if .sidecar }}
      {{- with include "sidegate.nodeKey" $chart }}
      - key: {{ . }}
        path: node-secret
      {{- end }}
      {{- with include "sidegate.tokenKey" $chart }}
      - key: {{ . }}
        path: http-token
      {{- end }}
      {{- end }}
{{- end }}
{{- with include "sidegate.tlsSecretName" $chart }}
- name: sidegate-tls
  secret:
    secretName: {{ . }}
    defaultMode: 0444
{{- end }}
{{- end -}}
