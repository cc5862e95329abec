#!/bin/sh
# SPDX-License-Identifier: MIT
# Every family of formats: the list of a small image, and walks with the names of the bits.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_x86_32
make_x86_pae
make_x86_64_la57
make_ept_4
make_arm64_4k
make_arm64_s2_4k
make_armv7_short
make_armv7_lpae
make_riscv
# The rules of RISC-V: an execute-only page, a NAPOT entry, and a G-stage of such entries.
cp riscv-sv39.img napot.img
entry napot.img 0x3000 4 0x1859
entry napot.img 0x3000 16 0x80000000000160df
entry napot.img 0x10000 0 0x5001
entry napot.img 0x14000 0 0x5401
index=0
while [ "$index" -lt 16 ]; do
  entry napot.img 0x15000 "$index" 0x80000000000020df
  index=$((index + 1))
done
transcript "$here/spaces.expected"

for option in svnapot svadu sum mxr; do
  expect 2 "--$option on x86" pagewalk maps --cr3 0x1000 --$option napot.img
  names "--$option is for RISC-V only" "... says so"
done
for option in svnapot svadu; do
  expect 2 "--nested-$option under EPT" \
    pagewalk maps --cr3 0x1000 --nested ept-4:0x1000 --nested-$option napot.img
  names "--nested-$option is for RISC-V only" "... says so"
done

finish
