# Sourced by the scripts beside it.

# python_package DIR PACKAGE NAME: PACKAGE, as pip has it, is in the virtual environment
# DIR/venv, and is installed there the first time; prints its version. Exits 77, with a message,
# where it can't be had.
python_package() {
  local dir=$1 package=$2 name=$3
  if [ ! -e "$dir/installed" ]; then
    rm -rf "$dir/venv"
    python3 -m venv "$dir/venv" > "$dir/install.log" 2>&1 ||
      { tail -n 3 "$dir/install.log"; echo "skipped: no virtual environment of Python"; exit 77; }
    "$dir/venv/bin/pip" install "$package" > "$dir/install.log" 2>&1 ||
      { tail -n 3 "$dir/install.log"; echo "skipped: $name can't be installed"; exit 77; }
    touch "$dir/installed"
  fi
  "$dir/venv/bin/pip" list 2> /dev/null | grep -i "^$name "
}

# A port of this machine that was free a moment ago.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# until_answered URL PROCESS LOG: waits until something there answers. Exits 1, with the end of LOG,
# if PROCESS, which should, has ended.
until_answered() {
  until curl -s --max-time 2 -o /dev/null "$1"; do
    kill -0 "$2" 2> /dev/null || { tail -n 20 "$3"; exit 1; }
    sleep 0.2
  done
}
