#!/bin/sh
# SPDX-License-Identifier: MIT
# ept, npt, lint and --nested: tables built from a map, read back, judged and walked under.
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

# A guest in its hypervisor's memory: tables of the guest at 0x1000 on, EPT at 0x20000, NPT at
# 0x28000. Guest-physical 0 to 2 MiB is itself, but for the pages at 0x6000 to 0x8000.
blank nested.img 0x30000
entry nested.img 0x1000 0 0x2067
entry nested.img 0x2000 0 0x3067
entry nested.img 0x3000 0 0x4067
entry nested.img 0x4000 1 0x5067
entry nested.img 0x4000 2 0x6067
entry nested.img 0x4000 3 0x7067
entry nested.img 0x4000 4 0x8067
entry nested.img 0x20000 0 0x21007
entry nested.img 0x21000 0 0x22007
entry nested.img 0x22000 0 0x23007
fill nested.img 0x23000 48 $((0x37)) $((0x1000))
entry nested.img 0x23000 5 0x9033          # no execution
entry nested.img 0x23000 6 0x6031          # read-only
entry nested.img 0x23000 7 0               # not there
entry nested.img 0x23000 8 0x8032          # misconfigured
entry nested.img 0x28000 0 0x29007
entry nested.img 0x29000 0 0x2a007
entry nested.img 0x2a000 0 0x2b007
fill nested.img 0x2b000 48 $((0x7)) $((0x1000))
entry nested.img 0x2b000 4 0x4005          # the guest's last table is read-only
# EPT once more, at 0x2c000: what the rules of --nested decide.
entry nested.img 0x2c000 0 0x2d407
entry nested.img 0x2d000 0 0x2e407
entry nested.img 0x2e000 0 0x2f407
fill nested.img 0x2f000 48 $((0x37)) $((0x1000))
entry nested.img 0x2f000 4 0x4031          # the guest's last table is read-only
entry nested.img 0x2f000 5 0x5431          # execution from user-mode addresses alone, with MBEC
entry nested.img 0x2f000 6 0x6034          # execute-only

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
refused "an overlap" "overlaps" "0x10000000 0x1fffffff r--"
refused "no whole pages" "4 KiB" "0x1000 0x1ffe rwx"
refused "write without read" "cannot express" "0x1000 0x1fff -w-"
refused "no rights at all" "cannot express" "0x1000 0x1fff ---"
refused "beyond 48 bits" "reaches beyond" "0x1000000000000 0x1000000000fff rwx"
refused "everything" "reaches beyond" "0 0xffffffffffffffff rwx"
: >empty.map
expect 2 "an empty map" pagewalk ept -o ept.img empty.map
names "no range" "... says so"
printf '0x1000 0x1fff --x\n' >x.map
expect 2 "execute-only under NPT" pagewalk npt -o npt2.img x.map
names "NPT cannot express" "... says so"
if cmp -s before.img ept.img && [ ! -e npt2.img ] && [ -z "$(find . -name '*.img.*')" ]; then
  ok "a map that is refused leaves the old image, and no other file"
else
  bad "a map that is refused leaves the old image, and no other file" "$(ls -l)"
fi

expect 3 "a map that is not there" pagewalk ept -o ept.img none.map
expect 3 "an image that cannot be written" pagewalk ept -o none/ept.img guest.map
expect_tight 3 "a line of a map that never ends" pagewalk ept -o ept.img /dev/zero

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

# The limit of file sizes: an error, not the end, and nothing is left.
status=0
(ulimit -f 1 && exec pagewalk ept -o limit.img guest.map) 2>"$scratch/err" >"$scratch/out" || status=$?
if [ "$status" -eq 3 ] && [ -z "$(find . -name 'limit.img*')" ]; then
  ok "an image above the limit of file sizes"
else
  bad "an image above the limit of file sizes: exit status $status" "$(ls -l)"
fi

expect 2 "no --output" pagewalk ept guest.map
expect 2 "no map" pagewalk ept -o ept.img
expect 2 "a base that is no table's" pagewalk ept --base 0x1001 -o ept.img guest.map
for bits in 36 52; do
  expect 2 "a base of more than $bits bits" pagewalk ept --maxphyaddr $bits \
    --base "0x$(printf '%x' $((1 << bits)))" -o ept.img guest.map
  names "--base 0x" "... names it"
done
expect 2 "six levels" pagewalk ept --levels 6 -o ept.img guest.map
expect 2 "--nested without a root" pagewalk translate --cr3 0x1000 --nested ept-4 ept.img 0
expect 2 "--nested of a first stage" \
  pagewalk translate --cr3 0x1000 --nested x86-64:0x1000 ept.img 0
names "second stage" "... says what is wanted"
expect 2 "--nested with a crooked root" \
  pagewalk translate --cr3 0x1000 --nested ept-4:0x1001 ept.img 0
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
expect 2 "a rule without --nested" pagewalk maps --cr3 0x1000 --nested-no-1g nested.img
names "needs --nested" "... says so"
expect 2 "--nested-maxphyaddr that is none" pagewalk maps --cr3 0x1000 \
  --nested ept-4:0x20000 --nested-maxphyaddr 11 nested.img
expect 2 "maps: --nested with a crooked root" \
  pagewalk maps --cr3 0x1000 --nested ept-4:0x1001 ept.img

finish
