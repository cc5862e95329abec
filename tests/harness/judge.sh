#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs one test program and decides for CTest how it went: exit 0 passed, 1 failed, 77 skipped.
# The last line it prints is always "N passed, N failed, N skipped".
#
# CTest's own means do not suffice. A Criterion program in which every test was skipped, or which
# holds no test at all, exits 0; so does one whose only complaint came from LeakSanitizer. And
# SKIP_REGULAR_EXPRESSION turns a program with one skipped and one failed test into a skipped one.
#
# usage: judge.sh SECONDS PROGRAM [ARGUMENT...]
set -eu

limit=$1
shift

# A test program may hold the library twice (its own copy and the program's under test).
export ASAN_OPTIONS="detect_odr_violation=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

# For whoever wants to see a failure again: see share.h.
if [ -n "${PW_SHARE:-}" ]; then echo "PW_SHARE=$PW_SHARE"; fi
{
  status=0
  timeout -k 10 "$limit" "$@" </dev/null 2>&1 || status=$?
  printf '\n[judge] exit %s\n' "$status"
} | awk -v limit="$limit" '
  # mawk has no {n} in regular expressions, so patterns stay plain.
  /^\[judge\] exit [0-9]+$/ { status = $3; next }
  /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
    counted = 1
    passed = $1; failed = $3; skipped = $5 + 0
    next
  }
  /^\[SKIP\] / { criterion_skipped++ }
  /^\[====\] Synthesis: Tested: / {
    counted = 1
    passed += $7
    failed += $10 # crashed ones are among them
  }
  /ERROR: [A-Za-z]+Sanitizer|WARNING: [A-Za-z]+Sanitizer|: runtime error: / { report = 1 }
  {
    if ($0 == "") { empty++; next } # not the one that stands before the exit status
    while (empty > 0) { print ""; empty-- }
    print
  }
  END {
    skipped += criterion_skipped
    if (!counted) {
      passed = status == 0
      skipped = status == 77
      failed = !passed && !skipped
    }
    if (status == 124 || status == 137)
      why = "it took longer than " limit " s"
    else if (status != 0 && status != 77 && failed == 0)
      why = "exit status " status " without a failed test"
    else if (report && failed == 0)
      why = "a sanitizer complained"
    else if (passed + failed + skipped == 0)
      why = "it ran nothing"
    if (why != "") {
      print "judge: failed: " why
      failed = failed > 0 ? failed : 1
    }
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0 ? 1 : passed > 0 ? 0 : 77
  }
'
