#!/usr/bin/env bash
# try_collector.sh DIR PROGRAM TRACES: what an OpenTelemetry Collector stores of what `mellea demo`
# and TRACES send is what they write into files of their own, and it samples as
# docs/collector.yaml says. It is built in DIR the first time, from 2 GB of sources. Exits 77,
# with a message, where it can't be had.
set -euo pipefail
source "$(dirname "$0")/common.sh"
here=$(realpath "$(dirname "$0")")
dir=$1 program=$2 traces=$3
mkdir -p "$dir"
dir=$(realpath "$dir")
collector=$dir/otelcol
slow_ms=3000

# The builder would have `go mod tidy` write go.mod, which also wants all that tests of the parts
# need; so it only writes the program.
build() {
  command -v go > /dev/null || { echo "no go to build it with"; return 1; }
  local parts=$here/collector_parts.yaml version=v0.155.0
  export GOPATH=$dir/go GOCACHE=$dir/go/cache GOFLAGS="${GOFLAGS:-} -modcacherw"
  cd "$dir"
  rm -rf build
  go run "go.opentelemetry.io/collector/cmd/builder@$version" --config "$parts" \
    --skip-get-modules --skip-compilation || return
  cd build
  {
    printf 'module otelcol\ngo 1.25\nrequire (\n'
    sed -n 's/^ *- gomod: //p' "$parts"
    printf '%s %s\n' go.opentelemetry.io/collector/otelcol "$version" \
      go.opentelemetry.io/collector/service "$version"
    printf ')\n'
  } > go.mod
  go build -mod=mod -ldflags '-s -w' -o "$collector" .
}
if ! [ -x "$collector" ] || [ "$here/collector_parts.yaml" -nt "$collector" ]; then
  (build) > "$dir/build.log" 2>&1 || { tail -n 3 "$dir/build.log"; echo "skipped: no Collector"; exit 77; }
  rm -rf "$dir/go" "$dir/build"
fi
"$collector" --version

stored=$dir/stored sent=$dir/sent
rm -rf "$stored" "$sent"
mkdir "$stored" "$sent"
port=$(free_port) prometheus_port=$(free_port)
COLLECTOR_PORT=$port PROMETHEUS_PORT=$prometheus_port STORED=$stored SLOW_MS=$slow_ms \
  PERCENT_OF_THE_REST=0 "$collector" --config "$here/../../docs/collector.yaml" \
  --config "$here/collector.yaml" > "$dir/collector.log" 2>&1 &
process=$!
trap 'kill "$process" 2> /dev/null || true; wait "$process" 2> /dev/null || true' EXIT
until_answered "http://127.0.0.1:$port/" "$process" "$dir/collector.log"

export OTEL_TRACES_EXPORTER=otlp OTEL_METRICS_EXPORTER=otlp MELLEA_GENERATION_CHUNK_EVENTS=true
export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$port OTEL_EXPORTER_OTLP_COMPRESSION=gzip
export MELLEA_TRACES_FILE=$sent/traces MELLEA_METRICS_FILE=$sent/metrics
export OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=interop,team=sea%20and%20tide
(cd "$dir" && OTEL_SERVICE_NAME=demo "$program" demo > demo.log)
OTEL_SERVICE_NAME=traces OTEL_METRICS_EXPORTER=otlp,console "$traces" 2> "$dir/traces.log"

# Its page names metrics as ours does, which is on the console too, and has the exemplars.
page=http://127.0.0.1:$prometheus_port/metrics
until curl -sf "$page" > "$dir/page" && grep -q ^shop_sales "$dir/page"; do sleep 0.2; done
diff <(grep '^# TYPE' "$dir/traces.log" | sort) <(grep '^# TYPE' "$dir/page" | sort) ||
  { echo "the Collector names metrics otherwise"; exit 1; }
curl -sf -H 'accept: application/openmetrics-text' "$page" > "$dir/page"
grep -q '^gen_ai_client_operation_duration_seconds_bucket{.*# {.*trace_id=' "$dir/page" ||
  { echo "no exemplar on the Collector's page"; exit 1; }

kill "$process"  # writes what it has, and judges what waits
wait "$process" || { tail -n 20 "$dir/collector.log"; exit 1; }
trap - EXIT
cat "$dir/collector.log"
python3 "$here/compare_otlp.py" "$sent/traces" "$stored/traces" "$sent/metrics" "$stored/metrics"
python3 "$here/kept_traces.py" "$stored/traces" "$stored/kept" "$slow_ms"
