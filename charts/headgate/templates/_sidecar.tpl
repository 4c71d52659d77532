{{/* What charts of apps include, each in one line. All take the context of this chart, which a
chart that depends on it has as .Subcharts.headgate:

    template:
      metadata:
        labels:
          {{- include "headgate.sidecar.podLabels" .Subcharts.headgate | nindent 10 }}
      spec:
        initContainers:
          {{- include "headgate.sidecar.container" .Subcharts.headgate | nindent 10 }}
        containers:
          - name: app
            env:
              {{- include "headgate.sidecar.env" .Subcharts.headgate | nindent 14 }}
            volumeMounts:
              {{- include "headgate.sidecar.volumeMounts" .Subcharts.headgate | nindent 14 }}
        volumes:
          {{- include "headgate.sidecar.volumes" .Subcharts.headgate | nindent 10 }}
*/}}

{{/* An entry of initContainers; with restartPolicy Always it is a native sidecar. */}}
{{- define "headgate.sidecar.container" -}}
{{- include "headgate.requireContext" (list . "headgate.sidecar.container") -}}
{{- include "headgate.container" (dict "chart" . "sidecar" true) -}}
{{- end -}}

{{/* Entries of volumes. */}}
{{- define "headgate.sidecar.volumes" -}}
{{- include "headgate.requireContext" (list . "headgate.sidecar.volumes") -}}
{{- include "headgate.volumes" (dict "chart" . "sidecar" true) | trim -}}
{{- end -}}

{{/* Entries of the app's env. No secret: the pod's own socket needs none. */}}
{{- define "headgate.sidecar.env" -}}
{{- include "headgate.requireContext" (list . "headgate.sidecar.env") -}}
- name: HEADGATE_SIDECAR
  value: unix:/run/headgate/headgate.sock
{{- end -}}

{{/* Entries of the app's volumeMounts. Read-only: one can connect, but not remove the socket. */}}
{{- define "headgate.sidecar.volumeMounts" -}}
{{- include "headgate.requireContext" (list . "headgate.sidecar.volumeMounts") -}}
- name: headgate-socket
  mountPath: /run/headgate
  readOnly: true
{{- end -}}

{{/* Labels of the pod, by which the other sidecars find it. */}}
{{- define "headgate.sidecar.podLabels" -}}
{{- include "headgate.requireContext" (list . "headgate.sidecar.podLabels") -}}
{{- include "headgate.ringLabels" . -}}
{{- end -}}

{{/* The same for apps that ask over TCP, where the chart runs the sidecars itself (mode daemonset
or deployment): env, volumeMounts and volumes. */}}
{{- define "headgate.client.env" -}}
{{- include "headgate.requireContext" (list . "headgate.client.env") -}}
- name: HEADGATE_SIDECAR
  value: {{ include "headgate.linkAddress" (list . (include "headgate.ring" .)) | quote }}
{{- if not .Values.insecure }}
- name: HEADGATE_SECRET_FILE
  value: /etc/headgate/secret/secret
{{- end }}
{{- end -}}

{{- define "headgate.client.volumeMounts" -}}
{{- include "headgate.requireContext" (list . "headgate.client.volumeMounts") -}}
{{- include "headgate.trustMounts" . | trim -}}
{{- end -}}

{{- define "headgate.client.volumes" -}}
{{- include "headgate.requireContext" (list . "headgate.client.volumes") -}}
{{- include "headgate.trustVolumes" . | trim -}}
{{- end -}}

{{/* Takes a list: what an include was given, and its name. Fails when that is not our context. */}}
{{- define "headgate.requireContext" -}}
{{- $given := index . 0 -}}
{{- if not (and (kindIs "map" $given) (hasKey $given "Values") (hasKey (get $given "Values") "onUnreachable")) -}}
{{- printf "include %q: expected the context of the headgate chart, such as .Subcharts.headgate (by the alias, if the dependency has one); is the dependency switched off by its condition? Set its value join instead" (index . 1) | fail -}}
{{- end -}}
{{- end -}}
