#!/bin/sh
# SPDX-License-Identifier: MIT
# Counts the instructions of the library's main paths in plain C, which repeats where times do not,
# and compares them with bench/instructions.txt: a change that makes a path longer has to say so.
# --update writes the file anew. Only Debian 12's compiler for x86-64 makes the code that was
# counted; elsewhere, and without valgrind, this is skipped (exit status 77).
set -eu

top=$(CDPATH="" cd -- "$(dirname -- "$0")/.." && pwd)
record=$top/bench/instructions.txt
percent=3 # of what is recorded, and half an instruction
update=no
[ "${1:-}" != --update ] || update=yes

skip() {
  echo "Skipped: $1"
  echo "0 passed, 0 failed, 1 skipped"
  exit 77
}

case $(gcc -dumpmachine 2>/dev/null || true)/$(gcc -dumpfullversion 2>/dev/null || true) in
x86_64-*/12.*) ;;
*) skip "needs gcc 12 for x86-64" ;;
esac
command -v valgrind >/dev/null 2>&1 || skip "needs valgrind"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

set --
for source in "$top"/walker/*.c "$top"/walker/*/*.c "$top"/bench/paths.c; do
  object=$scratch/$(echo "${source#"$top"/}" | tr / _).o
  hosted=-ffreestanding
  case $source in
  */bench/*) hosted=-fhosted ;;
  esac
  gcc -std=c11 -O2 "$hosted" -DPW_NO_SIMD -I"$top/walker/include" -c "$source" -o "$object"
  set -- "$@" "$object"
done
gcc "$@" -o "$scratch/paths"

"$scratch/paths" >"$scratch/list"
while read -r name operations; do
  valgrind --tool=callgrind --toggle-collect=measured --callgrind-out-file="$scratch/out" \
    "$scratch/paths" "$name" >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    echo "$name gives wrong answers" >&2
    exit 1
  }
  awk -v name="$name" -v operations="$operations" '
    / Collected : / { printf "%-26s %10.1f\n", name, $NF / operations }' "$scratch/log"
done <"$scratch/list" >"$scratch/counted"

if [ "$update" = yes ]; then
  {
    sed -n '/^#/p' "$record"
    cat "$scratch/counted"
  } >"$scratch/new"
  cat "$scratch/new" >"$record"
  cat "$record"
  exit 0
fi

awk -v percent="$percent" '
  /^#/ { next }
  FNR == NR { recorded[$1] = $2; next }
  {
    note = "new: record it"
    verdict = "FAILED"
    if ($1 in recorded) {
      was = recorded[$1]
      slack = was * percent / 100 + 0.5
      verdict = $2 > was + slack ? "FAILED" : "ok"
      note = $2 > was + slack ? "longer" : $2 < was - slack ? "shorter: record it" : ""
      delete recorded[$1]
    }
    printf "%-6s %-26s %10.1f recorded %10s  %s\n", verdict, $1, $2, was, note
    if (verdict == "ok") passed++; else failed++
    was = "-"
  }
  END {
    for (name in recorded) { print "FAILED " name ": recorded, but no path any more"; failed++ }
    if (failed) {
      print "If this is meant, say in the commit why, and have bench/instructions.txt in it,"
      print "written anew by: sh bench/instructions.sh --update"
    }
    printf "%d passed, %d failed, 0 skipped\n", passed, failed
    exit failed > 0
  }
' "$record" "$scratch/counted"
