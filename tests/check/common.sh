# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# For the check and install scripts: where things are, and claims about files and commands. Sourced,
# not run. Every script also runs alone, from any directory: sh tests/check/symbols.sh

PW_SOURCE=${PW_SOURCE:-$(CDPATH="" cd -- "$(dirname -- "$0")/../.." && pwd)}
PW_BUILD=${PW_BUILD:-$PW_SOURCE/build}
PW_LIBRARY=${PW_LIBRARY:-$PW_BUILD/walker/libpagewalk.a}
CC=${CC:-cc}

# shellcheck source=../harness/tally.sh
. "$PW_SOURCE/tests/harness/tally.sh"

# expect_none CLAIM FINDINGS: the claim holds if there are no findings.
expect_none() {
  if [ -z "$2" ]; then
    ok "$1"
  else
    bad "$1" "$2"
  fi
}

# expect_success CLAIM COMMAND...: its output is shown if it fails.
expect_success() {
  claim=$1
  shift
  if output=$("$@" 2>&1); then
    ok "$claim"
  else
    bad "$claim" "$output"
  fi
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# The files of the project, tracked or about to be; the whole tree without build folders elsewhere.
project_files() {
  (
    cd "$PW_SOURCE" || exit 1
    if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; then
      git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
        if [ -f "$file" ]; then printf '%s\n' "$file"; fi # not what is deleted but still tracked
      done | sort -u
    else
      find . -name .git -prune -o -path './build*' -prune -o -type f -print | sed 's|^\./||' | sort |
        while IFS= read -r file; do
          [ $# -gt 0 ] || printf '%s\n' "$file"
          for pattern in "$@"; do
            # shellcheck disable=SC2254 # the patterns are meant as patterns
            case $file in $pattern) printf '%s\n' "$file" ;; esac
          done
        done
    fi
  )
}
