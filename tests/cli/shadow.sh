#!/bin/sh
# SPDX-License-Identifier: MIT
# shadow: the guest's tables and a map made into one set of tables; held against both stages apart.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_guest
make_loops
make_x86_32
make_x86_pae
make_ept_4
cat >shadow.map <<'END'
0x40000000 0x7fffffff -> 0x80000000 r-x    # one page of 1 GiB
0x0        0xffff     -> 0x100000   rwx
0x200000   0x3fffff   -> 0x40200000 rw-
END
printf '0x0 0xfffff rwx\n' >identity.map
cp guest.img guest.before

transcript "$here/shadow.expected"

if cmp -s guest.img guest.before; then ok "the guest's memory stays as it is"; else
  bad "the guest's memory stays as it is" "$(cmp guest.img guest.before)"
fi

# ---- Against the two stages ---------------------------------------------------------------------

# The same map as an EPT, in the memory of the machine that holds the guest's at 0x100000.
cat >two.map <<'END'
0x0        0xffff     -> 0x100000   rwx
0x200000   0x3fffff   -> 0x400000   rw-
END
pagewalk ept --base 0x800000 -o two-ept.img two.map >/dev/null
blank machine.img 0x900000
at machine.img 0x100000 <guest.img
at machine.img 0x800000 <two-ept.img

# pages MODE: each 4 KiB page of the records on stdin: address, physical address, what MODE may do
pages() {
  sed -n 's/.*"first":"\(0x[0-9a-f]*\)","last":"\(0x[0-9a-f]*\)","pa":"\(0x[0-9a-f]*\)".*"'"$1"'":"\([rwx-]*\)".*/\1 \2 \3 \4/p' |
    while read -r first last pa rights; do
      case $rights in ---) continue ;; esac
      while [ $((first)) -le $((last)) ]; do
        printf '%#x %#x %s\n' "$((first))" "$((pa))" "$rights"
        first=$((first + 4096)) pa=$((pa + 4096))
      done
    done
}

# What holds a table of the guest cannot be written.
protect_tables() {
  sed -E 's/ (0x10[123469b]000) (r|-)w/ \1 \2-/'
}

against_both_stages() { # MODE OPTION...
  mode=$1
  shift
  pagewalk shadow --cr3 0x1000 "$@" -o one.img guest.img two.map >/dev/null || true
  pagewalk maps --json --expand --cr3 0x1000 --nested ept-4:0x800000 machine.img 0 0x3fffffff |
    pages "$mode" | protect_tables >expected
  pagewalk maps --json --expand --cr3 0x1000 one.img@0x1000 0 0x3fffffff | pages user >found
  if [ "$(wc -l <found)" -ge 7 ] && cmp -s expected found; then
    ok "the $mode's shadow says what both stages say: $(wc -l <found) pages"
  else
    bad "the $mode's shadow says what both stages say" "$(diff expected found | head -n 20)"
  fi
}
against_both_stages supervisor
against_both_stages supervisor --largest 4K
against_both_stages user --user

# ---- What cannot be -----------------------------------------------------------------------------

cp shadow.img before.img
refused() { # CLAIM PATTERN OPTION-OR-ARGUMENT...
  claim=$1
  pattern=$2
  shift 2
  expect 2 "$claim" pagewalk shadow -o shadow.img "$@"
  names "$pattern" "... says so"
}
bad_map() { # CLAIM PATTERN LINE
  printf '%s\n' '0x10000000 0x10000fff rwx' "$3" >bad.map
  refused "$1" "bad.map:2: .*$2" --cr3 0x1000 guest.img bad.map
}
bad_map "an overlap" "overlaps that of line 1" "0x10000000 0x1fffffff r--"
bad_map "no whole pages" "4 KiB pages" "0x1000 0x1ffe rwx"
bad_map "HOST inside a page" "HOST" "0x1000 0x1fff -> 0x800 rwx"
bad_map "HOST beyond 52 bits" "52 bits" "0x1000 0x2fff -> 0xffffffffff000 rwx"
bad_map "everything" "4 KiB pages" "0 0xffffffffffffffff rwx"
refused "tables that lead to themselves on every way" "too many" --cr3 0x1000 loop.img shadow.map
refused "PAE without its registers" "load-pdptes" --cr3 0x1020 --efer 0x800 x86-pae.img shadow.map
refused "a guest that is none" "x86 guests, not for ept-4" \
  --format ept-4 --root 0x1000 ept-4.img shadow.map
refused "a page of no size" "4K, 2M or 1G" --largest 8K --cr3 0x1000 guest.img shadow.map
refused "a root inside a page" "base" --base 0x1800 --cr3 0x1000 guest.img shadow.map
refused "no map" "MAP" --cr3 0x1000 guest.img
expect 2 "no output" pagewalk shadow --cr3 0x1000 guest.img shadow.map
expect 3 "a guest that is not there" pagewalk shadow --cr3 0x1000 -o shadow.img none.img shadow.map
if cmp -s before.img shadow.img && [ -z "$(find . -name 'shadow.img.*')" ]; then
  ok "what is refused leaves the old image, and no other file"
else
  bad "what is refused leaves the old image, and no other file" "$(ls -l)"
fi

finish
