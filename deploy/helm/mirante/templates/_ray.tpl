{{- /* As `mirante fleet` sets it where it starts Ray itself: a node that does not answer is noticed in
4 s, without a head all runs on for a day, what it starts has no low priority, and nothing is told to others. */}}
{{- define "mirante.ray.env" -}}
- {name: RAY_health_check_initial_delay_ms, value: "1000"}
- {name: RAY_health_check_period_ms, value: "1000"}
- {name: RAY_health_check_timeout_ms, value: "1000"}
- {name: RAY_health_check_failure_threshold, value: "3"}
- {name: RAY_gcs_rpc_server_reconnect_timeout_s, value: "86400"}
- {name: RAY_worker_niceness, value: "0"}
- {name: RAY_USAGE_STATS_ENABLED, value: "0"}
{{- end }}

{{- /* KubeRay would ask Ray's web agent by wget, and the image has neither. The container ends with
the processes that `ray start --block` looks after. */}}
{{- define "mirante.ray.probes" -}}
{{- range list "livenessProbe" "readinessProbe" }}
{{ . }}:
  exec: {command: [test, -S, /tmp/ray/session_latest/sockets/raylet]}
  initialDelaySeconds: 30
  periodSeconds: 10
  failureThreshold: 12
{{- end }}
{{- end }}

{{- define "mirante.ray.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: shared-mem, mountPath: /dev/shm}
{{- end }}

{{- define "mirante.ray.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 2Gi}
- name: shared-mem
  emptyDir: {medium: Memory, sizeLimit: 512Mi}
{{- end }}
