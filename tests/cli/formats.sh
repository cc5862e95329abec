#!/bin/sh
# SPDX-License-Identifier: MIT
# formats: every promised name, with the record's fields in order.
set -eu
. "$(dirname "$0")/common.sh"

run 60 pagewalk formats --json
cp "$scratch/out" json
run 60 pagewalk formats
cp "$scratch/out" text

while read -r name levels va_bits pa_bits entry_bytes page_sizes; do
  record="{\"name\":\"$name\",\"levels\":$levels,\"va_bits\":$va_bits,\"pa_bits\":$pa_bits,\"entry_bytes\":$entry_bytes,\"page_sizes\":[$page_sizes],\"manual\":\""
  if grep -qF "$record" json; then ok "$name"; else
    bad "$name: no record $record" "$(grep "\"$name\"" json)"
  fi
  if grep -qE "^$name +$levels +$va_bits +$pa_bits  " text; then ok "$name as text"; else
    bad "$name as text" "$(grep "^$name " text)"
  fi
done <<'END'
x86-none 0 32 32 0 4096
x86-32 2 32 40 4 4096,4194304
x86-pae 3 32 52 8 4096,2097152
x86-64 4 48 52 8 4096,2097152,1073741824
x86-64-la57 5 57 52 8 4096,2097152,1073741824
ept-4 4 48 52 8 4096,2097152,1073741824
ept-5 5 57 52 8 4096,2097152,1073741824
npt-4 4 48 52 8 4096,2097152,1073741824
npt-5 5 57 52 8 4096,2097152,1073741824
armv7-short 2 32 40 4 4096,65536,1048576,16777216
armv7-lpae 3 32 40 8 4096,2097152,1073741824
arm64-4k 4 48 48 8 4096,2097152,1073741824
arm64-4k-39 3 39 48 8 4096,2097152,1073741824
arm64-16k 4 48 48 8 16384,33554432
arm64-64k 3 48 48 8 65536,536870912
arm64-s2-4k 3 40 48 8 4096,2097152,1073741824
arm64-s2-16k 2 40 48 8 16384,33554432
arm64-s2-64k 2 40 48 8 65536,536870912
riscv-sv32 2 32 34 4 4096,4194304
riscv-sv39 3 39 56 8 4096,65536,2097152,1073741824
riscv-sv48 4 48 56 8 4096,65536,2097152,1073741824,549755813888
riscv-sv57 5 57 56 8 4096,65536,2097152,1073741824,549755813888,281474976710656
riscv-sv32x4 2 34 34 4 4096,4194304
riscv-sv39x4 3 41 56 8 4096,65536,2097152,1073741824
riscv-sv48x4 4 50 56 8 4096,65536,2097152,1073741824,549755813888
riscv-sv57x4 5 59 56 8 4096,65536,2097152,1073741824,549755813888,281474976710656
END

if grep -qv '^{"name":"[a-z0-9-]*",.*,"manual":"[^"]\{8,\}"}$' json; then
  bad "every record names its manual" "$(grep -v '"manual":"[^"]' json)"
else
  ok "every record names its manual"
fi

# Each of them is a name that --format takes.
blank zero.img 0x100000
cut -d'"' -f4 json >names
while read -r name; do
  expect 0 "--format $name" pagewalk maps --format "$name" --root 0 zero.img
done <names

finish
