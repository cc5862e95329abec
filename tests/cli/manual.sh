#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples of pagewalk(1) print what stands there, and the page has no formatting errors.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

manual=$PW_SOURCE/vmm/pagewalk.1
make_guest

# The lines of the literal blocks, without roff's escapes.
examples() {
  awk '/^\.Bd -literal/ { on = 1; next } /^\.Ed/ { on = 0 } on' "$manual" |
    sed -e 's/\\(dq/"/g' -e 's/\\&//g' -e 's/\\e/\\/g'
}

examples >"$scratch/examples"
if [ "$(grep -c '^\$ ' "$scratch/examples")" -lt 8 ]; then
  bad "the manual has at least 8 examples"
fi
transcript "$scratch/examples"
if [ -n "$update" ]; then
  awk -v transcript="$scratch/transcript" '
    /^\.Ed/ { on = 0 }
    on && /^\$ / {
      # The next block of the transcript begins with this very line.
      if (!started) { getline line <transcript; started = 1 }
      do print line; while ((getline line <transcript) > 0 && line !~ /^\$ /)
    }
    !on { print }
    /^\.Bd -literal/ { on = 1 }' "$manual" >"$scratch/manual"
  cp "$scratch/manual" "$manual"
fi

if command -v groff >/dev/null; then
  groff -mandoc -Tutf8 -ww "$manual" 2>&1 >/dev/null | grep -v 'cannot adjust line' \
    >"$scratch/roff" || true
  if [ -s "$scratch/roff" ]; then
    bad "groff formats the manual without a warning" "$(cat "$scratch/roff")"
  else
    ok "groff formats the manual without a warning"
  fi
else
  skip "formatting the manual: groff is not installed"
fi

finish
