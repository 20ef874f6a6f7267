#!/usr/bin/env bash
# with_llama_library.sh DIR CMAKE BUILD TARGET PROGRAM: builds TARGET, with libllama's headers in DIR
# by then, and runs it as PROGRAM under the dynamic linker that this libllama is for. Exits 77, with
# a message, where there can't be one.
set -euo pipefail
dir=$1 cmake=$2 build=$3 target=$4 program=$5
tools=$(cd "$(dirname "$0")/../../tools" && pwd)
command -v python3 > /dev/null || { echo "skipped: no python3 to make the model with"; exit 77; }
mkdir -p "$dir"
"$tools/run_local_llm.sh" "$dir" --library || { echo "skipped: see above"; exit 77; }
python3 "$tools/tiny_gguf.py" "$dir/agent.gguf" agent
"$cmake" --build "$build" --target "$target"
lib=$dir/root/usr/lib/x86_64-linux-gnu
MELLEA_MODEL="$dir/agent.gguf" GGML_BACKEND_PATH="$lib/ggml/backends0/libggml-cpu-x64.so" \
  exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib:/usr/lib/x86_64-linux-gnu" "$program"
