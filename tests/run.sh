#!/bin/sh
# SPDX-License-Identifier: MIT
# The default test suite on a fresh Debian 12, by root or with sudo: installs what is missing, builds
# into build/, runs everything, and ends with "N passed, N failed, N skipped". Arguments go to ctest.
set -eu

top=$(CDPATH="" cd -- "$(dirname -- "$0")/.." && pwd)
. "$top/tests/harness/debian.sh"

need gcc g++ libc6-dev make cmake pkg-config dpkg-dev file git \
  libelf-dev libjansson-dev libcriterion-dev libbenchmark-dev libkdumpfile-dev \
  clang-format-14 shellcheck valgrind

cmake -S "$top" -B "$top/build"
cmake --build "$top/build" --parallel "$(nproc)"

if ! { [ -c /dev/kvm ] && (exec 3<>/dev/kvm) 2>/dev/null; }; then
  echo "/dev/kvm cannot be opened here: the tests that boot guests will be skipped."
fi
# sum.sh also decides the exit status: a test that died without a word counts as failed there.
(ctest --test-dir "$top/build" --parallel "$(nproc)" -V "$@" || true) 2>&1 | sh "$top/tests/sum.sh"
