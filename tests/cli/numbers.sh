#!/bin/sh
# SPDX-License-Identifier: MIT
# Numbers on the command line: 0x hexadecimal or decimal, no octal, 64 bits, nothing around them.
set -eu
. "$(dirname "$0")/common.sh"

blank x.img 0x1000

# means TEXT 0xVALUE: as an address of the identity space, or of one that takes all of them
means() {
  run 60 pagewalk translate --format arm64-4k --root 0 --json x.img -- "$1"
  if grep -q "^{\"va\":\"$2\"," "$scratch/out"; then ok "$1 is $2"; else
    bad "$1 is $2" "$(cat "$scratch/out" "$scratch/err")"
  fi
}
means 0 0x0
means 00 0x0
means 010 0xa
means 0x010 0x10
means 0xAbC 0xabc
means 18446744073709551615 0xffffffffffffffff
means 0xffffffffffffffff 0xffffffffffffffff
means 0x0000000000000000000001 0x1
means 000000000000000000000000000000012 0xc

for text in '' 0x 0X1 x1 1x 0xg 12a -1 +1 ' 1' '1 ' 1k 1K 1.0 1e3 18446744073709551616 \
  0x10000000000000000 0x-1 '0x 1' 99999999999999999999 0b1 1_000 "1
2"; do
  expect 2 "'$text' is no address" pagewalk translate --format arm64-4k --root 0 x.img -- "$text"
  names "address '" "... it says so"
done

for option in --root --cr3; do
  for text in '' 0x zero -1 0x10000000000000000; do
    case $option in
    --root) expect 2 "--root '$text'" pagewalk maps --format x86-64 "--root=$text" x.img ;;
    *) expect 2 "$option '$text'" pagewalk maps "$option=$text" x.img ;;
    esac
    names "$option '" "... names it"
  done
done
for option in --cr0 --cr4 --efer --pkru --pkrs --maxphyaddr; do
  expect 2 "$option 1k" pagewalk maps --cr3 0 "$option=1k" x.img
  names "$option '1k'" "... names it"
done
expect 2 "--pkru of 33 bits" pagewalk maps --cr3 0 --pkru 0x100000000 x.img
names "pkru" "... names it"

# Sizes: of guest memory, where the answer is a complaint about what comes behind.
size() { # TEXT EXIT-STATUS
  expect "$2" "--memory '$1'" pagewalk run --memory "$1" --device ./absent
}
for text in 1M 2m 1048576 0x100000 1G 0x1T; do
  case $text in
  2m) size "$text" 2 ;;
  *) size "$text" 3 ;;
  esac
done
for text in '' M 1MB 1MiB 1KM 0xM 1.5M -1M 16777216T 18446744073709551616; do
  size "$text" 2
done

finish
