#!/bin/sh
# SPDX-License-Identifier: MIT
# walk --nested: every entry of both stages in the order in which the hardware takes them.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_nested
# A RISC-V guest whose page has neither A nor D yet, under a G-stage of one page of 1 GiB.
blank riscv.img 0x8000
entry riscv.img 0x1000 0 0x801
entry riscv.img 0x2000 0 0xc01
entry riscv.img 0x3000 1 0x1407
entry riscv.img 0x4000 0 0xdf
# Its last table is where no machine memory is.
cp riscv.img lost.img
entry lost.img 0x2000 0 0x2401
# Two supervisor shadow-stack pages of the guest: one that EPT does not mark as such, and one that it
# marks, below a table that cannot be written.
cp nested.img stack.img
entry stack.img 0x4000 1 0x5061
entry stack.img 0x4000 2 0x6061
entry stack.img 0x23000 5 0x1000000000009031
cp stack.img stack2.img
entry stack2.img 0x22000 0 0x23005
transcript "$here/walk_nested.expected"

# The last record is what translate says, and the exit status too.
for options in "ept-4:0x20000" "npt-4:0x28000" "ept-4:0x2c000 --nested-no-ad"; do
  for access in "" "--access r" "--access w --user" "--access x"; do
    for va in 0 0x1000 0x2000 0x3000 0x4000 0x9000 0x800000000000; do
      # shellcheck disable=SC2086 # several words
      set -- $access --json --cr3 0x1000 --nested $options nested.img $va
      run 60 pagewalk walk "$@"
      tail -n 1 "$scratch/out" >"$scratch/last"
      walked=$status
      run 60 pagewalk translate "$@"
      if [ "$status" -eq "$walked" ] && cmp -s "$scratch/last" "$scratch/out"; then
        ok "walk ends as translate: $*"
      else
        bad "walk ends as translate: $*" "$(diff "$scratch/last" "$scratch/out")"
      fi
    done
  done
done

expect 2 "walk --nested without a root" pagewalk walk --cr3 0x1000 --nested ept-4 nested.img 0
names "FORMAT:ROOT" "... says what is wanted"
expect 2 "walk --nested of a first stage" \
  pagewalk walk --cr3 0x1000 --nested x86-64:0x1000 nested.img 0
names "second stage" "... says what is wanted"
expect 2 "walk --nested with a crooked root" \
  pagewalk walk --cr3 0x1000 --nested ept-4:0x1001 nested.img 0
expect 2 "walk: an x86 guest over a G-stage" \
  pagewalk walk --cr3 0x1000 --nested riscv-sv39x4:0x4000 nested.img 0
expect 2 "walk: a rule without --nested" pagewalk walk --cr3 0x1000 --nested-mbec nested.img 0
names "needs --nested" "... says so"
expect 3 "walk --nested of no file" \
  pagewalk walk --cr3 0x1000 --nested ept-4:0x20000 absent.img 0

finish
