#!/bin/sh
# SPDX-License-Identifier: MIT
# Tables made to keep a walker busy: every command ends, within its budget, and says so.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_loops

ends() { # SECONDS CLAIM COMMAND...
  seconds=$1
  claim=$2
  shift 2
  status=0
  timeout -k 5 "$seconds" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
  if [ "$status" -eq 124 ] || [ "$status" -ge 128 ]; then
    bad "$claim: it does not end" "$(tail -n 3 "$scratch/out")"
  else
    ok "$claim ends ($status)"
  fi
}

for format in x86-64 x86-64-la57 x86-pae ept-4 ept-5 arm64-4k riscv-sv48 x86-32; do
  ends 20 "$format: maps of a table that is all its own children" \
    pagewalk maps --json --format $format --root 0x1000 loop.img
  ends 20 "$format: maps of a table with one entry to itself" \
    pagewalk maps --json --format $format --root 0x1000 self.img
  ends 20 "$format: translate" pagewalk translate --format $format --root 0x1000 loop.img 0x12345678
  ends 20 "$format: walk" pagewalk walk --format $format --root 0x1000 loop.img 0x12345678
done

run 20 pagewalk maps --json --format x86-64 --root 0x1000 self.img
prints '{"first":"0x8040201000","last":"0x8040201fff","pa":"0x1000","page_size":4096,"rights":"rwxu","user":"rwx","supervisor":"rwx"}' \
  "one entry to itself is one page"

# Listed in full it is 2^36 pages: the budget of 2^24 entries ends it.
status=0
timeout -k 5 110 pagewalk maps --json --expand --format x86-64 --root 0x1000 loop.img |
  tail -n 1 >last || status=$?
if grep -q '^{"complete":false,"reason":".*16777216 entries.*0x[0-9a-f]*"}$' last; then
  ok "--expand ends within its budget and says so"
else
  bad "--expand ends within its budget and says so" "$(cat last)"
fi

# A tree of tables in which every entry of a level leads to the same table of the next.
blank tree.img 0x6000
for table in 1 2 3 4; do
  fill tree.img "$table * 0x1000" 512 $(((table + 1) * 0x1000 + 0x67)) 0
done
run 20 pagewalk maps --json --cr3 0x1000 tree.img
if [ "$status" -eq 0 ] && [ "$(wc -l <"$scratch/out")" -lt 1100 ]; then
  ok "2^36 pages by shared tables are a short list"
else
  bad "2^36 pages by shared tables are a short list" "$(wc -l <"$scratch/out") lines, $status"
fi

# 64 pages of random present entries that lead to each other.
awk 'BEGIN {
  srand(7)
  for (i = 0; i < 32768; i++) {
    page = int(rand() * 64)
    printf "\\%03o\\%03o\\%03o\\000\\000\\000\\000\\%03o", int(rand() * 128) * 2 + 1, page % 16 * 16,
      int(page / 16), int(rand() * 2) * 128
    if (i % 32 == 31) printf "\n"
  }
}' | escapes >random.img
for format in x86-64 ept-4 arm64-4k riscv-sv39; do
  ends 110 "$format: maps of 64 pages of random entries" \
    sh -c "pagewalk maps --json --format $format --root 0 random.img | tail -n 1"
done

# Reading from such a space is bounded too.
ends 60 "read of 2^46 bytes" pagewalk read --format x86-64 --root 0x1000 loop.img 0 64T
names "read it in parts" "... says why not"

finish
