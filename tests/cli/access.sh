#!/bin/sh
# SPDX-License-Identifier: MIT
# ACCESS: rights, keys and control registers enforced; the error code, and the rule in words.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_guest
make_ept_4
transcript "$here/access.expected"

expect 2 "--user where there are no users" \
  pagewalk translate --format ept-4 --root 0x1000 --user ept-4.img 0x1000
names "user.*ept-4|ept-4.*user" "... names the option and the format"
expect 2 "--access with another letter" pagewalk translate --cr3 0x1000 --access rw guest.img 0
names "access.*rw" "... names it"
expect 2 "--user with walk, too" \
  pagewalk walk --format riscv-sv39x4 --root 0x4000 --user guest.img 0x1000

finish
