#!/bin/sh
# SPDX-License-Identifier: MIT
# Reads the output of `ctest -V` (files, or standard input while it runs) and prints one line for
# each test program, everything that a failed one wrote, and last the sum over all of them:
# "N passed, N failed, N skipped". Lines of that very form between the ctest runs are added too, so
# that the sums of several runs can be summed again.
#
# Exits 0 only if something passed and nothing failed.
set -eu

# mawk would hold back its input until a buffer is full.
if awk -W version </dev/null 2>/dev/null | grep -q '^mawk'; then
  awk='awk -W interactive'
else
  awk="awk"
fi
# shellcheck disable=SC2016 # the dollars are awk's
program='
  function forget(id) {
    delete count[id]
    delete text[id]
  }

  # What one test printed: "12: some text".
  /^[0-9]+: / {
    id = $1 + 0
    line = substr($0, index($0, ": ") + 2)
    if (line ~ /^(Working Directory: |Test timeout computed to be: |Environment variables: | [A-Z_]+=)/) next
    text[id] = text[id] line "\n"
    if (line ~ /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/)
      count[id] = line
    next
  }

  # How it ended: " 3/20 Test  #3: unit.test_walk ....   Passed    0.10 sec"
  /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
    sub(/Test +#/, "Test #")
    id = substr($3, 2) + 0
    name = $4
    seconds = $(NF - 1)
    p = f = s = 0
    if (id in count) {
      split(count[id], part, " ")
      p = part[1]; f = part[3]; s = part[5] + 0
    }
    if ($0 ~ / Passed +[0-9.]+ sec$/) {
      if (!(id in count)) p = 1
    } else if ($0 ~ /\*\*\*Skipped|\(Disabled\)/) {
      if (p + f + s == 0) s = 1
    } else if (f == 0) {
      f = 1
    }
    word = f > 0 ? "FAILED" : p > 0 ? "ok" : "skipped"
    printf "%-8s %-34s %8s s  %d passed", word, name, seconds, p
    if (f > 0) printf ", %d failed", f
    if (s > 0) printf ", %d skipped", s
    printf "\n"
    if (f > 0 || p == 0) printf "%s", text[id]
    fflush()
    passed += p; failed += f; skipped += s
    forget(id)
    next
  }

  /^Test project / { open_runs++ }
  /^Total Test time/ { open_runs-- }
  /^No tests were found/ { print; failed++; open_runs-- }

  /^([A-Za-z0-9_.-]+: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
    sub(/^[^ ]+: /, "")
    passed += $1; failed += $3; skipped += $5
  }

  END {
    if (open_runs > 0) { print "a ctest run did not reach its end"; failed++ }
    if (passed + failed == 0) { print "nothing was tested"; failed++ }
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0
  }
'
$awk "$program" "$@"
