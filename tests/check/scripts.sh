#!/bin/sh
# SPDX-License-Identifier: MIT
# Shell scripts parse in the shell they name, and shellcheck has nothing to say.
set -eu
. "$(dirname "$0")/common.sh"

cd "$PW_SOURCE"
project_files '*.sh' '.ci/run' >"$scratch/files"
while IFS= read -r file; do
  shell="sh"
  if head -n 1 "$file" | grep -q bash; then shell=bash; fi
  if ! has "$shell"; then
    skip "$file: there is no $shell"
  elif ! has shellcheck; then
    expect_success "$file parses" "$shell" -n "$file"
  else
    expect_success "$file" shellcheck -x -P SCRIPTDIR "$file"
  fi
done <"$scratch/files"
if ! has shellcheck; then
  skip "shellcheck is not installed (Debian: shellcheck)"
fi

finish
