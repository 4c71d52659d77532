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
{{- if and .Values.secret.value .Values.secret.existingSecret -}}
{{- printf "secret.existingSecret %q: expected either it or secret.value, not both" .Values.secret.existingSecret | fail -}}
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
