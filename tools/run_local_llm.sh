#!/usr/bin/env bash
# Runs a real llama-server on Debian 12, which has none: that of Debian sid, under sid's own dynamic
# linker, unpacked into a folder and installed nowhere. No root is needed.
#
#   run_local_llm.sh DIR PORT MODEL.gguf [FLAG...]     downloads 14 MB into DIR the first time
#   run_local_llm.sh DIR                               only makes DIR/llama-server, a program to be run
#   run_local_llm.sh DIR --library                     also gets libllama's headers, into DIR/root/usr/include
#
# Exits 77 where the packages can't be had.
set -euo pipefail
dir=$(realpath -m "$1")
apt=$dir/apt; root=$dir/root

unavailable() { echo "llama-server can't be had here: $1" >&2; exit 77; }

# fetch PATTERN PACKAGE: downloads and unpacks the package and what it needs, of that only what
# matches the extended regular expression.
fetch() {
  local sources=/etc/apt/sources.list.d/debian.sources
  [ -r "$sources" ] && command -v apt-get > /dev/null || unavailable "no Debian package sources"
  mkdir -p "$apt"/etc/{sources.list.d,apt.conf.d,preferences.d} "$apt"/state/lists/partial \
    "$apt"/cache/archives/partial "$apt/log" "$dir/debs"
  : > "$apt/status"
  # The machine's own source and fetch settings, of another suite.
  awk '/^Types/{n++} n==1' "$sources" | sed -e 's/^Suites:.*/Suites: sid/' > "$apt/etc/sources.list.d/sid.sources"
  cp /etc/apt/apt.conf.d/* "$apt/etc/apt.conf.d/" 2> /dev/null || true
  for name in Etc:etc State:state Cache:cache Log:log; do
    printf 'Dir::%s "%s/%s";\n' "${name%:*}" "$apt" "${name#*:}"
  done > "$apt/apt.conf"
  printf 'Dir::State::status "%s/status";\nAPT::Sandbox::User "root";\n' "$apt" >> "$apt/apt.conf"
  export APT_CONFIG=$apt/apt.conf
  apt-get update -qq || unavailable "no package lists of sid"
  local packages
  packages=$(apt-get install -s --no-install-recommends "$2" | awk '/^Inst/{print $2}' | grep -E "$1" |
    grep -vE '^(wget|debconf|libgnutls|libp11|libgmp|libnettle|libhogweed|libidn2|libtasn1|libunistring|libffi|libpcre2|libpsl|libuuid|openssl-provider)') ||
    unavailable "sid has no $2"
  # shellcheck disable=SC2086
  (cd "$dir/debs" && apt-get download -qq $packages) || unavailable "a package does not download"
  local deb
  for deb in "$dir"/debs/*.deb; do dpkg -x "$deb" "$root"; done
  unset APT_CONFIG
}

[ -x "$root/usr/bin/llama-server" ] || fetch . llama.cpp-tools >&2
if [ "${2:-}" = --library ]; then
  [ -e "$root/usr/include/llama.h" ] || fetch '^lib(llama|ggml)-dev$' libllama-dev >&2
  exit 0
fi
lib=$root/usr/lib/x86_64-linux-gnu
[ -x "$lib/ld-linux-x86-64.so.2" ] || unavailable "it is unpacked for another machine"
cat > "$dir/llama-server.new" << END
#!/bin/sh
# Becomes the program, so that what is meant for it reaches it.
GGML_BACKEND_PATH='$lib/ggml/backends0/libggml-cpu-x64.so'; export GGML_BACKEND_PATH
exec '$lib/ld-linux-x86-64.so.2' --library-path '$lib:$lib/llama' '$root/usr/bin/llama-server' "\$@"
END
chmod +x "$dir/llama-server.new"
mv "$dir/llama-server.new" "$dir/llama-server"
[ $# -gt 1 ] || exit 0
exec "$dir/llama-server" -m "$(realpath "$3")" --host 127.0.0.1 --port "$2" -c 8192 -np 4 -t 1 \
  --offline --jinja --metrics --no-ui "${@:4}"
