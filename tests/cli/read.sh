#!/bin/sh
# SPDX-License-Identifier: MIT
# read: all or nothing, --partial, the ends of pages, images and address spaces.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_guest
dd if=guest.img of=odd.img bs=1 skip=4093 status=none
# It ends in the middle of a page's data.
dd if=guest.img of=cut.img bs=1 skip=4096 count=$((0x7ffe - 0x1000)) status=none
transcript "$here/read.expected"

run 60 pagewalk read --cr3 0x1000 guest.img 0x4ff0 17
if [ "$status" -eq 1 ] && [ ! -s "$scratch/out" ]; then
  ok "nothing is written unless all can be read"
else
  bad "nothing is written unless all can be read" "$(cat "$scratch/out")"
fi

expect 2 "no LENGTH" pagewalk read --cr3 0x1000 guest.img 0x1000
for length in 1X -1 0x 1KK 16777216T 1.5 ''; do
  expect 2 "LENGTH '$length'" pagewalk read --cr3 0x1000 guest.img 0x1000 -- "$length"
  names LENGTH "... names it"
done

# 8 MiB of text and of JSON: more than any buffer.
blank big.img 0x804000
entry big.img 0x1000 0 0x2003
entry big.img 0x2000 0 0x400003 # the tables stand in the last page but one of the 8 MiB
entry big.img 0x400000 0 0x83
entry big.img 0x400000 1 0x200083
entry big.img 0x400000 2 0x400083
entry big.img 0x400000 3 0x600083
pagewalk read --cr3 0x1000 --json big.img 0 8M >json
if [ "$(wc -c <json)" -eq $((2 * 8388608 + 24)) ] && [ "$(wc -l <json)" -eq 1 ]; then
  ok "8 MiB are one record"
else
  bad "8 MiB are one record" "$(wc json)"
fi
pagewalk read --cr3 0x1000 big.img 0 8M >text
if [ "$(wc -l <text)" -eq 524288 ]; then ok "8 MiB are 524288 lines"; else
  bad "8 MiB are 524288 lines" "$(wc -l text)"
fi

finish
