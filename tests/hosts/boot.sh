#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots a multiboot program that needs no system on an emulated machine, prints what it writes to
# the first serial port, and exits with the code of its last line, "code N". For the hypervisors in
# guest/, on the processors that boxes have: no KVM, no kernel, a second or two.
set -eu

usage() {
  cat <<'END'
usage: boot.sh HOST [OPTION]... PROGRAM [WORD]...

HOST is one of
  tcg-svm     QEMU without acceleration, AMD's SVM with nested paging
  bochs-vmx   Bochs as a Skylake, Intel's VMX with EPT
  bochs-svm   Bochs as a Ryzen, AMD's SVM with nested paging
The WORDs, and "serial" before them, are the program's command line.

  --timeout SECONDS  limit of one start (tcg-svm 120, Bochs 300)
  --memory MIB       the machine's memory (tcg-svm 1024, Bochs 512)
  --cpu MODEL        another processor: QEMU's -cpu, Bochs's cpu model
  --optional         exit 77 instead of 125, unless CI is set
  --help             this text

Exit status: the program's code; 124 if it came to no end, twice; 125 if it cannot be booted at all.
END
}

here=$(CDPATH="" cd -- "$(dirname -- "$0")" && pwd)
optional=
host=boot.sh

note() {
  echo "$host: $*" >&2
}

refuse() {
  note "$*"
  if [ -n "$optional" ] && [ -z "${CI:-}" ]; then
    note "skipped"
    exit 77
  fi
  exit 125
}

# shellcheck disable=SC2317 # a trap calls it
clean_up() {
  status=$?
  trap - EXIT HUP INT TERM
  for process in $box $screen; do kill "$process" 2>/dev/null || true; done
  rm -rf "$work"
  exit "$status"
}

# QEMU wants the words in one argument; and no comma in a file's name.
start_program() {
  cp "$program" "$work/program"
  : >"$work/console.log"
  case $host in
  tcg-svm)
    start_qemu -device isa-debug-exit,iobase=0xf4 -kernel program -append "serial $words"
    ;;
  bochs-*)
    make_cd "$work/program" <<END
multiboot /boot/program serial $words
END
    start_bochs
    ;;
  esac
}

# One start, to its end. Its code, or nothing.
run_program() {
  start_program
  box_status=0
  wait "$box" || box_status=$?
  box=
  if [ -n "$screen" ]; then stop "$screen"; fi
  screen=
  tr -d '\r' <"$work/console.log" >"$work/console"
  code=$(sed -n '$s/^code \([0-9]*\)$/\1/p' "$work/console")
}

work=$(mktemp -d)
box=
screen=
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

cpu=
limit=
memory=
if [ $# -eq 0 ]; then refuse "which host? (--help tells more)"; fi
case $1 in
--help)
  usage
  exit 0
  ;;
tcg-svm) default_limit=120 ;;
bochs-vmx) default_limit=300 ;;
bochs-svm)
  default_limit=300
  cpu=ryzen
  ;;
*) refuse "no such host: $1 (there are tcg-svm, bochs-vmx and bochs-svm)" ;;
esac
host=$1
shift
while [ $# -gt 0 ]; do
  case $1 in
  --optional) optional=yes ;;
  --timeout | --memory)
    case ${2:-} in '' | 0* | *[!0-9]*) refuse "$1 wants a whole number" ;; esac
    if [ "$1" = --timeout ]; then limit=$2; else memory=$2; fi
    shift
    ;;
  --cpu)
    [ $# -gt 1 ] || refuse "$1 wants a value"
    cpu=$2
    shift
    ;;
  -*) refuse "what is $1? (--help tells more)" ;;
  *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || refuse "which program?"
program=$1
shift
words=$*
[ -f "$program" ] || refuse "$program: no such program"
limit=${limit:-$default_limit}

case $host in
bochs-*) emulator=bochs-vmx ;; # as setup.sh calls it
*) emulator=$host ;;
esac
# shellcheck source=box.sh
. "$here/box.sh"
PW_HOSTS_DIR=${PW_HOSTS_DIR:-$here/../../build/hosts} sh "$here/setup.sh" --no-kernel "$emulator" ||
  refuse "the emulator cannot be had here"
for start in 1 2; do
  run_program
  if [ -n "$code" ]; then break; fi
  cat "$work/console"
  case $box_status in
  124 | 137) note "not finished after $limit s" ;;
  *) note "it ended without a code; the end of the emulator's messages:" ;;
  esac
  tail -n 10 "$work/box.out" | sed 's/^/  | /' >&2
  if [ "$start" -eq 1 ]; then note "once more"; fi
done
[ -n "$code" ] || exit 124
sed '$d' "$work/console"
exit "$code"
