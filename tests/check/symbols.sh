#!/bin/sh
# SPDX-License-Identifier: MIT
# What the built libraries ask for, offer and keep: nothing but the four mem functions is missing,
# every global name starts with pw_, there is no writable state, and what the headers declare is there.
set -eu
. "$(dirname "$0")/common.sh"

memory_functions='^(memcpy|memmove|memset|memcmp)$'

globals() {
  nm -g --defined-only "$PW_LIBRARY" | awk 'NF == 3 { print $3 }' | sort -u
}

missing() {
  globals >"$scratch/globals"
  nm -g --undefined-only "$PW_LIBRARY" | awk 'NF == 2 { print $2 }' | sort -u |
    comm -23 - "$scratch/globals" | grep -v _GLOBAL_OFFSET_TABLE_
}

# Names behind PW_API in the headers: the first pw_...( of a function, the last word of an object.
declared() {
  cat "$PW_SOURCE"/walker/include/pagewalk/*.h | sed 's|/\*.*\*/||' | grep -v '^#' | tr '\n' ' ' |
    grep -oE 'PW_API [^;]*;' | sed -E 's/.*[ *](pw_[a-z0-9_]+)\(.*/\1/; s/.*[ *](pw_[a-z0-9_]+);/\1/' |
    sort -u
}

# Sections of the relocatable constants are written once, by the loader; the rest would be state.
writable() {
  size -A "$PW_LIBRARY" | awk '
    / :$|:$/ && NF > 1 { object = $1 }
    /ex / { object = $1 }
    $1 ~ /^\.(data|bss|tdata|tbss)/ && $1 !~ /^\.data\.rel\.ro/ && $2 > 0 {
      print object ": " $1 " holds " $2 " bytes"
    }'
  nm "$PW_LIBRARY" | awk '$2 == "C" { print $3 " is a common symbol" }'
}

expect_none "the static library needs only memcpy, memmove, memset and memcmp" \
  "$(missing | grep -vE "$memory_functions" || true)"
expect_none "every global name of the static library starts with pw_" \
  "$(globals | grep -v '^pw_' || true)"
expect_none "the static library has no writable state" "$(writable)"
expect_none "everything the headers declare is defined" \
  "$(declared | comm -23 - "$scratch/globals")"
if [ "$(declared | wc -l)" -lt 20 ]; then
  bad "the headers declare at least 20 names" "$(declared)"
fi

shared=$(dirname "$PW_LIBRARY")/libpagewalk.so
if [ -e "$shared" ]; then
  exported=$(nm -D --defined-only "$shared" | awk '{ print $NF }' | sort -u)
  printf '%s\n' "$exported" >"$scratch/exported"
  expect_none "the shared library exports what the headers declare and nothing else" \
    "$(declared | comm -3 - "$scratch/exported")"
  expect_none "the shared library needs only memcpy, memmove, memset and memcmp" \
    "$(nm -D --undefined-only "$shared" | awk '$1 != "w" { sub(/@.*/, "", $2); print $2 }' |
      grep -vE "$memory_functions" || true)"
  version=$(sed -n 's/^project(pagewalk VERSION \([0-9]*\.[0-9]*\).*/\1/p' "$PW_SOURCE/CMakeLists.txt")
  soname=$(objdump -p "$shared" | awk '$1 == "SONAME" { print $2 }')
  if [ "$soname" = "libpagewalk.so.$version" ]; then
    ok "the SONAME is libpagewalk.so.$version"
  else
    bad "the SONAME is libpagewalk.so.$version" "$soname"
  fi
else
  skip "the shared library: it is not built"
fi

finish
