{{/* How objects are named and labelled. Each template takes the context of this chart. */}}

{{/* A release may have dots in its name, a Service may not. */}}
{{- define "headgate.fullname" -}}
{{- $name := default "headgate" .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The ring that the sidecars belong to: one that is installed already, or our own. */}}
{{- define "headgate.ring" -}}
{{- if .Values.join -}}
{{- tpl .Values.join . -}}
{{- else -}}
{{- include "headgate.fullname" . -}}
{{- end -}}
{{- end -}}

{{- define "headgate.peersName" -}}
{{- printf "%s-peers" (include "headgate.ring" .) -}}
{{- end -}}

{{- define "headgate.selectorLabels" -}}
app.kubernetes.io/name: {{ default "headgate" .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "headgate.labels" -}}
{{ include "headgate.selectorLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* What all pods of one ring carry, whoever runs them. */}}
{{- define "headgate.ringLabels" -}}
headgate.io/ring: {{ include "headgate.ring" . }}
{{- end -}}

{{/* The labels of the pods that are this release's to look after. Where the chart runs them itself,
only those. The headless Service finds nodes by it: leaves in the pods of apps would make its answer
long, and nobody needs them to find the ring. So does the NetworkPolicy: it would shut apps' ports. */}}
{{- define "headgate.ownPods" -}}
{{- if eq .Values.mode "sidecar" -}}
{{- include "headgate.ringLabels" . -}}
{{- else -}}
{{- include "headgate.selectorLabels" . -}}
{{- end -}}
{{- end -}}

{{- define "headgate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "headgate.secretName" -}}
{{- default (include "headgate.ring" .) .Values.secret.existingSecret -}}
{{- end -}}

{{- define "headgate.tlsSecretName" -}}
{{- if .Values.tls.existingSecret -}}
{{- .Values.tls.existingSecret -}}
{{- else if .Values.tls.certManager.issuerRef -}}
{{- printf "%s-tls" (include "headgate.ring" .) -}}
{{- end -}}
{{- end -}}

{{/* HOST:PORT to listen at, with an IPv6 address in brackets. Takes a list: host, port. */}}
{{- define "headgate.address" -}}
{{- $host := index . 0 -}}
{{- if contains ":" $host }}[{{ $host }}]{{ else }}{{ $host }}{{ end }}:{{ index . 1 | int }}
{{- end -}}

{{/* HOST:PORT of the link behind a Service. Only a name that ends with a dot is asked for as it is;
any other one is tried behind each of the pod's search domains first. Takes a list: context, name of
the Service. */}}
{{- define "headgate.linkAddress" -}}
{{- $chart := index . 0 -}}
{{- $domain := $chart.Values.clusterDomain | trimSuffix "." -}}
{{- $suffix := ternary (printf ".%s." $domain) "" (ne $domain "") -}}
{{- printf "%s.%s.svc%s:%d" (index . 1) $chart.Release.Namespace $suffix (int $chart.Values.ports.link) -}}
{{- end -}}

{{- define "headgate.seeds" -}}
{{- $own := include "headgate.linkAddress" (list . (include "headgate.peersName" .)) -}}
{{- prepend .Values.seeds $own | join "," -}}
{{- end -}}

{{/* Not empty where pods of one ring may be in several namespaces by injection. */}}
{{- define "headgate.inOtherNamespaces" -}}
{{- if and .Values.injection.enabled .Values.injection.namespaceSelector }}yes{{ end -}}
{{- end -}}

{{/* Labels of the pod of `helm test`. Its name is another, so that no Service takes it for a node. */}}
{{- define "headgate.testLabels" -}}
app.kubernetes.io/name: {{ default "headgate" .Values.nameOverride }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
