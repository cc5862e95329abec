#!/bin/sh
# SPDX-License-Identifier: MIT
# Output that cannot be written is an error: a message and status 3, for every command.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_guest
mkfifo pipe

judge() { # CLAIM: by $status and the complaint
  if [ "$status" -eq 3 ] && grep -q '^pagewalk.*: cannot write the output: ' "$scratch/err" &&
    [ "$(wc -l <"$scratch/err")" -eq 1 ]; then
    ok "$1"
  else
    bad "$1: exit status $status" "$(cat "$scratch/err")"
  fi
}

while read -r arguments; do
  # shellcheck disable=SC2086 # words
  set -- $arguments
  status=0
  timeout 60 pagewalk "$@" >&- 2>"$scratch/err" || status=$?
  judge "stdout closed: $arguments"
  if [ -w /dev/full ]; then
    status=0
    timeout 60 pagewalk "$@" >/dev/full 2>"$scratch/err" || status=$?
    judge "stdout full: $arguments"
  else
    skip "stdout full: there is no /dev/full"
  fi
  # The reader comes, and has gone before anything is written.
  (exec 3<pipe) &
  exec 5>pipe
  wait
  status=0
  timeout 60 pagewalk "$@" >&5 2>"$scratch/err" || status=$?
  exec 5>&-
  judge "nobody reads: $arguments"
done <<'END'
--help
--version
formats
formats --json
formats --help
translate --usage
translate --cr3 0x1000 guest.img 0x1000
translate --cr3 0x1000 --json guest.img 0x1000
maps --cr3 0x1000 guest.img
maps --cr3 0x1000 --json guest.img
walk --cr3 0x1000 guest.img 0x1000
walk --cr3 0x1000 --json guest.img 0x1000
read --cr3 0x1000 guest.img 0x1000 16
read --cr3 0x1000 --json guest.img 0x1000 16
read --cr3 0x1000 --partial --json guest.img 0 64K
run --recorded
run --recorded --json
END

# A file opened first must not get the number of a closed stdout, and be written to.
cp guest.img before
status=0
pagewalk maps --cr3 0x1000 guest.img >&- 2>&- || status=$?
if cmp -s guest.img before && [ "$status" -eq 3 ]; then
  ok "all closed: the image stays as it was"
else
  bad "all closed: the image stays as it was"
fi

# Without output there is nothing to be told.
status=0
pagewalk maps --cr3 0xa000 --json guest.img >&- 2>"$scratch/err" || status=$?
if [ "$status" -eq 0 ]; then ok "an empty list needs no stdout"; else
  bad "an empty list needs no stdout" "$(cat "$scratch/err")"
fi

# A full stderr does not change the status.
status=0
pagewalk nonsense 2>&- || status=$?
if [ "$status" -eq 2 ]; then ok "stderr closed"; else bad "stderr closed: $status"; fi

# The reader of a long list goes away in the middle of it.
make_loops
{
  status=0
  timeout 60 pagewalk maps --expand --cr3 0x1000 loop.img 2>"$scratch/err" || status=$?
  echo "$status" >status
} | head -n 3 >"$scratch/out"
status=$(cat status)
judge "the reader leaves a long list"

finish
