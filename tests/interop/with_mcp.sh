#!/usr/bin/env bash
# with_mcp.sh DIR COMMAND...: runs COMMAND with an MCP server by the protocol's own Python library,
# which MELLEA_MCP_PYTHON and MELLEA_MCP_SERVER start, and which answers at MELLEA_MCP_URL. The
# library is installed into a virtual environment in DIR the first time (60 MB). Exits 77, with a
# message, where it can't be had.
set -euo pipefail
source "$(dirname "$0")/common.sh"
server=$(realpath "$(dirname "$0")")/mcp_server.py
dir=$1; shift
mkdir -p "$dir"
dir=$(realpath "$dir")
python=$dir/venv/bin/python
python_package "$dir" 'mcp>=2' mcp

port=$(free_port)
"$python" "$server" "$port" > "$dir/server.log" 2>&1 &
process=$!
trap 'kill "$process" 2> /dev/null || true; wait "$process" 2> /dev/null || true' EXIT
until curl -s --max-time 2 -o /dev/null "http://127.0.0.1:$port/mcp"; do
  kill -0 "$process" 2> /dev/null || { tail -n 20 "$dir/server.log"; exit 1; }
  sleep 0.2
done
MELLEA_MCP_PYTHON=$python MELLEA_MCP_SERVER=$server MELLEA_MCP_URL="http://127.0.0.1:$port/mcp" "$@"
