{{- define "mayfly.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "mayfly.fullname" -}}
{{- $name := include "mayfly.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mayfly.selector" -}}
app.kubernetes.io/name: {{ include "mayfly.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "mayfly.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{ include "mayfly.selector" . }}
{{- end -}}

{{- /* Tells this controller's previews from another's. */ -}}
{{- define "mayfly.instance" -}}
{{- default .Release.Name (dig "kubernetes" "instance" "" .Values.policy) -}}
{{- end -}}

{{- define "mayfly.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "mayfly.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: names the account to use, where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "mayfly.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "mayfly.domain" -}}
{{- required "domain: name the domain under which previews answer: --set domain=previews.example.com" .Values.domain -}}
{{- end -}}

{{- /* "true" where the forge keeps its repositories in the home. */ -}}
{{- define "mayfly.embeddedForge" -}}
{{- eq (default "git" .Values.policy.forge) "git" -}}
{{- end -}}

{{- /* "true" where GitHub tells us unasked. */ -}}
{{- define "mayfly.webhooks" -}}
{{- and (eq (default "git" .Values.policy.forge) "github") (ne (dig "github" "mode" "webhook" .Values.policy) "poll") -}}
{{- end -}}

{{- /* Variable and key of the Secret for each thing that GitHub's adapter needs to have; one a line. */ -}}
{{- define "mayfly.githubNeeds" -}}
{{- if eq (default "git" .Values.policy.forge) "github" -}}
{{- if not (dig "github" "app_id" "" .Values.policy) }}
MAYFLY_GITHUB_TOKEN: token
{{- else if not (dig "github" "private_key_file" "" .Values.policy) }}
MAYFLY_GITHUB_PRIVATE_KEY: private-key
{{- end }}
{{- if eq (include "mayfly.webhooks" .) "true" }}
MAYFLY_GITHUB_WEBHOOK_SECRET: webhook-secret
{{- end }}
{{- end -}}
{{- end -}}

{{- define "mayfly.persistent" -}}
{{- if kindIs "invalid" .Values.persistence.enabled -}}
{{- or (eq (include "mayfly.embeddedForge" .) "true") (ne (include "mayfly.sharedHistory" .) "true") -}}
{{- else -}}
{{- .Values.persistence.enabled -}}
{{- end -}}
{{- end -}}

{{- /* "true" where every replica sees the same home. */ -}}
{{- define "mayfly.shared" -}}
{{- and (eq (include "mayfly.persistent" .) "true") (eq .Values.persistence.accessMode "ReadWriteMany") -}}
{{- end -}}

{{- define "mayfly.replicas" -}}
{{- if not (kindIs "invalid" .Values.replicas) -}}
{{- .Values.replicas | int -}}
{{- else if or (eq (include "mayfly.oneHome" .) "true") (ne (include "mayfly.sharedHistory" .) "true") -}}
1
{{- else -}}
2
{{- end -}}
{{- end -}}

{{- /* "true" where only one replica can have the home. */ -}}
{{- define "mayfly.oneHome" -}}
{{- and (ne (include "mayfly.shared" .) "true") (or (eq (include "mayfly.embeddedForge" .) "true") (eq (include "mayfly.persistent" .) "true")) -}}
{{- end -}}

{{- define "mayfly.sharedHistory" -}}
{{- or .Values.postgresql.enabled (ne .Values.history.existingSecret "") (hasKey .Values.policy "history") -}}
{{- end -}}

{{- /* "true" where whoever asks needs a token: the controller is reached by others than this pod. */ -}}
{{- define "mayfly.tokens" -}}
{{- ne (dig "access" "mode" "token" .Values.policy | default "token") "open" -}}
{{- end -}}

{{- define "mayfly.adminSecret" -}}
{{- default (printf "%s-admin" (include "mayfly.fullname" .)) .Values.adminToken.existingSecret -}}
{{- end -}}

{{- define "mayfly.adminKey" -}}
{{- ternary .Values.adminToken.key "token" (ne .Values.adminToken.existingSecret "") -}}
{{- end -}}

{{- /* Seconds until Kubernetes kills a pod: never before the controller has had the time that the policy gives it. */ -}}
{{- define "mayfly.grace" -}}
{{- $within := dig "stop_within" "20s" .Values.policy | toString | lower | replace " " "" -}}
{{- if not (regexMatch "^[0-9]+(s|secs?|seconds?|m|mins?|minutes?)$" $within) -}}
{{- fail (printf "policy.stop_within: %s: write it in whole seconds or minutes here, like 45s" $within) -}}
{{- end -}}
{{- $number := regexFind "^[0-9]+" $within | int -}}
{{- $seconds := ternary (mul $number 60) $number (hasPrefix "m" (regexFind "[a-z]+$" $within)) -}}
{{- max (.Values.terminationGracePeriodSeconds | int) (add $seconds 5) -}}
{{- end -}}

{{- define "mayfly.databaseServer" -}}
{{- or .Values.postgresql.enabled (ne .Values.databases.existingSecret "") -}}
{{- end -}}

{{- define "mayfly.postgresql" -}}
{{- printf "%s-postgresql" (include "mayfly.fullname" .) -}}
{{- end -}}

{{- /* The pod's and the container's share of Pod Security `restricted`. */ -}}
{{- define "mayfly.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "mayfly.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The policy: what the chart knows, under what the values say. */ -}}
{{- define "mayfly.policy" -}}
{{- $images := dict "mayfly" (include "mayfly.image" .) -}}
{{- $isolation := ternary "server" "namespace" (eq (include "mayfly.databaseServer" .) "true") -}}
{{- $pulls := list -}}
{{- range .Values.imagePullSecrets -}}{{- $pulls = append $pulls .name -}}{{- end -}}
{{- $kubernetes := dict "namespace" .Release.Namespace "instance" .Release.Name "images" $images "pull_secrets" $pulls "databases" (dict "isolation" $isolation) -}}
{{- $known := dict "listen" "0.0.0.0:8080" "domain" (include "mayfly.domain" .) "platform" "kubernetes" "previews" (dict "resync" "60s") "kubernetes" $kubernetes -}}
{{- if or .Values.ingress.enabled .Values.httpRoute.enabled .Values.webhooks.ingress.enabled .Values.webhooks.httpRoute.enabled -}}
{{- /* How people come in, and what links on pull requests begin with. An Ingress without TLS of any kind is rare: `policy.public_url` says so. */ -}}
{{- $known = set $known "public_url" (printf "https://%s" (include "mayfly.domain" .)) -}}
{{- end -}}
{{- mergeOverwrite $known (deepCopy .Values.policy) | toYaml -}}
{{- end -}}
