{{/* What charts of apps include, each in one line. All take the context of this chart, which a
chart that depends on it has as .Subcharts.sidegate:

    template:
      metadata:
        labels:
          {{- include "sidegate.sidecar.podLabels" .Subcharts.sidegate | nindent 10 }}
      spec:
        initContainers:
          {{- include "sidegate.sidecar.container" .Subcharts.sidegate | nindent 10 }}
        containers:
          - name: app
            env:
              {{- include "sidegate.sidecar.env" .Subcharts.sidegate | nindent 14 }}
            volumeMounts:
              {{- include "sidegate.sidecar.volumeMounts" .Subcharts.sidegate | nindent 14 }}
        volumes:
          {{- include "sidegate.sidecar.volumes" .Subcharts.sidegate | nindent 10 }}
*/}}

{{/* An entry of initContainers; with restartPolicy Always it is a native sidecar. */}}
{{- define "sidegate.sidecar.container" -}}
{{- include "sidegate.requireContext" (list . "sidegate.sidecar.container") -}}
{{- include "sidegate.container" (dict "chart" . "sidecar" true) -}}
{{- end -}}

{{/* Entries of volumes. */}}
{{- define "sidegate.sidecar.volumes" -}}
{{- include "sidegate.requireContext" (list . "sidegate.sidecar.volumes") -}}
{{- include "sidegate.volumes" (dict "chart" . "sidecar" true) | trim -}}
{{- end -}}

{{/* Entries of the app's env. No secret: the pod's own socket needs none. */}}
{{- define "sidegate.sidecar.env" -}}
{{- include "sidegate.requireContext" (list . "sidegate.sidecar.env") -}}
- name: SIDEGATE_SIDECAR
  value: unix:/run/sidegate/sidegate.sock
- name: SIDEGATE_SERVICE
  value: {{ include "sidegate.serviceName" . | quote }}
{{- end -}}

{{/* Entries of the app's volumeMounts. Read-only: one can connect, but not remove the socket. */}}
{{- define "sidegate.sidecar.volumeMounts" -}}
{{- include "sidegate.requireContext" (list . "sidegate.sidecar.volumeMounts") -}}
- name: sidegate-socket
  mountPath: /run/sidegate
  readOnly: true
{{- end -}}

{{/* Labels of the pod, by which the other sidecars find it. */}}
{{- define "sidegate.sidecar.podLabels" -}}
{{- include "sidegate.requireContext" (list . "sidegate.sidecar.podLabels") -}}
{{- include "sidegate.ringLabels" . -}}
{{- end -}}

{{/* The same for apps that ask over TCP, where the chart runs the sidecars itself (mode daemonset
or deployment): env, volumeMounts and volumes. */}}
{{- define "sidegate.client.env" -}}
{{- include "sidegate.requireContext" (list . "sidegate.client.env") -}}
- name: SIDEGATE_SIDECAR
  value: {{ include "sidegate.linkAddress" (list . (include "sidegate.ring" .)) | quote }}
- name: SIDEGATE_SERVICE
  value: {{ include "sidegate.serviceName" . | quote }}
{{- if not .Values.insecure }}
- name: SIDEGATE_SECRET_FILE
  value: /etc/sidegate/secret/secret
{{- end }}
{{- end -}}

{{- define "sidegate.client.volumeMounts" -}}
{{- include "sidegate.requireContext" (list . "sidegate.client.volumeMounts") -}}
{{- include "sidegate.trustMounts" . | trim -}}
{{- end -}}

{{- define "sidegate.client.volumes" -}}
{{- include "sidegate.requireContext" (list . "sidegate.client.volumes") -}}
{{- include "sidegate.appTrustVolumes" (dict "chart" . "sidecar" false) | trim -}}
{{- end -}}

{{/* Takes a list: what an include was given, and its name. Fails when that is not our context. */}}
{{- define "sidegate.requireContext" -}}
{{- $given := index . 0 -}}
{{- if not (and (kindIs "map" $given) (hasKey $given "Values") (hasKey (get $given "Values") "onUnreachable")) -}}
{{- printf "include %q: expected the context of the sidegate chart, such as .Subcharts.sidegate (by the alias, if the dependency has one); is the dependency switched off by its condition? Set its value join instead" (index . 1) | fail -}}
{{- end -}}
{{- end -}}
