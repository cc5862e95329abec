#!/bin/sh
# SPDX-License-Identifier: MIT
# An outside project uses the library: installed and found by CMake, found by pkg-config after the
# tree was moved, and as a subproject. All paths have spaces in them.
set -eu
# shellcheck source=../check/common.sh
. "$(dirname "$0")/../check/common.sh"

CMAKE=${CMAKE:-cmake}
consumer=$PW_SOURCE/tests/install/consumer
want="pagewalk 0.1: 0x1234"

# expect_answer CLAIM PROGRAM
expect_answer() {
  answer=$("$2" 2>&1) || true
  if [ "$answer" = "$want" ]; then
    ok "$1"
  else
    bad "$1" "$answer"
  fi
}

# build FOLDER CMAKE-ARGUMENT...: configures and builds the consumer there
build() {
  folder=$1
  shift
  "$CMAKE" -S "$consumer" -B "$folder" -DCMAKE_C_COMPILER="$CC" "$@" &&
    "$CMAKE" --build "$folder"
}

# Into a staging folder, as packagers do: everything goes there.
staged=$scratch/staged
expect_success "installs below DESTDIR" \
  env DESTDIR="$staged" "$CMAKE" --install "$PW_BUILD" --prefix /opt/pagewalk
for file in pagewalk.h libpagewalk.a libpagewalk.so libpagewalk.so.0.1 pagewalk.pc \
  pagewalk-config.cmake; do
  if [ -n "$(find "$staged/opt/pagewalk" -name "$file")" ]; then
    ok "... $file"
  else
    bad "... $file"
  fi
done
expect_none "... and nothing beside it" "$(find "$staged" -type f ! -path "$staged/opt/pagewalk/*")"
expect_none "no installed text names the build's folders" \
  "$(grep -rIlF -e "$PW_BUILD" -e "$PW_SOURCE" "$staged" || true)"

prefix="$scratch/a prefix"
expect_success "installs below a prefix" "$CMAKE" --install "$PW_BUILD" --prefix "$prefix"

found="$scratch/found by cmake"
expect_success "find_package(pagewalk) builds" build "$found" -DCMAKE_PREFIX_PATH="$prefix"
expect_answer "... and the static library answers" "$found/consumer_static"
expect_answer "... and the shared library answers" "$found/consumer_shared"

moved="$scratch/another place"
mv "$prefix" "$moved"
if has pkg-config; then
  pc=$(dirname "$(find "$moved" -name pagewalk.pc)")
  # pkg-config escapes the spaces for a shell, so a shell has to read them.
  by_pkg_config() {
    eval "set -- $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs pagewalk)"
    "$CC" "$consumer/consumer.c" -o "$scratch/by pkg-config" "$@"
  }
  expect_success "pkg-config finds the moved tree" by_pkg_config
  LD_LIBRARY_PATH=$(dirname "$pc")
  export LD_LIBRARY_PATH
  expect_answer "... and the program answers" "$scratch/by pkg-config"
  unset LD_LIBRARY_PATH
else
  skip "pkg-config is not installed"
fi

# Another minor version is another interface: 0.x says so by refusing.
sed 's/find_package(pagewalk 0.1/find_package(pagewalk 0.2/' "$consumer/CMakeLists.txt" \
  >"$scratch/CMakeLists.txt"
cp "$consumer/consumer.c" "$scratch"
if "$CMAKE" -S "$scratch" -B "$scratch/next" -DCMAKE_PREFIX_PATH="$moved" >"$scratch/log" 2>&1; then
  bad "find_package(pagewalk 0.2) refuses this version"
elif grep -q 'version: 0\.1\.' "$scratch/log"; then
  ok "find_package(pagewalk 0.2) refuses this version"
else
  bad "find_package(pagewalk 0.2) refuses this version, and for this reason" "$(cat "$scratch/log")"
fi

sub="$scratch/as a subproject"
expect_success "add_subdirectory() builds" build "$sub" -DPAGEWALK_SOURCE="$PW_SOURCE"
expect_answer "... and the static library answers" "$sub/consumer_static"
expect_answer "... and the shared library answers" "$sub/consumer_shared"
targets=$("$CMAKE" --build "$sub" --target help 2>&1 || true)
expect_none "... and brings no tests, guests or command along" \
  "$(printf '%s\n' "$targets" | grep -E '(unit\.|kvm\.|guest_|pagewalk_vmm)' || true)"

finish
