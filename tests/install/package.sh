#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian packages: built by CPack, complete, and what they hold works. In CI, as root, they are
# also installed and removed again.
set -eu
# shellcheck source=../check/common.sh
. "$(dirname "$0")/../check/common.sh"

CMAKE=${CMAKE:-cmake}
for tool in dpkg-deb dpkg-shlibdeps file; do
  if ! has "$tool"; then
    skip "packages: there is no $tool (Debian: dpkg-dev, file)"
    finish
    exit
  fi
done

build="$scratch/package build"
make_packages() {
  "$CMAKE" -S "$PW_SOURCE" -B "$build" -DCMAKE_C_COMPILER="$CC" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX=/usr -DPAGEWALK_TESTS=OFF -DPAGEWALK_BENCH=OFF &&
    "$CMAKE" --build "$build" --parallel 2 &&
    (cd "$build" && "$(dirname "$(command -v "$CMAKE")")/cpack" -G DEB)
}
expect_success "CPack makes packages" make_packages
runtime=$(find "$build" -maxdepth 1 -name 'pagewalk_*.deb')
dev=$(find "$build" -maxdepth 1 -name 'libpagewalk-dev_*.deb')
if [ -z "$runtime" ] || [ -z "$dev" ]; then
  bad "there are two packages" "$(find "$build" -maxdepth 1 -name '*.deb')"
  finish
  exit
fi

# expect_file PACKAGE PATTERN: a path below /usr in which * may stand for the multiarch folder
expect_file() {
  if dpkg-deb -c "$1" | awk '{ print $6 }' | grep -qxE "\./usr/$2"; then
    ok "$(basename "$1" | cut -d_ -f1): $2"
  else
    bad "$(basename "$1" | cut -d_ -f1): $2" "$(dpkg-deb -c "$1" | awk '{ print $6 }')"
  fi
}
lib='lib/([a-z0-9_]+-linux-gnu[a-z0-9]*/)?'
expect_file "$runtime" "${lib}libpagewalk\.so\.0\.1\.[0-9]+"
expect_file "$runtime" "${lib}libpagewalk\.so\.0\.1"
expect_file "$runtime" 'share/doc/pagewalk/copyright'
expect_file "$runtime" 'share/doc/pagewalk/NEWS\.md'
expect_file "$dev" 'include/pagewalk/pagewalk\.h'
expect_file "$dev" "${lib}libpagewalk\.a"
expect_file "$dev" "${lib}libpagewalk\.so"
expect_file "$dev" "${lib}pkgconfig/pagewalk\.pc"
expect_file "$dev" "${lib}cmake/pagewalk/pagewalk-config\.cmake"
expect_file "$dev" 'share/doc/libpagewalk-dev/copyright'
if [ -f "$PW_SOURCE/walker/pagewalk.3" ]; then
  expect_file "$dev" 'share/man/man3/pagewalk\.3'
fi
if [ -x "$build/vmm/pagewalk" ]; then
  expect_file "$runtime" 'bin/pagewalk'
  expect_file "$runtime" 'share/man/man1/pagewalk\.1'
fi
expect_none "nothing outside /usr" \
  "$(for package in "$runtime" "$dev"; do
    dpkg-deb -c "$package" | awk '{ print $6 }' | grep -vxE '\./|\./usr/.*' || true
  done)"
expect_none "everything belongs to root" \
  "$(for package in "$runtime" "$dev"; do
    dpkg-deb -c "$package" | awk '$2 != "root/root"'
  done)"

field() { # PACKAGE FIELD
  dpkg-deb -f "$1" "$2"
}
version=$(field "$runtime" Version)
case $(field "$runtime" Depends) in
*libc6*) ok "pagewalk depends on what it is linked with" ;;
*) bad "pagewalk depends on what it is linked with" "$(field "$runtime" Depends)" ;;
esac
case $(field "$dev" Depends) in
*"pagewalk (= $version)"*) ok "libpagewalk-dev depends on its own version of pagewalk" ;;
*) bad "libpagewalk-dev depends on its own version of pagewalk" "$(field "$dev" Depends)" ;;
esac

# Unpacked, without touching the system.
dpkg-deb -x "$runtime" "$scratch/unpacked"
dpkg-deb -x "$dev" "$scratch/unpacked"
use_unpacked() {
  "$CMAKE" -S "$PW_SOURCE/tests/install/consumer" -B "$scratch/consumer" \
    -DCMAKE_C_COMPILER="$CC" -DCMAKE_PREFIX_PATH="$scratch/unpacked/usr" &&
    "$CMAKE" --build "$scratch/consumer" && "$scratch/consumer/consumer_shared"
}
expect_success "find_package() finds the unpacked packages" use_unpacked
if [ -x "$build/vmm/pagewalk" ]; then
  expect_success "the unpacked command runs" "$scratch/unpacked/usr/bin/pagewalk" formats
fi

if [ "$(id -u)" -ne 0 ] || [ "${CI:-}" != true ]; then
  skip "installing the packages: only in CI, as root"
elif dpkg-query -W pagewalk libpagewalk-dev >/dev/null 2>&1; then
  skip "installing the packages: there are some already"
else
  expect_success "dpkg installs them" dpkg -i "$runtime" "$dev"
  use_installed() {
    "$CC" "$PW_SOURCE/tests/install/consumer/consumer.c" -o "$scratch/system" -lpagewalk &&
      "$scratch/system"
  }
  expect_success "a program builds against the system's library" use_installed
  if [ -x "$build/vmm/pagewalk" ]; then
    expect_success "the installed command runs" /usr/bin/pagewalk formats
  fi
  expect_success "dpkg removes them" dpkg -P libpagewalk-dev pagewalk
  expect_none "... and leaves nothing" "$(find /usr -xdev -name '*pagewalk*' 2>/dev/null)"
fi

finish
