#!/usr/bin/env bash
# with_llama_server.sh DIR COMMAND...: runs COMMAND while a llama-server answers, which
# MELLEA_BACKEND, MELLEA_BASE_URL and MELLEA_MODEL name to it. MELLEA_LLAMA_FLAGS are the server's.
# Exits 77, with a message, where there can't be one.
set -euo pipefail
source "$(dirname "$0")/common.sh"
dir=$1; shift
tools=$(cd "$(dirname "$0")/../../tools" && pwd)
command -v python3 > /dev/null || { echo "skipped: no python3 to make the model with"; exit 77; }
command -v curl > /dev/null || { echo "skipped: no curl to ask whether the server is up"; exit 77; }
mkdir -p "$dir"
python3 "$tools/tiny_gguf.py" "$dir/tiny.gguf" agent

port=$(free_port)
# shellcheck disable=SC2086
"$tools/run_local_llm.sh" "$dir" "$port" "$dir/tiny.gguf" ${MELLEA_LLAMA_FLAGS:-} > "$dir/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true' EXIT
until curl -sf --max-time 2 "http://127.0.0.1:$port/health" > /dev/null; do
  if ! kill -0 "$server" 2> /dev/null; then
    code=0; wait "$server" || code=$?
    tail -n 5 "$dir/server.log"
    [ "$code" -eq 77 ] && { echo "skipped: see above"; exit 77; }
    exit 1
  fi
  sleep 0.1
done
echo "llama-server $(curl -s "http://127.0.0.1:$port/props" | sed -n 's/.*"build_info":"\([^"]*\)".*/\1/p')"
MELLEA_BACKEND=openai MELLEA_BASE_URL="http://127.0.0.1:$port/v1" MELLEA_MODEL=tiny "$@"
