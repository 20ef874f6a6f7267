#!/usr/bin/env bash
# try_prometheus.sh DIR PROGRAM TRACES: what Prometheus stores of the metrics of TRACES is what their
# page says, promtool reads the page, and the queries of docs/recipes.md find something. It is the
# one in PATH, or the distribution's, unpacked into DIR (20 MB to download). Exits 77, with a
# message, where it can't be had.
set -euo pipefail
source "$(dirname "$0")/common.sh"
here=$(realpath "$(dirname "$0")")
dir=$1 traces=$3
mkdir -p "$dir"
dir=$(realpath "$dir")
export PATH=$PATH:$dir/root/usr/bin
if ! command -v prometheus > /dev/null || ! command -v promtool > /dev/null; then
  (cd "$dir" && apt-get download -qq prometheus && dpkg -x prometheus_*.deb root) > "$dir/install.log" 2>&1 ||
    { tail -n 3 "$dir/install.log"; echo "skipped: no Prometheus"; exit 77; }
fi
prometheus --version 2>&1 | head -n 1

# It is there to be looked at until its standard input ends.
coproc program {
  MELLEA_TRACES_FILE=/dev/null OTEL_METRICS_EXPORTER=prometheus OTEL_EXPORTER_PROMETHEUS_PORT=0 \
    MELLEA_GENERATION_CHUNK_EVENTS=true MELLEA_METRICS_LABELS=tenant.id \
    OTEL_RESOURCE_ATTRIBUTES=team=sea%20and%20tide "$traces" --serve 2> "$dir/traces.log"
}
read -r page_port <&"${program[0]}" || { cat "$dir/traces.log"; exit 1; }
target=127.0.0.1:$page_port
curl -sf "http://$target/metrics" > "$dir/page"
# What promtool finds fault with is names that OpenTelemetry's rules make; what it can't read is 1.
promtool check metrics < "$dir/page" || { code=$?; [ "$code" -ne 1 ] || exit 1; }

cat > "$dir/prometheus.yml" << CONFIG
global: {scrape_interval: 1s}
scrape_configs: [{job_name: mellea, static_configs: [{targets: ["$target"]}]}]
CONFIG
rm -rf "$dir/data"
port=$(free_port)
prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" --log.level=warn \
  --web.listen-address="127.0.0.1:$port" --enable-feature=exemplar-storage > "$dir/prometheus.log" 2>&1 &
process=$!
trap 'kill "$process" 2> /dev/null || true; wait "$process" 2> /dev/null || true' EXIT
until_answered "http://127.0.0.1:$port/-/ready" "$process" "$dir/prometheus.log"
python3 "$here/check_prometheus.py" "http://127.0.0.1:$port" "http://$target/metrics" \
  "$here/../../docs/recipes.md"
