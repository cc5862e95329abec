#!/bin/sh
# SPDX-License-Identifier: MIT
# Wrong usage ends with 2 and a sentence that names it, before any source is opened; help with 0.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_guest

wrong() { # PATTERN ARGUMENT...
  pattern=$1
  shift
  run 60 pagewalk "$@"
  if [ "$status" -eq 2 ] && [ ! -s "$scratch/out" ] && grep -qE -- "$pattern" "$scratch/err"; then
    ok "wrong: $*"
  else
    bad "wrong: $*: exit status $status" "$(cat "$scratch/err")"
  fi
}

wrong "command"
wrong "nonsense.*command" nonsense
wrong "'-x'" -x
wrong "bogus" translate --bogus
wrong "cr3.*argument" translate --cr3
wrong "address space" translate guest.img 0x1000
wrong "address space" maps guest.img
wrong "address space" walk guest.img 0
wrong "address space" read guest.img 0 1
wrong "SOURCE" translate --cr3 0
wrong "addresses" translate --cr3 0 guest.img
wrong "SOURCE" maps --cr3 0
wrong "SOURCE" walk --cr3 0
wrong "SOURCE" read --cr3 0
wrong "'-'" translate --cr3 0 guest.img 0x1000 -
wrong "too much" formats x
wrong "too much" read --cr3 0 guest.img 0 1 2
wrong "too much" run a b

wrong "x86-65" maps --format x86-65 --root 0 absent
wrong "format ''" maps --format '' --root 0 absent
wrong "needs --root" maps --format x86-64 absent
wrong "needs --format" maps --root 0 absent
wrong "exclude" maps --format x86-64 --root 0 --cr3 0 absent
for option in --cr0 --cr4 --efer --pkru --pkrs; do
  wrong "$option needs --cr3" maps $option 0 absent
  wrong "$option needs --cr3" maps --format x86-64 --root 0 $option 0 absent
done
wrong "no-1g needs" maps --format x86-64 --root 0 --no-1g absent
wrong "high" maps --format x86-64 --root 0 --high absent
wrong "high" maps --format armv7-lpae --root 0 --high absent
wrong "high" maps --format arm64-s2-4k --root 0 --high absent
wrong "high" maps --cr3 0 --high absent
wrong "aligned" maps --format x86-64 --root 0x1008 absent
wrong "aligned" maps --format x86-pae --root 0x1010 absent
wrong "aligned" maps --format riscv-sv39x4 --root 0x1000 absent
wrong "aligned" maps --format armv7-short --root 0x1000 absent
wrong "maxphyaddr" maps --format x86-64 --root 0 --maxphyaddr 0 absent
wrong "maxphyaddr" maps --format x86-64 --root 0 --maxphyaddr 65 absent
wrong "maxphyaddr" maps --cr3 0 --maxphyaddr 31 absent
wrong "maxphyaddr" maps --cr3 0 --maxphyaddr 53 absent
wrong "maxphyaddr" maps --cr3 0 --maxphyaddr 300 absent

# Registers that contradict each other: the rule is named.
wrong "PG=1.*PE=1" maps --cr3 0 --cr0 0x80000000 absent
wrong "NW=1.*CD=1" maps --cr3 0 --cr0 0xa0000001 absent
wrong "LMA=1.*PG=1" maps --cr3 0 --cr0 1 --efer 0xd00 absent
wrong "LMA=1.*LME=1" maps --cr3 0 --efer 0x400 absent
wrong "LME=1.*LMA=1" maps --cr3 0 --efer 0x100 absent
wrong "LMA=1.*PAE=1" maps --cr3 0 --cr4 0 absent
wrong "PCIDE=1.*LMA=1" maps --cr3 0 --cr4 0x20020 --efer 0 absent
wrong "CET=1.*WP=1" maps --cr3 0 --cr4 0x800020 --cr0 0x80000001 absent
wrong "CR3.*MAXPHYADDR" maps --cr3 0x1000000000 --maxphyaddr 36 absent

wrong "timeout" run --timeout 0 absent
wrong "timeout" run --timeout -1 absent
wrong "timeout" run --timeout 1.5 absent
wrong "timeout" run --timeout 18446744073709551615 absent
wrong "recorded" run --recorded absent
wrong "recorded.*memory" run --recorded --memory 1M
wrong "recorded.*device" run --device /dev/kvm --recorded

helps() { # ARGUMENT...
  run 60 pagewalk "$@"
  if [ "$status" -eq 0 ] && [ "$(wc -l <"$scratch/out")" -ge 3 ] && [ ! -s "$scratch/err" ] &&
    grep -q "^Usage: pagewalk" "$scratch/out"; then
    ok "$*"
  else
    bad "$*: exit status $status" "$(cat "$scratch/out" "$scratch/err")"
  fi
}
helps --help
for command in run formats translate maps walk read; do
  helps $command --help
  pagewalk --help >"$scratch/out"
  if grep -q "^  $command " "$scratch/out"; then ok "--help lists $command"; else
    bad "--help lists $command"
  fi
  run 60 pagewalk $command --usage
  if [ "$status" -eq 0 ] && [ -s "$scratch/out" ]; then ok "$command --usage"; else
    bad "$command --usage"
  fi
done

version=$(sed -n 's/^project(pagewalk VERSION \([0-9.]*\).*/\1/p' "$PW_SOURCE/CMakeLists.txt")
run 60 pagewalk --version
prints "pagewalk $version" "--version"

finish
