{{/* How objects are named and labelled. Each template takes the context of this chart. */}}

{{/* A release may have dots in its name, a Service may not. */}}
{{- define "sidegate.fullname" -}}
{{- $name := default "sidegate" .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The ring that the sidecars belong to: one that is installed already, or our own. */}}
{{- define "sidegate.ring" -}}
{{- if .Values.join -}}
{{- tpl .Values.join . -}}
{{- else -}}
{{- include "sidegate.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* The name of the app for its limits. The templates are included by the chart of an app, so the
release is the app's; a patch names it. No release may have the "/" and ":" that such a name must not. */}}
{{- define "sidegate.serviceName" -}}
{{- coalesce .Values.serviceName .Values.patch.name .Release.Name | trunc 64 -}}
{{- end -}}

{{- define "sidegate.peersName" -}}
{{- printf "%s-peers" (include "sidegate.ring" .) -}}
{{- end -}}

{{- define "sidegate.selectorLabels" -}}
app.kubernetes.io/name: {{ default "sidegate" .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sidegate.labels" -}}
{{ include "sidegate.selectorLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* What all pods of one ring carry, whoever runs them. */}}
{{- define "sidegate.ringLabels" -}}
sidegate.io/ring: {{ include "sidegate.ring" . }}
{{- end -}}

{{/* The labels of the pods that are this release's to look after. Where the chart runs them itself,
only those. The headless Service finds nodes by it: leaves in the pods of apps would make its answer
long, and nobody needs them to find the ring. So does the NetworkPolicy: it would shut apps' ports. */}}
{{- define "sidegate.ownPods" -}}
{{- if eq .Values.mode "sidecar" -}}
{{- include "sidegate.ringLabels" . -}}
{{- else -}}
{{- include "sidegate.selectorLabels" . -}}
{{- end -}}
{{- end -}}

{{- define "sidegate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "sidegate.secretName" -}}
{{- default (include "sidegate.ring" .) .Values.secret.existingSecret -}}
{{- end -}}

{{/* Where the seed of the ring is: apart from the secret, which may be replaced, unless a Secret is
given that has both. */}}
{{- define "sidegate.ringSeedSecretName" -}}
{{- $made := printf "%s-ring-seed" (include "sidegate.ring" .) -}}
{{- if .Values.ringSeed.value -}}
{{- $made -}}
{{- else -}}
{{- coalesce .Values.ringSeed.existingSecret .Values.secret.existingSecret $made -}}
{{- end -}}
{{- end -}}

{{/* The key of what makes a node, in that Secret; empty if nodes have that of apps. */}}
{{- define "sidegate.nodeKey" -}}
{{- ternary .Values.secret.existingNodeKey "node-secret" (ne .Values.secret.existingSecret "") -}}
{{- end -}}

{{/* The key of what HTTP takes; empty if that is the secret of apps. */}}
{{- define "sidegate.tokenKey" -}}
{{- ternary .Values.secret.existingTokenKey "http-token" (ne .Values.secret.existingSecret "") -}}
{{- end -}}

{{- define "sidegate.tlsSecretName" -}}
{{- if .Values.tls.existingSecret -}}
{{- .Values.tls.existingSecret -}}
{{- else if .Values.tls.certManager.issuerRef -}}
{{- printf "%s-tls" (include "sidegate.ring" .) -}}
{{- end -}}
{{- end -}}

{{/* HOST:PORT to listen at, with an IPv6 address in brackets. Takes a list: host, port. */}}
{{- define "sidegate.address" -}}
{{- $host := index . 0 -}}
{{- if contains ":" $host }}[{{ $host }}]{{ else }}{{ $host }}{{ end }}:{{ index . 1 | int }}
{{- end -}}

{{/* HOST:PORT of the link behind a Service. Only a name that ends with a dot is asked for as it is;
any other one is tried behind each of the pod's search domains first. Takes a list: context, name of
the Service. */}}
{{- define "sidegate.linkAddress" -}}
{{- $chart := index . 0 -}}
{{- $domain := $chart.Values.clusterDomain | trimSuffix "." -}}
{{- $suffix := ternary (printf ".%s." $domain) "" (ne $domain "") -}}
{{- printf "%s.%s.svc%s:%d" (index . 1) $chart.Release.Namespace $suffix (int $chart.Values.ports.link) -}}
{{- end -}}

{{- define "sidegate.seeds" -}}
{{- $own := include "sidegate.linkAddress" (list . (include "sidegate.peersName" .)) -}}
{{- prepend .Values.seeds $own | join "," -}}
{{- end -}}

{{/* Not empty where pods of one ring may be in several namespaces by injection. */}}
{{- define "sidegate.inOtherNamespaces" -}}
{{- if and .Values.injection.enabled .Values.injection.namespaceSelector }}yes{{ end -}}
{{- end -}}

{{/* Labels of the pod of `helm test`. Its name is another, so that no Service takes it for a node. */}}
{{- define "sidegate.testLabels" -}}
app.kubernetes.io/name: {{ default "sidegate" .Values.nameOverride }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
