#!/bin/sh
# SPDX-License-Identifier: MIT
# C and C++ files stand as .clang-format says. Other versions lay out a few things differently, so
# only the version that Debian 12 has is asked.
set -eu
. "$(dirname "$0")/common.sh"

formatter=
for candidate in clang-format-14 clang-format; do
  if has "$candidate" && "$candidate" --version | grep -q 'version 14\.'; then
    formatter=$candidate
    break
  fi
done
if [ -z "$formatter" ]; then
  skip "formatting: clang-format 14 is not installed (Debian: clang-format-14)"
  finish
  exit
fi

cd "$PW_SOURCE"
project_files '*.c' '*.h' '*.cc' >"$scratch/files"
while IFS= read -r file; do
  expect_none "$file" \
    "$("$formatter" --style=file "$file" | diff -u "$file" - | sed -n '3,14p' || true)"
done <"$scratch/files"

finish
