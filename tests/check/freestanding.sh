#!/bin/sh
# SPDX-License-Identifier: MIT
# The library's sources compile without any configure step and without any libc header, for 64 and
# for 32 bits, by every compiler found; and a program without libc links them and translates.
set -eu
. "$(dirname "$0")/common.sh"

# Only the compiler's own headers: <stdint.h> and <limits.h> must not pull in the libc's.
own_headers() {
  case $("$1" --version) in
  *clang*) printf '%s\n' "$("$1" -print-resource-dir)/include" ;;
  *) "$1" -print-file-name=include ;;
  esac
}

compile_all() { # COMPILER BITS OBJECTS
  mkdir -p "$3"
  headers=$(own_headers "$1")
  for source in "$PW_SOURCE"/walker/*.c "$PW_SOURCE"/walker/*/*.c; do
    "$1" "-m$2" -DPW_NO_SIMD -std=c11 -O2 -Wall -Wextra -Wpedantic -Werror -ffreestanding \
      -nostdinc -isystem "$headers" -I"$PW_SOURCE/walker/include" -fno-stack-protector \
      -fno-pie -c "$source" -o "$3/$(basename "$(dirname "$source")")_$(basename "$source").o" ||
      return 1
  done
  touch "$3/complete"
}

for compiler in gcc clang; do
  if ! has "$compiler"; then
    skip "freestanding by $compiler: not installed"
    continue
  fi
  case $("$compiler" -dumpmachine) in
  x86_64-*) sizes="64 32" ;;
  *)
    skip "freestanding by $compiler: this check knows x86-64 only"
    continue
    ;;
  esac
  for bits in $sizes; do
    objects=$scratch/$compiler$bits
    expect_success "freestanding, $compiler, $bits bits" compile_all "$compiler" "$bits" "$objects"
    [ -e "$objects/complete" ] || continue
    # No division helpers and the like either: the objects need each other and the mem functions.
    nm --defined-only -g "$objects"/*.o | awk 'NF == 3 { print $3 }' | sort -u >"$scratch/defined"
    expect_none "... needs only the mem functions" \
      "$(nm --undefined-only -g "$objects"/*.o | awk 'NF == 2 { print $2 }' | sort -u |
        comm -23 - "$scratch/defined" |
        grep -vE '^(memcpy|memmove|memset|memcmp|_GLOBAL_OFFSET_TABLE_)$' || true)"
  done
  [ -e "$scratch/${compiler}64/complete" ] || continue
  program=$scratch/$compiler-program
  expect_success "a program without libc links, $compiler" \
    "$compiler" -std=c11 -O2 -ffreestanding -nostdlib -static -fno-pie \
    -fno-stack-protector -I"$PW_SOURCE/walker/include" \
    "$PW_SOURCE/tests/check/freestanding.c" "$scratch/${compiler}64"/*.o -o "$program"
  if [ "$(uname -s)" = Linux ] && [ "$(uname -m)" = x86_64 ] && [ -x "$program" ]; then
    expect_success "... and translates" "$program"
  else
    skip "running the program without libc: needs Linux on x86-64"
  fi
done

finish
