# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# For the tests of the command: counting, a scratch folder to work in, images, transcripts. Sourced,
# not run. Every script also runs alone, from any directory: sh tests/cli/maps.sh

PW_SOURCE=${PW_SOURCE:-$(CDPATH="" cd -- "$(dirname -- "$0")/../.." && pwd)}
PW_BUILD=${PW_BUILD:-$PW_SOURCE/build}
PW_COMMAND=${PW_COMMAND:-$PW_BUILD/vmm/pagewalk}

# shellcheck source=../harness/tally.sh
. "$PW_SOURCE/tests/harness/tally.sh"

# `pagewalk` is the command under test, and the scratch folder holds whatever a test makes.
mkdir "$scratch/bin" "$scratch/work"
ln -s "$PW_COMMAND" "$scratch/bin/pagewalk"
PATH=$scratch/bin:$PATH
cd "$scratch/work" || exit 1
unset POSIXLY_CORRECT ARGP_HELP_FMT

# ---- Running ------------------------------------------------------------------------------------

# run SECONDS COMMAND...: sets $status, and leaves what was printed in ../out and ../err.
run() {
  limit=$1
  shift
  status=0
  timeout -k 5 "$limit" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
}

# expect STATUS CLAIM COMMAND...: the exit status; nothing on stdout unless the status is 0 or 1, and
# a complaint of one line on stderr if the status is 2 or 3.
expect() {
  wanted=$1
  claim=$2
  shift 2
  run 60 "$@"
  if [ "$status" -ne "$wanted" ]; then
    bad "$claim: exit status $status, not $wanted" "$(cat "$scratch/err")"
  elif [ "$wanted" -ge 2 ] && [ "$(wc -l <"$scratch/err")" -ne 1 ]; then
    bad "$claim: one line of complaint" "$(cat "$scratch/err")"
  elif [ "$wanted" -ge 2 ] && [ -s "$scratch/out" ]; then
    bad "$claim: nothing on stdout" "$(head -n 5 "$scratch/out")"
  else
    ok "$claim"
  fi
}

# names PATTERN CLAIM: the last complaint has it.
names() {
  if grep -qE -- "$1" "$scratch/err"; then
    ok "$2"
  else
    bad "$2: no '$1' in the complaint" "$(cat "$scratch/err")"
  fi
}

# expect_tight STATUS CLAIM COMMAND...: expect, in 300 MB of address space. A build with sanitizers
# takes more for itself: then $tight is no, and there is no complaint to look at.
expect_tight() {
  tight_status=$1
  tight_claim=$2
  shift 2
  if prlimit --as=300000000 pagewalk formats >"$scratch/out" 2>&1; then
    tight=yes
    expect "$tight_status" "$tight_claim" prlimit --as=300000000 "$@"
  else
    # shellcheck disable=SC2034 # for the scripts
    tight=no
    skip "$tight_claim: the command does not start in so little memory"
  fi
}

# prints TEXT CLAIM: the last command printed exactly that.
prints() {
  if [ "$(cat "$scratch/out")" = "$1" ]; then
    ok "$2"
  else
    bad "$2" "$(printf '%s\n' "$1" | diff -u - "$scratch/out" | tail -n +3)"
  fi
}

# ---- Transcripts --------------------------------------------------------------------------------

# What a shell shows: the command, what it prints, and its exit status if that is not 0.
replay() { # COMMAND-LINE
  printf '$ %s\n' "$1"
  status=0
  timeout -k 5 60 sh -c "$1" </dev/null 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    printf '[exit status %d]\n' "$status"
  fi
}

compare() { # EXPECTED-BLOCK
  line=$(sed -n '1s/^\$ //p' "$1")
  replay "$line" >"$scratch/actual"
  cat "$scratch/actual" >>"$scratch/transcript"
  if cmp -s "$1" "$scratch/actual"; then
    ok "$line"
  else
    bad "$line" "$(diff -u "$1" "$scratch/actual" | tail -n +3)"
  fi
}

# transcript FILE: each command in it (a line "$ ...") prints what follows it there. With the
# argument --update the file is rewritten instead; read it before you commit it.
transcript() {
  rm -f "$scratch"/block.*
  : >"$scratch/transcript"
  awk -v prefix="$scratch/block." '
    /^\$ / { close(file); file = sprintf("%s%04d", prefix, ++count) }
    file { print >file }' "$1"
  for block in "$scratch"/block.*; do
    compare "$block"
  done
  if [ "${update-}" = yes ]; then
    cp "$scratch/transcript" "$1"
  fi
}
update=
if [ "${1-}" = --update ]; then
  # shellcheck disable=SC2034 # used above
  update=yes
fi
# shellcheck disable=SC2034 # for the scripts
here=$(CDPATH="" cd -- "$PW_SOURCE/tests/cli" && pwd)

# ---- Images -------------------------------------------------------------------------------------

# blank FILE BYTES: zeros
blank() {
  rm -f "$1"
  dd if=/dev/zero of="$1" bs=1 count=0 seek=$(($2)) status=none
}

# at FILE OFFSET: writes stdin there
at() {
  dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}

# word BYTES 0xVALUE: the number, little-endian. As text: the shell's own numbers end at 2^63 - 1.
word() {
  digits=$(printf '%16s' "${2#0x}" | tr ' ' 0)
  left=$1
  while [ "$left" -gt 0 ]; do
    rest=${digits%??}
    # shellcheck disable=SC2059 # the format is the byte
    printf "$(printf '\\%03o' "0x${digits#"$rest"}")"
    digits=$rest
    left=$((left - 1))
  done
}

# entry FILE TABLE INDEX 0xVALUE [BYTES]: sets one entry of a table
entry() {
  word "${5:-8}" "$4" | at "$1" "$2 + $3 * ${5:-8}"
}

# escapes: lines of bytes written \\ooo, as bytes
escapes() {
  while IFS= read -r line; do
    # shellcheck disable=SC2059 # the format is the bytes
    printf "$line"
  done
}

# fill FILE TABLE COUNT FIRST STEP: entries of 8 bytes, decimal numbers under 2^53
fill() {
  awk -v count="$3" -v value="$4" -v step="$5" 'BEGIN {
    for (i = 0; i < count; i++) {
      v = value + i * step
      for (byte = 0; byte < 8; byte++) { printf "\\%03o", v % 256; v = int(v / 256) }
      if (i % 32 == 31) printf "\n"
    }
    printf "\n"
  }' | escapes | at "$1" "$2"
}
