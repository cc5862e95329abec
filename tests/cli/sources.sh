#!/bin/sh
# SPDX-License-Identifier: MIT
# SOURCE: what cannot be opened or used, FILE@BASE, images shorter than their tables.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_guest
mkdir folder
: >empty
mkfifo fifo
ln -s loop loop

refused() { # SOURCE PATTERN
  expect 3 "translate $1" pagewalk translate --cr3 0x1000 "$1" 0x1000
  names "$2" "... says why"
  expect 3 "translate $1, no question asked" pagewalk translate --cr3 0x1000 --json "$1" - </dev/null
  expect 3 "maps $1" pagewalk maps --cr3 0x1000 "$1"
  names "$2" "... says why"
  expect 3 "walk $1" pagewalk walk --cr3 0x1000 --json "$1" 0x1000
  names "$2" "... says why"
  expect 3 "read $1" pagewalk read --cr3 0x1000 "$1" 0x1000 1
  names "$2" "... says why"
}
refused missing "missing.*No such file"
refused folder "folder.*directory"
refused empty "empty.*empty"
refused fifo "fifo.*neither"
refused loop "loop.*symbolic"
refused /dev/null "/dev/null.*neither"
refused guest.img/x "guest.img/x.*Not a directory"

chmod 000 empty
if [ -r empty ]; then
  skip "an unreadable file: this user may read everything"
else
  refused empty "empty.*Permission"
fi

# ---- FILE@BASE ----

same() { # SOURCE CLAIM ARGUMENT...
  source=$1
  claim=$2
  shift 2
  pagewalk maps --json --cr3 0x1000 guest.img >want || true
  pagewalk maps --json "$@" "$source" >got || true
  if cmp -s want got; then ok "$claim"; else bad "$claim" "$(diff want got | head -n 5)"; fi
}
same guest.img@0 "base 0" --cr3 0x1000
cp guest.img 'at@sign'
same 'at@sign' "a name with @ that no number follows" --cr3 0x1000
same 'at@sign@0x0' "the last @ splits" --cr3 0x1000
cp guest.img '@7'
same './@7@0' "a name that ends like a base" --cr3 0x1000
dd if=guest.img of=aligned.img bs=1 skip=4096 status=none
same aligned.img@0x1000 "a base of a page" --cr3 0x1000
same aligned.img@4096 "a decimal base" --cr3 0x1000
for skew in 1 2 4 7 4088 4093; do
  dd if=guest.img of=skewed.img bs=1 skip="$skew" status=none
  same "skewed.img@$skew" "base $skew" --cr3 0x1000
done
expect 3 "a name with a base, of a file that is not there" pagewalk maps --cr3 0 'at@12'
expect 2 "an image beyond the last address" pagewalk maps --cr3 0 guest.img@0xffffffffffff5000
names "beyond the last address" "... says so"

# Up to the very last address: entries there can be read.
blank top.img 0x1000
entry top.img 0 511 0x63
run 60 pagewalk walk --json --format riscv-sv39 --root 0xfffffffffffff000 \
  top.img@0xfffffffffffff000 0xffffffffffffffff
if grep -q '"index":511,"entry":"0x63"' "$scratch/out"; then
  ok "an image up to the last address"
else
  bad "an image up to the last address" "$(cat "$scratch/out" "$scratch/err")"
fi

# ---- Too short ----

printf 'abc' >tiny.img
expect 1 "an image shorter than an entry" pagewalk maps --json --cr3 0 tiny.img
prints '{"first":"0x0","last":"0x7fffffffffff","status":"no-memory","level":3,"entry":"0x0"}
{"first":"0xffff800000000000","last":"0xffffffffffffffff","status":"no-memory","level":3,"entry":"0x0"}' \
  "... is a table out of reach"
expect 1 "a root outside the image" pagewalk translate --json --cr3 0x100000000 guest.img 0x1000
prints '{"va":"0x1000","status":"no-memory","level":3}' "... is no-memory at its level"

# A table cut off behind its second entry; another in the middle of an entry.
for size in 0x4010 0x4014; do
  head -c $((size)) guest.img >cut.img
  pagewalk translate --json --cr3 0x1000 cut.img 0x1000 0x2000 >got || true
  if grep -q '"pa":"0x5000"' got && grep -q '"va":"0x2000","status":"no-memory","level":0' got; then
    ok "a table that ends at $size"
  else
    bad "a table that ends at $size" "$(cat got)"
  fi
done

# ---- Shrinking while it is read ----

cp guest.img shrinking.img
mkfifo questions answers
{
  status=0
  pagewalk translate --cr3 0x1000 shrinking.img - <questions >answers 2>"$scratch/err" || status=$?
  echo "$status" >status
} &
exec 8>questions 9<answers
echo 0x1000 >&8
timeout 10 head -n 1 <&9 >first || true
: >shrinking.img
echo 0x2000 >&8
exec 8>&- 9<&-
wait || true
if [ "$(cat first)" = "0x1000 -> 0x5000  4 KiB  r-xu" ] && [ "$(cat status)" = 3 ]; then
  ok "an image that shrinks under the command"
else
  bad "an image that shrinks under the command: exit status $(cat status)" "$(cat "$scratch/err")"
fi
names "shorter" "... is named as the reason"

finish
