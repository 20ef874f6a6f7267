#!/usr/bin/env bash
# with_litellm.sh DIR COMMAND...: runs COMMAND while a LiteLLM proxy answers, which MELLEA_BACKEND,
# MELLEA_BASE_URL, MELLEA_MODEL and LITELLM_API_KEY name to it. It stands in front of the server
# that these name before. It is installed into a virtual environment in DIR the first time (0.7 GB).
# Exits 77, with a message, where it can't be had.
set -euo pipefail
source "$(dirname "$0")/common.sh"
dir=$1; shift
mkdir -p "$dir"
dir=$(realpath "$dir")
proxy=$dir/venv/bin/litellm
python_package "$dir" 'litellm[proxy]' litellm

cat > "$dir/config.yaml" <<CONFIG
model_list:
  - model_name: $MELLEA_MODEL
    litellm_params: {model: openai/$MELLEA_MODEL, api_base: "$MELLEA_BASE_URL", api_key: none}
general_settings: {master_key: sk-interop}
litellm_settings: {telemetry: false}
CONFIG
port=$(free_port)
cd "$dir"
LITELLM_LOCAL_MODEL_COST_MAP=True PYTHONUNBUFFERED=1 \
  "$proxy" --config config.yaml --host 127.0.0.1 --port "$port" > server.log 2>&1 &
server=$!
trap 'kill "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true' EXIT
until curl -sf --max-time 2 "http://127.0.0.1:$port/health/liveliness" > /dev/null; do
  kill -0 "$server" 2> /dev/null || { tail -n 20 server.log; exit 1; }
  sleep 0.2
done
cd - > /dev/null
MELLEA_BACKEND=litellm MELLEA_BASE_URL="http://127.0.0.1:$port" LITELLM_API_KEY=sk-interop "$@"
