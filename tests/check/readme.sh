#!/bin/sh
# SPDX-License-Identifier: MIT
# The README shows the programs of tests/programs as they are compiled and run: each marker
# "<!-- program FILE -->" is followed by a block that equals FILE without its first lines.
# With --update the blocks are written anew.
set -eu

. "$(dirname "$0")/common.sh"

# The README with every block taken from its file.
with_programs() {
  awk -v top="$PW_SOURCE" '
    function show(file,   line, body) {
      print ""
      print "```c"
      while ((getline line < (top "/" file)) > 0) {
        if (!body && (line == "" || line ~ /^\/\* SPDX/ || line ~ /^#include "programs.h"/)) continue
        body = 1
        print line
      }
      close(file)
      print "```"
    }
    /^<!-- program .* -->$/ { print; show($3); skipping = 1; next }
    skipping && /^```c$/ { inside = 1; next }
    skipping && inside && /^```$/ { skipping = inside = 0; next }
    skipping && (inside || /^$/) { next }
    { if (skipping) { print ""; skipping = 0 } print }
  ' "$PW_SOURCE/README.md"
}

if [ "${1:-}" = --update ]; then
  updated=$(with_programs)
  printf '%s\n' "$updated" >"$PW_SOURCE/README.md"
fi

for file in "$PW_SOURCE"/tests/programs/*.c; do
  name=tests/programs/${file##*/}
  if grep -qF "<!-- program $name -->" "$PW_SOURCE/README.md"; then
    ok "the README shows $name"
  else
    bad "the README shows $name" "no marker for it"
  fi
done
expect_none "the README's programs are those that are compiled" \
  "$(with_programs | diff "$PW_SOURCE/README.md" - || true)"
finish
