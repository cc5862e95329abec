#!/bin/sh
# SPDX-License-Identifier: MIT
# maps: merged regions, ranges, repetitions, bad entries and tables out of reach.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_guest

# One full table of 512 pages, met with full rights twice and without the right to write once; and
# a table of one page, met twice.
blank repeat.img 0x6000
entry repeat.img 0x1000 0 0x2067
entry repeat.img 0x2000 0 0x3067
entry repeat.img 0x3000 0 0x4067
entry repeat.img 0x3000 2 0x4067
entry repeat.img 0x3000 4 0x4065
entry repeat.img 0x3000 6 0x5067
entry repeat.img 0x3000 8 0x5067
fill repeat.img 0x4000 512 $((0x10000067)) $((0x2000))
entry repeat.img 0x5000 7 0x7067

pagewalk maps --format x86-64 --root 0x1000 --json repeat.img >all || true
pagewalk maps --format x86-64 --root 0x1000 --json --expand repeat.img >expanded || true
if [ "$(wc -l <all)" -eq 1027 ] && [ "$(grep -c repeats all)" -eq 1 ]; then
  ok "a repetition with other rights is listed in full, one of few pages too"
else
  bad "a repetition with other rights is listed in full, one of few pages too" \
    "$(wc -l <all) lines: $(grep repeats all)"
fi
if [ "$(wc -l <expanded)" -eq 1538 ] && ! grep -q repeats expanded; then
  ok "--expand lists every page"
else
  bad "--expand lists every page" "$(wc -l <expanded) lines"
fi
# The transcript shows the short ones.
fill repeat.img 0x4000 512 $((0x10000067)) $((0x1000))
transcript "$here/maps.expected"

expect 2 "FIRST after LAST" pagewalk maps --cr3 0x1000 guest.img 0x2000 0x1fff
names "0x2000.*0x1fff" "... names both"
expect 2 "FIRST alone" pagewalk maps --cr3 0x1000 guest.img 0x2000
names LAST "... says what is missing"
expect 2 "FIRST that is no number" pagewalk maps --cr3 0x1000 guest.img zero 0x1fff
names "FIRST.*zero" "... names it"
expect 2 "an argument too much" pagewalk maps --cr3 0x1000 guest.img 0 1 2
expect 0 "an empty space" pagewalk maps --cr3 0xa000 guest.img
prints "" "... is an empty list"

finish
