#!/bin/sh
# SPDX-License-Identifier: MIT
# ept, npt and lint: tables built from a map, read back, judged and walked under.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

cat >guest.map <<'END'
# A small PC.
0x0        0x9ffff                    rwx
0xa0000    0xbffff                    rw-  uc   # video memory
0x100000   0x3fffffff -> 0x100100000  rwx  wb
0x40000000 0x401fffff -> 0x140000000  --x
END
grep -v -- --x guest.map >npt.map
make_guest
make_ept_4
make_loops

transcript "$here/ept.expected"

# What was written is there whole, and nothing else.
if [ "$(stat -c %s ept.img)" -eq 20480 ] && [ "$(find . -name 'ept.img*' | wc -l)" -eq 1 ]; then
  ok "the image has the size that was told, and there is no other file"
else
  bad "the image has the size that was told, and there is no other file" "$(ls -l ept.img*)"
fi

# Maps that are none: the line is named, and no file is left or changed.
cp ept.img before.img
refused() { # CLAIM PATTERN LINE...
  claim=$1
  pattern=$2
  shift 2
  printf '%s\n' '0x10000000 0x10000fff rwx' "$@" >bad.map
  expect 2 "$claim" pagewalk ept -o ept.img bad.map
  names "bad.map:2: .*$pattern" "... names line 2 and the reason"
}
refused "a word too few" "is not a range" "0x1000 0x1fff"
refused "an address that is none" "'zero'.*number" "zero 0x1fff rwx"
refused "LAST before FIRST" "before FIRST" "0x2000 0x1fff rwx"
refused "rights that are none" "RIGHTS" "0x1000 0x1fff rwz"
refused "rights given twice" "RIGHTS" "0x1000 0x1fff rrw"
refused "a type that is none" "memory type" "0x1000 0x1fff rwx wz"
refused "a word too much" "'more' is too much" "0x1000 0x1fff rwx wb more"
refused "HOST that is none" "HOST" "0x1000 0x1fff -> rwx"
refused "an overlap" "overlaps an earlier range, that of line 1" "0x10000000 0x1fffffff r--"
refused "no whole pages" "begin and end at 4 KiB" "0x1000 0x1ffe rwx"
refused "HOST inside a page" "HOST 0x800, where no 4 KiB" "0x1000 0x1fff -> 0x800 rwx"
refused "write without read" "ept-4 cannot give -w-- without r: an EPT misconfiguration" \
  "0x1000 0x1fff -w-"
refused "no rights at all" "ept-4 cannot give ---- without r: .*maps nothing" "0x1000 0x1fff ---"
refused "beyond 48 bits" "guest-physical addresses, which have 48" \
  "0x1000000000000 0x1000000000fff rwx"
refused "HOST beyond 52 bits" "physical addresses, which have 52.*HOST 0xffffffffff000" \
  "0x1000 0x2fff -> 0xffffffffff000 rwx"
refused "everything" "reaches beyond" "0 0xffffffffffffffff rwx"
: >empty.map
expect 2 "an empty map" pagewalk ept -o ept.img empty.map
names "no range" "... says so"
printf '0x1000 0x1fff --x\n' >x.map
expect 2 "execute-only under NPT" pagewalk npt -o npt2.img x.map
names "npt-4 cannot give --x- without r: what is mapped can be read" "... says so"
if cmp -s before.img ept.img && [ ! -e npt2.img ] && [ -z "$(find . -name '*.img.*')" ]; then
  ok "a map that is refused leaves the old image, and no other file"
else
  bad "a map that is refused leaves the old image, and no other file" "$(ls -l)"
fi

expect 3 "a map that is not there" pagewalk ept -o ept.img none.map
expect 3 "an image that cannot be written" pagewalk ept -o none/ept.img guest.map
expect_tight 2 "a map of zero bytes without an end" pagewalk ept -o ept.img /dev/zero
[ "$tight" = no ] || names "/dev/zero:1: there is a zero byte" "... says so"
mkfifo endless
# Until somebody reads, the shell waits; it must not hold the test's own output open meanwhile.
(tr '\0' '#' </dev/zero >endless) >/dev/null 2>&1 &
feeder=$!
expect_tight 2 "a line of a map that never ends" pagewalk ept -o ept.img endless
[ "$tight" = no ] || names "endless:1: the line is too long" "... says so"
kill "$feeder" 2>/dev/null || true
printf '0x1000 0x1fff rwx #%4075s\n' x >long.map
expect 0 "a line of 4094 characters" pagewalk ept -o long.img long.map
printf '0x1000 0x1fff rwx #%4076s\n' x >long.map
expect 2 "a line of 4095 characters" pagewalk ept -o long.img long.map

# What is no regular file is not put out of the way by one.
mkfifo fifo
expect 3 "an image in the place of a pipe" pagewalk ept -o fifo guest.map
names "'fifo': it is no regular file" "... says so"
if [ -p fifo ]; then ok "... and the pipe stays"; else bad "... and the pipe stays" "$(ls -l fifo)"; fi
expect 3 "an image in the place of a directory" pagewalk ept -o . guest.map
mkdir elsewhere
echo old >elsewhere/real.img
chmod 640 elsewhere/real.img
ln -s elsewhere/real.img link.img
expect 0 "an image behind a link" pagewalk ept -o link.img guest.map
if [ -L link.img ] && cmp -s before.img elsewhere/real.img; then ok "... the link leads to it"; else
  bad "... the link leads to it" "$(ls -l link.img elsewhere)"
fi
if [ "$(stat -c %a elsewhere/real.img)" = 640 ]; then ok "... with the rights it had"; else
  bad "... with the rights it had" "$(ls -l elsewhere)"
fi
ln -s nowhere.img lost.img
expect 3 "an image behind a link to nothing" pagewalk ept -o lost.img guest.map
names "'lost.img': it is a link to nothing" "... says so"
if [ -L lost.img ]; then ok "... and the link stays"; else bad "... and the link stays" "$(ls -l)"; fi

# The limit of file sizes: an error, not the end, and nothing is left.
status=0
(ulimit -f 1 && exec pagewalk ept -o limit.img guest.map) 2>"$scratch/err" >"$scratch/out" || status=$?
if [ "$status" -eq 3 ] && [ -z "$(find . -name 'limit.img*')" ]; then
  ok "an image above the limit of file sizes"
else
  bad "an image above the limit of file sizes: exit status $status" "$(ls -l)"
fi

# A signal while the file is written: it is there as a whole, or not, and nothing else is.
seq 0 2097152 16777216000 | awk '{ printf "%.0f %.0f rwx\n", $1, $1 + 4095 }' >wide.map
pagewalk ept -o wide.img wide.map >"$scratch/out" 2>&1 &
pid=$!
while [ -z "$(find . -name 'wide.img.*')" ] && kill -0 "$pid" 2>"$scratch/err"; do :; done
kill -TERM "$pid" 2>"$scratch/err" || true
wait "$pid" || true
if [ -z "$(find . -name 'wide.img.*')" ]; then ok "a signal leaves no part of an image"; else
  bad "a signal leaves no part of an image" "$(ls -l wide.img*)"
fi

# What the CPU lacks is not made use of.
echo '0x40000000 0x7fffffff rwx' >gib.map
counts() { # CLAIM 4K 2M 1G COMMAND...
  claim=$1
  pages='"page_size":4096,"count":'$2'},{"page_size":2097152,"count":'$3
  pages=$pages'},{"page_size":1073741824,"count":'$4'}'
  shift 4
  expect 0 "$claim" "$@" --json -o gib.img gib.map
  if grep -qF "$pages" "$scratch/out"; then ok "... has them"; else
    bad "... has them" "$(cat "$scratch/out")"
  fi
}
counts "a page of 1 GiB" 0 0 1 pagewalk ept
counts "EPT without pages of 1 GiB" 0 512 0 pagewalk ept --no-1g
counts "EPT without those of 2 MiB either" 262144 0 0 pagewalk ept --no-1g --no-2m
counts "NPT without pages of 1 GiB" 0 512 0 pagewalk npt --no-1g
expect 2 "execute-only without the capability" pagewalk ept --no-execute-only -o gib.img x.map
names "x.map:1: .*no execute-only" "... says so"
expect 2 "NPT without pages of 2 MiB" pagewalk npt --no-2m -o gib.img gib.map
expect 2 "NPT without execute-only" pagewalk npt --no-execute-only -o gib.img gib.map

expect 2 "no --output" pagewalk ept guest.map
expect 2 "an image to stdout" pagewalk ept -o - guest.map
names "--output '-'" "... names it"
expect 2 "no map" pagewalk ept -o ept.img
expect 2 "a base that is no table's" pagewalk ept --base 0x1001 -o ept.img guest.map
for bits in 36 52; do
  expect 2 "a base of more than $bits bits" pagewalk ept --maxphyaddr $bits \
    --base "0x$(printf '%x' $((1 << bits)))" -o ept.img guest.map
  names "--base 0x" "... names it"
done
expect 2 "a base without room for the tables" pagewalk ept --maxphyaddr 36 \
  --base 0xfffffe000 -o ept.img guest.map
names "guest.map:2: .*tables beyond.*36 bits, from --base 0xfffffe000 on" "... names it"
expect 2 "six levels" pagewalk ept --levels 6 -o ept.img guest.map

finish
