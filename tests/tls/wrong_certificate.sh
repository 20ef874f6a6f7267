#!/usr/bin/env bash
# wrong_certificate.sh PROGRAM: a server whose certificate nobody vouches for is not spoken to, and the
# one line that says so names it. Exits 77 where there is no openssl to play the server.
set -euo pipefail
program=$1
command -v openssl > /dev/null || { echo "skipped: no openssl"; exit 77; }
dir=$(mktemp -d)
trap 'kill "${server:-}" 2> /dev/null || true; rm -rf "$dir"' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost \
  -keyout "$dir/key.pem" -out "$dir/cert.pem" 2> /dev/null
# Port 0: the system chooses one that nobody has, and the server says which.
openssl s_server -accept 127.0.0.1:0 -key "$dir/key.pem" -cert "$dir/cert.pem" -www \
  > "$dir/server" 2>&1 < /dev/null &
server=$!
until port=$(sed -n 's/^ACCEPT 127.0.0.1://p' "$dir/server") && [ -n "$port" ]; do
  kill -0 "$server" || { cat "$dir/server"; exit 1; }
done

status=0
message=$("$program" chat --backend openai --base-url "https://localhost:$port/v1" \
  --model m hi 2>&1 > "$dir/out") || status=$?
echo "$message"
[ "$status" -eq 1 ] || { echo "exit code $status, not 1"; exit 1; }
[ "$(wc -l <<< "$message")" -eq 1 ] || { echo "not one line"; exit 1; }
[[ $message == *certificate* && $message == *"localhost:$port"* ]] || { echo "does not say what is wrong"; exit 1; }
[ ! -s "$dir/out" ] || { echo "wrote to standard output"; exit 1; }
