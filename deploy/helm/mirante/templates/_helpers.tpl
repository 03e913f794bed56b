{{- /* Name of everything; a pod's is at most 63 characters, and a worker's is that of its pod. */}}
{{- define "mirante.fullname" -}}
{{- $name := contains "mirante" .Release.Name | ternary .Release.Name (printf "%s-mirante" .Release.Name) }}
{{- $name | replace "." "-" | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* Labels that select a part: (dict "root" $ "part" "worker"). */}}
{{- define "mirante.selector" -}}
app.kubernetes.io/name: mirante
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "mirante.labels" -}}
{{ include "mirante.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- /* The image of a part: (dict "root" $ "of" "bridges"); without "of" that for processors. */}}
{{- define "mirante.image" -}}
{{- $tag := .root.Values.image.tag | default .root.Chart.AppVersion -}}
image: "{{ .root.Values.image.repository }}:{{ $tag }}{{ with .of }}-{{ . }}{{ end }}"
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- end }}

{{- /* As the image runs: its user, no rights, and nothing to write but what is mounted. */}}
{{- define "mirante.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- /* Service links are off: the variables of a Service called mirante-… would look like ours. */}}
{{- define "mirante.pod" -}}
serviceAccountName: {{ include "mirante.fullname" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* A node that is gone is left after 5 s instead of Kubernetes' 300. */}}
{{- define "mirante.tolerations" -}}
tolerations:
  {{- range list "not-ready" "unreachable" }}
  - {key: node.kubernetes.io/{{ . }}, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
  {{- end }}
{{- end }}

{{- define "mirante.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: {{ .how }}
    labelSelector:
      matchLabels:
        {{- include "mirante.selector" . | nindent 8 }}
{{- end }}

{{- define "mirante.redis.env" -}}
{{- $secret := .Values.redis.existingSecret -}}
- name: MIRANTE_REDIS__URL
{{- if $secret.urlKey }}
  valueFrom:
    secretKeyRef: {name: {{ $secret.name }}, key: {{ $secret.urlKey }}}
{{- else }}
  value: {{ .Values.redis.url | quote }}
{{- end }}
{{- if $secret.passwordKey }}
- {name: MIRANTE_REDIS__PASSWORD_FILE, value: /run/secrets/redis/password}
{{- end }}
{{- range $variable, $file := include "mirante.redis.tls" . | fromJson }}
- {name: MIRANTE_REDIS__{{ $variable }}, value: /run/secrets/redis/{{ $file }}}
{{- end }}
{{- end }}

{{- define "mirante.redis.tls" -}}
{{- $tls := .Values.redis.tls }}
{{- $files := dict }}
{{- if $tls.caKey }}{{ $_ := set $files "CA_FILE" "ca.pem" }}{{ end }}
{{- if $tls.certKey }}{{ $_ := set $files "CERT_FILE" "cert.pem" }}{{ end }}
{{- if $tls.keyKey }}{{ $_ := set $files "KEY_FILE" "key.pem" }}{{ end }}
{{- $files | toJson }}
{{- end }}

{{- define "mirante.redis.files" -}}
{{- if or .Values.redis.existingSecret.passwordKey .Values.redis.tls.existingSecret }}true{{ end }}
{{- end }}

{{- define "mirante.redis.mount" -}}
{{- if include "mirante.redis.files" . }}
- {name: redis, mountPath: /run/secrets/redis, readOnly: true}
{{- end }}
{{- end }}

{{- define "mirante.redis.volume" -}}
{{- if include "mirante.redis.files" . }}
- name: redis
  projected:
    defaultMode: 0440
    sources:
      {{- with .Values.redis.existingSecret }}
      {{- if .passwordKey }}
      - secret:
          name: {{ .name }}
          items: [{key: {{ .passwordKey }}, path: password}]
      {{- end }}
      {{- end }}
      {{- with .Values.redis.tls }}
      {{- if .existingSecret }}
      - secret:
          name: {{ .existingSecret }}
          items:
            {{- if .caKey }}
            - {key: {{ .caKey }}, path: ca.pem}
            {{- end }}
            {{- if .certKey }}
            - {key: {{ .certKey }}, path: cert.pem}
            {{- end }}
            {{- if .keyKey }}
            - {key: {{ .keyKey }}, path: key.pem}
            {{- end }}
      {{- end }}
      {{- end }}
{{- end }}
{{- end }}

{{- /* The key with which passwords of cameras travel: of who adds cameras, and of who runs them. */}}
{{- define "mirante.fleet.env" -}}
{{- if .Values.fleet.existingSecret.name }}
- {name: MIRANTE_FLEET_KEY_FILE, value: /run/secrets/fleet/fleet.key}
{{- end }}
{{- end }}

{{- define "mirante.fleet.mount" -}}
{{- if .Values.fleet.existingSecret.name }}
- {name: fleet, mountPath: /run/secrets/fleet, readOnly: true}
{{- end }}
{{- end }}

{{- define "mirante.fleet.volume" -}}
{{- with .Values.fleet.existingSecret }}
{{- if .name }}
- name: fleet
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
    items: [{key: {{ .key }}, path: fleet.key}]
{{- end }}
{{- end }}
{{- end }}

{{- /* Workers that there may be: each has a file. */}}
{{- define "mirante.most" -}}
{{- .Values.autoscaling.enabled | ternary .Values.autoscaling.maxReplicas .Values.workers.replicas }}
{{- end }}
