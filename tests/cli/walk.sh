#!/bin/sh
# SPDX-License-Identifier: MIT
# walk: the entries level by level, the one that decided, and the translation.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_guest
transcript "$here/walk.expected"

expect 2 "no address" pagewalk walk --cr3 0x1000 guest.img
expect 2 "two addresses" pagewalk walk --cr3 0x1000 guest.img 0 1
expect 2 "an address that is none" pagewalk walk --cr3 0x1000 guest.img -- -
names "'-'" "... names it"

finish
