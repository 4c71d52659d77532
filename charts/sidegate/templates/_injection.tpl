{{/* Parts of the policy that injects the sidecar: what the named templates say, as CEL. */}}

{{/* The version of the API, and whether the policy can be at all; each failure names its values.
A cluster tells kinds by name, `helm template` doesn't: then nobody knows, and it is the newest. */}}
{{- define "sidegate.injection.apiVersion" -}}
{{- $group := "admissionregistration.k8s.io" -}}
{{- $has := .Capabilities.APIVersions -}}
{{- if ne .Values.mode "sidecar" -}}
{{- printf "injection.enabled true: expected mode sidecar with it, not %s" .Values.mode | fail -}}
{{- end -}}
{{- if .Values.join -}}
{{- printf "injection.enabled true: expected it where the ring is installed, not with join %q" .Values.join | fail -}}
{{- end -}}
{{- if $has.Has (printf "%s/v1/MutatingAdmissionPolicy" $group) -}}
{{ $group }}/v1
{{- else if $has.Has (printf "%s/v1beta1/MutatingAdmissionPolicy" $group) -}}
{{ $group }}/v1beta1
{{- else if $has.Has (printf "%s/v1/MutatingWebhookConfiguration" $group) -}}
{{- printf "injection.enabled true: expected a cluster with the API MutatingAdmissionPolicy, which is Kubernetes 1.36, or 1.34 with %s/v1beta1 switched on; this one is %s" $group .Capabilities.KubeVersion.Version | fail -}}
{{- else -}}
{{ $group }}/v1
{{- end -}}
{{- end -}}

{{/* Entries of the app's env. The release isn't the app's here, and the app is known by a label. */}}
{{- define "sidegate.injection.env" -}}
{{- $env := list -}}
{{- range include "sidegate.sidecar.env" . | fromYamlArray -}}
{{- if and (eq .name "SIDEGATE_SERVICE") (not $.Values.serviceName) -}}
{{- $field := dict "fieldPath" (printf "metadata.labels['%s']" $.Values.injection.serviceLabel) -}}
{{- $env = append $env (dict "name" .name "valueFrom" (dict "fieldRef" $field)) -}}
{{- else -}}
{{- $env = append $env . -}}
{{- end -}}
{{- end -}}
{{- toYaml $env -}}
{{- end -}}

{{/* The policy is an object of the cluster, so its name holds the namespace. */}}
{{- define "sidegate.injection.name" -}}
{{- printf "%s.%s.sidegate.io" (include "sidegate.fullname" .) .Release.Namespace -}}
{{- end -}}

{{/* A map or a list as a literal of CEL. Those of CEL hold one type each, so where they hold more
than strings each value is marked as of any type. Strings of JSON are strings of CEL. */}}
{{- define "sidegate.cel" -}}
{{- $strings := true -}}
{{- range . }}{{ if not (kindIs "string" .) }}{{ $strings = false }}{{ end }}{{ end -}}
{{- $entries := list -}}
{{- $isMap := kindIs "map" . -}}
{{- range $key, $value := . -}}
{{- $entry := toJson $value -}}
{{- if or (kindIs "map" $value) (kindIs "slice" $value) -}}
{{- $entry = include "sidegate.cel" $value -}}
{{- end -}}
{{- if not $strings -}}
{{- $entry = printf "dyn(%s)" $entry -}}
{{- end -}}
{{- if $isMap -}}
{{- $entry = printf "%s: %s" (toJson $key) $entry -}}
{{- end -}}
{{- $entries = append $entries $entry -}}
{{- end -}}
{{- if $strings -}}
{{- $entries = join ", " $entries -}}
{{- else -}}
{{- $entries = printf "\n%s\n" (join ",\n" $entries | indent 2) -}}
{{- end -}}
{{- printf (ternary "{%s}" "[%s]" $isMap) $entries -}}
{{- end -}}

{{/* Patches that put entries into a list of the pod's spec, which may not be there yet. Takes a
list: the field, where in it ("0" or "-"), the entries. */}}
{{- define "sidegate.injection.inSpec" -}}
{{- $field := index . 0 -}}
(has(object.spec.{{ $field }}) ? [] : [JSONPatch{op: "add", path: "/spec/{{ $field }}", value: []}])
{{- $place := index . 1 -}}
{{- range index . 2 }}
+ [JSONPatch{op: "add", path: "/spec/{{ $field }}/{{ $place }}", value: {{ include "sidegate.cel" . }}}]
{{- end -}}
{{- end -}}

{{/* The same for a list of each container that is to ask the sidecar; an entry that the container
has already, by the field that must be unique, stays as it is. Takes a list: the field, the unique
field of its entries, the entries. */}}
{{- define "sidegate.injection.inContainers" -}}
{{- $field := index . 0 -}}
{{- $unique := index . 1 -}}
object.spec.containers.transformList(i, c, c.name in variables.askers && !has(c.{{ $field }}),
  JSONPatch{op: "add", path: "/spec/containers/" + string(i) + "/{{ $field }}", value: []})
{{- range index . 2 }}
+ object.spec.containers.transformList(i, c, c.name in variables.askers &&
  c.?{{ $field }}.orValue([]).all(e, e.{{ $unique }} != {{ get . $unique | toJson }}),
  JSONPatch{op: "add", path: "/spec/containers/" + string(i) + "/{{ $field }}/-", value: {{ include "sidegate.cel" . }}})
{{- end -}}
{{- end -}}
