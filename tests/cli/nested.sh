#!/bin/sh
# SPDX-License-Identifier: MIT
# --nested: a guest's tables under EPT and NPT, translated, listed and read through.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_nested
printf 'two stages: this text crosses ' | at nested.img 0x9fe2 # guest-virtual 0x1fe2
printf 'from one page into another' | at nested.img 0x6000     # guest-virtual 0x2000
# It ends in the middle of a page's data.
dd if=nested.img of=cut.img bs=16 count=$((0x2f01)) status=none
entry cut.img 0x23000 7 0x2f037 # guest-virtual 0x3000
transcript "$here/nested.expected"

run 60 pagewalk read --cr3 0x1000 --nested ept-4:0x20000 nested.img 0x2ff0 17
if [ "$status" -eq 1 ] && [ ! -s "$scratch/out" ]; then
  ok "nothing is written unless all can be read"
else
  bad "nothing is written unless all can be read" "$(cat "$scratch/out")"
fi
names "stage 2, during the final access to 0x7000" "... the stage is named"

expect 2 "--nested without a root" pagewalk translate --cr3 0x1000 --nested ept-4 nested.img 0
expect 2 "--nested of a first stage" \
  pagewalk translate --cr3 0x1000 --nested x86-64:0x1000 nested.img 0
names "second stage" "... says what is wanted"
expect 2 "--nested with a crooked root" \
  pagewalk translate --cr3 0x1000 --nested ept-4:0x1001 nested.img 0
for option in no-2m no-ad no-execute-only mbec advanced shadow-stack; do
  expect 2 "--nested-$option under NPT" \
    pagewalk translate --cr3 0x1000 --nested npt-4:0x28000 --nested-$option nested.img 0
  names "--nested-$option is for EPT only" "... says so"
done
for option in no-nxe smep gmet; do
  expect 2 "--nested-$option under EPT" \
    pagewalk maps --cr3 0x1000 --nested ept-4:0x20000 --nested-$option nested.img
  names "--nested-$option is for NPT only" "... says so"
done
expect 2 "--nested-no-1g of RISC-V" pagewalk maps --format riscv-sv39 --root 0x1000 \
  --nested riscv-sv39x4:0x4000 --nested-no-1g nested.img
for command in translate maps; do
  expect 2 "$command: an x86 guest over a G-stage" \
    pagewalk $command --cr3 0x1000 --nested riscv-sv39x4:0x4000 nested.img 0x1000 0x1fff
done
expect 2 "a guest of RISC-V under EPT" \
  pagewalk maps --format riscv-sv39 --root 0x1000 --nested ept-4:0x20000 nested.img
names "ept-4 is no second stage of riscv-sv39" "... names both"
expect 2 "a guest of x86 under stage 2 of Arm" \
  pagewalk read --cr3 0x1000 --nested arm64-s2-4k:0x20000 nested.img 0 1
names "arm64-s2-4k is no second stage of an x86 CPU" "... names both"
expect 1 "EPT under EPT" \
  pagewalk translate --format ept-4 --root 0x20000 --nested ept-4:0x20000 nested.img 0x40000000
expect 2 "a rule without --nested" pagewalk maps --cr3 0x1000 --nested-no-1g nested.img
names "needs --nested" "... says so"
expect 2 "--nested-maxphyaddr that is none" pagewalk maps --cr3 0x1000 \
  --nested ept-4:0x20000 --nested-maxphyaddr 11 nested.img
expect 2 "maps: --nested with a crooked root" \
  pagewalk maps --cr3 0x1000 --nested ept-4:0x1001 nested.img

finish
