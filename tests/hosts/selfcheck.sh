#!/bin/sh
# SPDX-License-Identifier: MIT
# Proves that a host brings back what programs print and how they end, and that nothing hangs for
# longer than its limit.
#
# usage: selfcheck.sh HOST SELFCHECK VERDICTS    the programs made of selfcheck.c, selfcheck_verdicts.c
set -eu
# shellcheck source=../check/common.sh
. "$(dirname "$0")/../check/common.sh"

here=$(CDPATH="" cd -- "$(dirname -- "$0")" && pwd)
host=$1
program=$2
verdicts=$3

# run ARGUMENT...: run.sh's status, what the programs printed, what it said itself, and the time
run() {
  began=$(date +%s)
  status=0
  sh "$here/run.sh" "$host" --optional "$@" >"$scratch/out" 2>"$scratch/said" || status=$?
  seconds=$(($(date +%s) - began))
  printf '%s s, exit %s: %s\n' "$seconds" "$status" "$*"
}

explain() {
  echo "exit status $status"
  cat "$scratch/out"
  echo
  cat "$scratch/said"
}

expect_status() { # CLAIM STATUS
  if [ "$status" -eq "$2" ]; then
    ok "$1"
  else
    bad "$1" "$(explain)"
  fi
}

expect_line() { # CLAIM FILE LINE
  if grep -qxF -- "$3" "$scratch/$2"; then
    ok "$1"
  else
    bad "$1" "$(echo "no line: $3" && explain)"
  fi
}

expect_count() { # CLAIM FILE PATTERN COUNT
  if [ "$(grep -c -- "$3" "$scratch/$2")" -eq "$4" ]; then
    ok "$1"
  else
    bad "$1" "$(echo "not $4 lines: $3" && explain)"
  fi
}

check_endings() {
  echo "some text" >"$scratch/a file"
  place="$scratch/another place/the file"
  moved="$scratch/a file:$place"
  if [ "$host" = native ]; then # nothing moves there
    place="$scratch/a file"
    moved=$place
  fi
  run --file "$moved" --env "SELFCHECK=it's \$HOME" -- \
    "$program" halt --then \
    "$program" show "$place" "two words" "it's \"quoted\"" '' --then \
    "$verdicts" --verbose --then \
    "$program" exit 77 --then \
    "$program" crash --then \
    "$program" exit 42
  if [ "$status" -eq 77 ]; then
    cat "$scratch/said"
    skip "$host: it cannot be brought up here"
    finish
    exit
  fi
  cat "$scratch/said"
  expect_status "the first failure is the whole's" 1
  expect_line "a guest runs until it halts" out "exit reason 5"
  expect_line "a file is where it was wanted" out "file: some text"
  expect_line "an argument with a space" out "argument: [two words]"
  expect_line "an argument with quotes" out "argument: [it's \"quoted\"]"
  expect_line "an empty argument" out "argument: []"
  expect_line "programs know their host" out "host: $host"
  expect_count "the environment" out "variable: .it's \$HOME." 1
  expect_count "a passing Criterion test" out "PASS.* selfcheck::passes_where_kvm_is" 1
  expect_count "a failing Criterion test" out "FAIL.* selfcheck::fails_on_purpose" 1
  expect_count "its message" out "this had to fail" 1
  expect_line "a failing Criterion program" said "$host: $verdicts: exit 1"
  expect_line "a skipped program" said "$host: $program: exit 77"
  expect_line "a crashed program" said "$host: $program: exit 139"
  expect_line "the last program" said "$host: $program: exit 42"
}

check_skip() {
  run -- "$program" exit 77 --then "$program" exit 77
  if [ "$status" -eq 77 ] && grep -q "exit 77" "$scratch/said"; then
    ok "nothing but skipped programs is skipped"
  else
    bad "nothing but skipped programs is skipped" "$(explain)"
  fi
}

check_output() {
  run -- "$program" flood 20000 --then "$program" leave --then "$program" exit 0
  expect_status "programs that pass" 0
  expect_count "a megabyte and a half of output, all of it" out "^line [0-9]* of 20000, " 20000
  expect_count "nothing but it" out "" 20000
}

check_hang() { # LIMIT STARTS
  run --timeout "$1" -- "$program" exit 3 --then "$program" hang --then "$program" exit 0
  expect_status "a program that hangs" 124
  if [ "$seconds" -le $(($1 * $2 + 20)) ]; then
    ok "the limit holds: $seconds s"
  else
    bad "the limit holds" "$(echo "$seconds s" && explain)"
  fi
  expect_count "what ended before it is told once" said ": exit 3" 1
}

check_panic() {
  run -- "$program" exit 3 --then "$(command -v sh)" -c "echo c >/proc/sysrq-trigger"
  expect_status "a kernel that panics" 124
  expect_count "what ended before it is told once" said ": exit 3" 1
  expect_count "the kernel's messages are shown" said "Kernel panic - not syncing" 2
}

check_refusals() {
  status=0
  CI='' sh "$here/run.sh" "$host" --optional -- "$scratch/none" 2>"$scratch/said" || status=$?
  expect_status "no such program, and optional" 77
  status=0
  sh "$here/run.sh" "$host" -- "$scratch/none" 2>"$scratch/said" || status=$?
  expect_status "no such program" 125
  expect_line "and why" said "$host: $scratch/none: no such program"
  status=0
  sh "$here/run.sh" "$host" --timeout never -- "$program" 2>"$scratch/said" || status=$?
  expect_status "a limit that is no number" 125
  expect_line "and why" said "$host: --timeout wants a whole number, not never"
  status=0
  sh "$here/run.sh" "$host" -- "$program" --then 2>"$scratch/said" || status=$?
  expect_status "a program is missing" 125
}

check_endings
check_refusals
case $host in
native)
  check_skip
  check_hang 2 1
  ;;
tcg-svm)
  check_skip
  check_output
  check_hang 30 2
  check_panic
  ;;
bochs-vmx) ;; # the same scripts, and ten times slower
esac
finish
