#!/bin/sh
# SPDX-License-Identifier: MIT
# ACCESS: rights, keys and control registers enforced; the error code, and the rule in words.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_guest
make_ept_4
make_x86_pae
# Entries with bit 47, which encrypts; one leads out of the image, and one has a reserved bit.
blank encrypted.img 0x6000
entry encrypted.img 0x1000 0 0x800000002027
entry encrypted.img 0x2000 0 0x800000003027
entry encrypted.img 0x3000 0 0x800000004027
entry encrypted.img 0x3000 1 0x800000100027
entry encrypted.img 0x4000 3 0x800000005025
# What an upper entry takes away: the right to write, from a page that could be a shadow stack and
# from one of the supervisor.
blank upper.img 0x6000
entry upper.img 0x1000 0 0x2027
entry upper.img 0x2000 0 0x3025
entry upper.img 0x3000 0 0x4027
entry upper.img 0x4000 0 0x5065
entry upper.img 0x4000 1 0x5063
transcript "$here/access.expected"

expect 2 "--user where there are no users" \
  pagewalk translate --format ept-4 --root 0x1000 --user ept-4.img 0x1000
names "user.*ept-4|ept-4.*user" "... names the option and the format"
expect 2 "--access with another letter" pagewalk translate --cr3 0x1000 --access rw guest.img 0
names "access.*rw" "... names it"
for option in --implicit --shadow-stack; do
  expect 2 "$option where there is no such access" \
    pagewalk translate --format ept-4 --root 0x1000 $option ept-4.img 0x1000
  names "$option.*ept-4" "... names the option and the format"
done
expect 2 "an implicit fetch" pagewalk translate --cr3 0x1000 --implicit --access x guest.img 0
names "--implicit.*fetches nothing" "... says so"
expect 2 "--shadow-stack without CET" pagewalk translate --cr3 0x1000 --shadow-stack guest.img 0
names "CR4.CET" "... says so"
expect 2 "a fetch from a shadow stack" \
  pagewalk translate --cr3 0x1000 --cr4 0x800020 --access x --shadow-stack guest.img 0
for value in 0,0,0 0,0,0,0,0 0,0,0,x ",,," 1; do
  expect 2 "--pdptes $value" pagewalk translate --cr3 0x1020 --efer 0 --pdptes $value x86-pae.img 0
  names "--pdptes" "... names it"
done
expect 2 "--pdptes without --cr3" \
  pagewalk translate --format x86-pae --root 0x1020 --pdptes 0,0,0,0 x86-pae.img 0
expect 2 "two sources of PDPTEs" \
  pagewalk translate --cr3 0 --efer 0 --pdptes 0,0,0,0 --load-pdptes x86-pae.img 0
for value in 11 52 x; do
  expect 2 "--c-bit $value" pagewalk translate --cr3 0x1000 --c-bit $value guest.img 0
  names "--c-bit" "... names it"
done
expect 2 "CR0 has 32 bits" pagewalk translate --cr3 0x1000 --cr0 0x180010001 guest.img 0
names "CR0.63:32" "... says so"
expect 2 "--user with walk, too" \
  pagewalk walk --format riscv-sv39x4 --root 0x4000 --user guest.img 0x1000

finish
