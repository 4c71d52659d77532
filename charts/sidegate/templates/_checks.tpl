{{/* What no schema can say about values that don't go together; each failure names its values. */}}
{{- define "sidegate.checks" -}}
{{- if le (float64 .Values.terminationGracePeriodSeconds) (float64 .Values.drain) -}}
{{- printf "terminationGracePeriodSeconds %v: expected more than drain, which is %v" .Values.terminationGracePeriodSeconds .Values.drain | fail -}}
{{- end -}}
{{- if and .Values.join (ne .Values.mode "sidecar") -}}
{{- printf "join %q: expected mode sidecar with it, not %s: with join nothing is installed" .Values.join .Values.mode | fail -}}
{{- end -}}
{{- if eq (int .Values.ports.link) (int .Values.ports.http) -}}
{{- printf "ports.http %v: expected another port than ports.link" .Values.ports.http | fail -}}
{{- end -}}
{{- if has (int .Values.ports.resp) (list (int .Values.ports.link) (int .Values.ports.http)) -}}
{{- printf "ports.resp %v: expected another port than ports.link and ports.http" .Values.ports.resp | fail -}}
{{- end -}}
{{- if and .Values.envoy.enabled (eq (int .Values.ports.resp) (int .Values.ports.grpc)) -}}
{{- printf "ports.resp %v: expected another port than ports.grpc" .Values.ports.resp | fail -}}
{{- end -}}
{{- if .Values.ports.auth -}}
{{- if has (int .Values.ports.auth) (list (int .Values.ports.link) (int .Values.ports.http) (int .Values.ports.resp)) -}}
{{- printf "ports.auth %v: expected another port than ports.link, ports.http and ports.resp" .Values.ports.auth | fail -}}
{{- end -}}
{{- if and .Values.envoy.enabled (eq (int .Values.ports.auth) (int .Values.ports.grpc)) -}}
{{- printf "ports.auth %v: expected another port than ports.grpc" .Values.ports.auth | fail -}}
{{- end -}}
{{- if not .Values.rules.configMap -}}
{{- printf "ports.auth %v: expected rules.configMap beside it, which says what is limited" .Values.ports.auth | fail -}}
{{- end -}}
{{- end -}}
{{- if .Values.envoy.enabled -}}
{{- if has (int .Values.ports.grpc) (list (int .Values.ports.link) (int .Values.ports.http)) -}}
{{- printf "ports.grpc %v: expected another port than ports.link and ports.http" .Values.ports.grpc | fail -}}
{{- end -}}
{{- if and .Values.envoy.existingConfigMap .Values.envoy.limits -}}
{{- printf "envoy.existingConfigMap %q: expected either it or envoy.limits, not both" .Values.envoy.existingConfigMap | fail -}}
{{- end -}}
{{- if not (or .Values.envoy.existingConfigMap .Values.envoy.limits .Values.rules.configMap) -}}
{{- fail "envoy.limits {}: expected a file of limits in it, envoy.existingConfigMap, or rules.configMap, for envoy.enabled" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.secret.existingSecret (or .Values.secret.value .Values.secret.nodeValue .Values.secret.tokenValue) -}}
{{- printf "secret.existingSecret %q: expected either it or secret.value, secret.nodeValue and secret.tokenValue, not both" .Values.secret.existingSecret | fail -}}
{{- end -}}
{{- range $name := list "value" "nodeValue" "tokenValue" -}}
{{- range splitList "\n" (get $.Values.secret $name) -}}
{{- if and (trim .) (lt (len (trim .)) 16) -}}
{{- printf "secret.%s: a line of %d bytes, expected at least 16 (sidecars take no less), or nothing, and one is made up" $name (len (trim .)) | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ringSeed.value .Values.ringSeed.existingSecret -}}
{{- printf "ringSeed.existingSecret %q: expected either it or ringSeed.value, not both" .Values.ringSeed.existingSecret | fail -}}
{{- end -}}
{{- if and (ne .Values.mode "sidecar") (eq .Values.role "leaf") (not .Values.seeds) -}}
{{- printf "role leaf: in mode %s expected owner, or in seeds where the owners are: a leaf decides nothing" .Values.mode | fail -}}
{{- end -}}
{{- if and .Values.patch.name (eq .Values.patch.kind "Pod") -}}
{{- fail "patch.kind \"Pod\": expected a kind that makes pods, such as Deployment: a pod's containers can't be changed" -}}
{{- end -}}
{{- end -}}
