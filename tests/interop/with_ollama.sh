#!/usr/bin/env bash
# with_ollama.sh DIR COMMAND...: runs COMMAND while an Ollama of our own answers, which MELLEA_BACKEND,
# MELLEA_BASE_URL and MELLEA_MODEL name to it. The program is $MELLEA_OLLAMA, or the one in PATH.
# Exits 77, with a message, where there is none.
set -euo pipefail
source "$(dirname "$0")/common.sh"
dir=$1; shift
tools=$(cd "$(dirname "$0")/../../tools" && pwd)
ollama=${MELLEA_OLLAMA:-$(command -v ollama || true)}
[ -x "$ollama" ] || { echo "skipped: no ollama in PATH, nor at MELLEA_OLLAMA"; exit 77; }
command -v python3 > /dev/null || { echo "skipped: no python3 to make the model with"; exit 77; }
mkdir -p "$dir"
dir=$(realpath "$dir")
python3 "$tools/tiny_gguf.py" "$dir/tiny.gguf" agent

port=$(free_port)
export OLLAMA_HOST=127.0.0.1:$port OLLAMA_MODELS=$dir/models HOME=$dir
"$ollama" serve > "$dir/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true' EXIT
until curl -sf --max-time 2 "http://$OLLAMA_HOST/api/version" > /dev/null; do
  kill -0 "$server" 2> /dev/null || { tail -n 20 "$dir/server.log"; exit 1; }
  sleep 0.1
done
# The words that the model looks for and says, which Ollama finds in the template too.
cat > "$dir/Modelfile" << 'MODEL'
FROM ./tiny.gguf
TEMPLATE """{{- if or .System .Tools }}<|im_start|>system
{{ .System }}
{{- if .Tools }}
<tools>{{ range .Tools }}
{{ . }}
{{- end }}
</tools>
<tool_call>
{"name": "", "arguments": {}}
</tool_call>
{{- end }}<|im_end|>
{{ end }}
{{- range .Messages }}
{{- if eq .Role "user" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ if .Content }}{{ .Content }}{{ else if .ToolCalls }}<tool_call>
{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
{{ end }}</tool_call>{{ end }}<|im_end|>
{{ else if eq .Role "tool" }}<|im_start|>user
<tool_response>
{{ .Content }}
</tool_response><|im_end|>
{{ end }}
{{- end }}<|im_start|>assistant
"""
MODEL
(cd "$dir" && "$ollama" create tiny -f Modelfile) > "$dir/create.log" 2>&1 || { tail -n 5 "$dir/create.log"; exit 1; }
"$ollama" --version | head -n 1
MELLEA_BACKEND=ollama MELLEA_BASE_URL="http://$OLLAMA_HOST" MELLEA_MODEL=tiny "$@"
