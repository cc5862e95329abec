#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header stands alone, in pedantic C11 and C++17, and may be included twice.
set -eu
. "$(dirname "$0")/common.sh"

check() { # LANGUAGE COMPILER STANDARD
  if ! has "$2"; then
    skip "headers as $3 by $2: not installed"
    return 0
  fi
  for header in "$PW_SOURCE"/walker/include/pagewalk/*.h; do
    name=pagewalk/$(basename "$header")
    printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$name" "$name" \
      >"$scratch/alone.$1"
    expect_success "$name alone, $3, $2" \
      "$2" "-std=$3" -Wall -Wextra -Wpedantic -pedantic-errors -Werror -Wshadow -Wconversion \
      -I"$PW_SOURCE/walker/include" -c "$scratch/alone.$1" -o "$scratch/alone.o"
  done
}

check c gcc c11
check c clang c11
check cc g++ c++17
check cc clang++ c++17

finish
