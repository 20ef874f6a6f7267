#!/usr/bin/env bash
# try_phoenix.sh DIR PROGRAM TRACES: what Arize Phoenix makes of what `mellea demo` and TRACES send it,
# in each vocabulary that it reads. It is installed into a virtual environment in DIR the first time
# (0.9 GB). Exits 77, with a message, where it can't be had.
set -euo pipefail
source "$(dirname "$0")/common.sh"
here=$(realpath "$(dirname "$0")")
dir=$1 program=$2 traces=$3
mkdir -p "$dir"
dir=$(realpath "$dir")
python_package "$dir" arize-phoenix arize-phoenix

port=$(free_port)
rm -rf "$dir/data"
mkdir "$dir/data"
cd "$dir"
PHOENIX_HOST=127.0.0.1 PHOENIX_PORT=$port PHOENIX_GRPC_PORT=$(free_port) PHOENIX_WORKING_DIR=$dir/data \
  PHOENIX_TELEMETRY_ENABLED=false PHOENIX_ALLOW_EXTERNAL_RESOURCES=false \
  "$dir/venv/bin/phoenix" serve > server.log 2>&1 &
process=$!
trap 'kill "$process" 2> /dev/null || true; wait "$process" 2> /dev/null || true' EXIT
until_answered "http://127.0.0.1:$port/healthz" "$process" server.log

export OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_COMPRESSION=gzip
export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:$port/v1/traces
for vocabulary in mellea openinference mellea,openinference; do
  export MELLEA_SEMCONV=$vocabulary MELLEA_TRACES_FILE=$dir/sent.$vocabulary
  project=${vocabulary/,/ and }
  export OTEL_RESOURCE_ATTRIBUTES="openinference.project.name=$project"
  rm -f "$MELLEA_TRACES_FILE"
  "$program" demo > demo.log
  "$traces"
  if [[ $vocabulary == *openinference ]] && ! grep -q '"llm.model_name"' "$MELLEA_TRACES_FILE"; then
    echo "$vocabulary: skipped: MELLEA_SEMCONV has no effect in this version"
    continue
  fi
  python3 "$here/check_phoenix.py" "http://127.0.0.1:$port" "$project" "$MELLEA_TRACES_FILE"
done
