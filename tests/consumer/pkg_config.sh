# pkg_config.sh PREFIX VERSION OUTPUT COMPILER FLAG... SOURCE: builds and runs it as mellea.pc says.
set -eu
prefix=$1 version=$2 output=$3
shift 3
if ! command -v pkg-config >/dev/null; then
  echo "skipped: no pkg-config here"
  exit 77
fi
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name mellea.pc)")
export PKG_CONFIG_PATH
test "$(pkg-config --modversion mellea)" = "$version"
# shellcheck disable=SC2046  # flags are words
"$@" -DEXPECTED_VERSION="\"$version\"" -o "$output" $(pkg-config --cflags --libs mellea)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir mellea) "$output"
