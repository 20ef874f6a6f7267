#!/usr/bin/env bash
# with_model.sh DIR COMMAND...: runs COMMAND with a model at $MELLEA_MODEL. Exits 77, with a message,
# where there can't be one.
set -euo pipefail
dir=$1; shift
tools=$(cd "$(dirname "$0")/../../tools" && pwd)
command -v python3 > /dev/null || { echo "skipped: no python3 to make the model with"; exit 77; }
mkdir -p "$dir"
python3 "$tools/tiny_gguf.py" "$dir/agent.gguf" agent
MELLEA_MODEL="$dir/agent.gguf" exec "$@"
