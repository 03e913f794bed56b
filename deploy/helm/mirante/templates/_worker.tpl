{{- define "mirante.worker.of" -}}
{{- if .Values.ray.enabled }}fleet{{ else if gt (int .Values.workers.gpu.count) 0 }}tensorrt{{ end }}
{{- end }}

{{- /* What a worker's container has wherever it runs. */}}
{{- define "mirante.worker.container" -}}
{{- $gpu := .Values.workers.gpu }}
{{- include "mirante.image" (dict "root" $ "of" (include "mirante.worker.of" .)) }}
{{ include "mirante.container" . }}
{{- with .Values.workers.envFromSecrets }}
envFrom:
  {{- range . }}
  - secretRef: {name: {{ . }}}
  {{- end }}
{{- end }}
resources:
  {{- $resources := deepCopy .Values.workers.resources }}
  {{- if gt (int $gpu.count) 0 }}
  {{- $resources = mergeOverwrite $resources (dict "limits" (dict $gpu.resource (int $gpu.count))) }}
  {{- end }}
  {{- toYaml $resources | nindent 2 }}
{{- end }}

{{- define "mirante.worker.env" -}}
{{- include "mirante.redis.env" . }}
- {name: MIRANTE_METRICS__HOST, value: 0.0.0.0}
- {name: MIRANTE_DASHBOARD__PORT, value: "null"}
- {name: MIRANTE_LOG__FORMAT, value: json}
{{- if .Values.fleet.enabled }}
- {name: MIRANTE_FLEET__JOIN, value: "true"}
- name: MIRANTE_FLEET__NODE
  valueFrom:
    fieldRef: {fieldPath: spec.nodeName}
{{- end }}
{{- include "mirante.fleet.env" . | nindent 0 }}
{{- range $name, $value := .Values.workers.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "mirante.worker.mounts" -}}
- {name: home, mountPath: /home/mirante/.mirante}
- {name: config, mountPath: /etc/mirante, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- include "mirante.redis.mount" . | nindent 0 }}
{{- include "mirante.fleet.mount" . | nindent 0 }}
{{- end }}

{{- define "mirante.worker.volumes" -}}
- name: config
  configMap: {name: {{ include "mirante.fullname" . }}-config}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
{{- include "mirante.redis.volume" . | nindent 0 }}
{{- include "mirante.fleet.volume" . | nindent 0 }}
{{- end }}

{{- /* Docker fills a new volume from the image, Kubernetes does not: models that the image has. */}}
{{- define "mirante.worker.fill" -}}
- name: models
  {{- include "mirante.image" (dict "root" $ "of" (include "mirante.worker.of" .)) | nindent 2 }}
  {{- include "mirante.container" . | nindent 2 }}
  command: [cp, -ru, /home/mirante/.mirante/., /models/]
  resources:
    requests: {cpu: 100m, memory: 64Mi}
    limits: {memory: 256Mi}
  volumeMounts:
    - {name: home, mountPath: /models}
{{- end }}

{{- define "mirante.worker.scheduling" -}}
{{- $worker := .Values.workers }}
{{- include "mirante.tolerations" . }}
{{- with $worker.tolerations }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include "mirante.spread" (dict "root" $ "part" "worker" "how" $worker.spread) }}
{{- with $worker.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $worker.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if gt (int $worker.gpu.count) 0 }}
{{- with $worker.gpu.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- end }}
terminationGracePeriodSeconds: {{ $worker.terminationGracePeriodSeconds }}
{{- end }}
