#!/usr/bin/env bash
# try_server.sh TEST PROGRAM FILTER: the tests against the server that the environment names, and
# then `mellea doctor` and `mellea chat`.
set -euo pipefail
test=$1 program=$2
"$test" --gtest_filter="$3"
"$program" doctor --backend "$MELLEA_BACKEND"
for how in --stream --no-stream; do
  answer=$("$program" chat --backend "$MELLEA_BACKEND" --model "$MELLEA_MODEL" \
    --option temperature=0 --option max_tokens=40 "$how" hi)
  echo "mellea chat $how:$answer"
  [[ $answer == *"Hello from a tiny local model"* ]]
done
