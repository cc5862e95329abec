# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Counting for test scripts, and a scratch folder that goes when they end. Sourced, not run. The last
# line of every script is what finish() prints.

passed=0
failed=0
skipped=0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

ok() {
  passed=$((passed + 1))
  printf 'ok: %s\n' "$1"
}

bad() {
  failed=$((failed + 1))
  printf 'FAILED: %s\n' "$1"
  if [ -n "${2-}" ]; then
    printf '%s\n' "$2" | sed 's/^/    /'
  fi
}

skip() {
  skipped=$((skipped + 1))
  printf 'skipped: %s\n' "$1"
}

finish() {
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ]
}
