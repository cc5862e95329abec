#!/bin/sh
# SPDX-License-Identifier: MIT
# The house rules that a script can see: who may include and mention what, what stands at the top
# level, no path of one machine, no forgotten source or test, one version.
set -eu
. "$(dirname "$0")/common.sh"

cd "$PW_SOURCE"
# shellcheck disable=SC2119
project_files >"$scratch/files"
c_files() { # UNDER...
  for under in "$@"; do
    grep "^$under/" "$scratch/files" | grep -E '\.(c|h|cc|S)$' || true
  done
}
# search PATTERN FILE...: file:line:text, nothing if there is none
search() {
  pattern=$1
  shift
  if [ $# -gt 0 ]; then grep -nHE "$pattern" "$@" || true; fi
}
# Code without comments and strings, for words that may well stand in those.
code() { # FILE
  sed -e 's|"[^"]*"|""|g' -e 's|//.*||' -e 's|/\*.*\*/||' -e '/\/\*/,/\*\//s/.*//' "$1"
}
# words PATTERN FILE...: the files whose code holds it
words() {
  pattern=$1
  shift
  for file in "$@"; do
    code "$file" | grep -nE "$pattern" | sed "s|^|$file:|" || true
  done
}
newline='
'
IFS=$newline # file names are lines from here on

# walker/ is freestanding and alone.
set -f
# shellcheck disable=SC2046
set -- $(c_files walker | grep -v '^walker/simd/')
expect_none "walker/ includes only freestanding headers and its own" \
  "$(search '^[[:space:]]*#[[:space:]]*include' "$@" |
    grep -vE '#[[:space:]]*include <(stdint|stddef|stdbool|stdalign|limits)\.h>' |
    grep -vE '#[[:space:]]*include ("[a-z0-9_/.]+"|<pagewalk/[a-z0-9_]+\.h>)' || true)"
expect_none "walker/ includes nothing above itself" \
  "$(search '#[[:space:]]*include "(.*\.\./\.\./|\.\./(vmm|guest|tests))' "$@")"
expect_none "walker/ never mentions KVM, files or printing" \
  "$(words '[Kk][Vv][Mm]|stdio|printf|FILE[[:space:]]*\*|errno|malloc|\bexit\(|\babort\(' "$@")"
# shellcheck disable=SC2046
expect_none "vector intrinsics only in walker/simd/" \
  "$(search 'immintrin|_mm(256|512)?_|__builtin_cpu_supports' $(c_files walker vmm guest | grep -v '^walker/simd/'))"
# shellcheck disable=SC2046
expect_none "formats are data: walker/formats/*.c has no control flow" \
  "$(words '\<(for|while|do|if|switch|goto)\>' $(c_files walker/formats | grep '\.c$'))"

# vmm/: one file prints, one exits.
# shellcheck disable=SC2046
set -- $(c_files vmm | grep -vE '^vmm/output\.[ch]$')
expect_none "only vmm/output.c prints" \
  "$(words '\<(v?printf|v?dprintf|puts|putchar|perror|v?warnx?|v?errx?)\(|\<std(out|err)\>' "$@")"
# shellcheck disable=SC2046
set -- $(c_files vmm | grep -vE '^vmm/main\.c$')
expect_none "only vmm/main.c exits" "$(words '\<(_?exit|_Exit|quick_exit|abort)\(' "$@")"
# shellcheck disable=SC2046
expect_none "guest/abi.h is the only file that guest and VMM share" \
  "$(search '#[[:space:]]*include.*guest/' $(c_files vmm) | grep -v 'guest/abi\.h' || true)"

# The tree.
expect_none "the top level holds the agreed entries" \
  "$(cut -d/ -f1 "$scratch/files" | sort -u |
    grep -vxE 'vmm|walker|guest|tests|bench|CMakeLists\.txt|CMakePresets\.json|README\.md|LICENSE|NEWS\.md|\.[A-Za-z].*' || true)"
set +f
# shellcheck disable=SC2046
expect_none "no path that only one machine has" \
  "$(grep -v '\.\(bin\|gz\|elf\|img\)$' "$scratch/files" |
    while read -r file; do
      grep -nHIE '(^|[^A-Za-z0-9._/-])/(home|root|wor[k]|far[m])/[A-Za-z.]' "$file" || true
    done)"
expect_none "no words that promise work for later" \
  "$(grep -E '\.(c|h|S|cc|md|txt|sh|cmake)$' "$scratch/files" | while read -r file; do
    grep -nHiwE 'TOD[O]|FIXM[E]|XX[X]|HAC[K]|not implemente[d]|placeholde[r]' "$file" || true
  done)"

# Every source is in its folder's list, and every test is run.
unlisted() { # LIST PATTERN
  folder=$(dirname "$1")
  [ -f "$1" ] || return 0
  grep -E "$2" "$scratch/files" | while read -r file; do
    name=${file#"$folder"/}
    cat "$folder"/CMakeLists.txt "$folder"/*.cmake 2>/dev/null |
      grep -qE "(^|[[:space:]/(])$(printf '%s' "$name" | sed 's/\./\\./g')([[:space:])]|\$)" ||
      printf '%s\n' "$file"
  done
}
expect_none "every source and header of walker/ is listed" \
  "$(unlisted walker/CMakeLists.txt '^walker/([a-z0-9_]+|formats/[a-z0-9_]+)\.c$|^walker/include/')"
expect_none "every source of vmm/ is listed" "$(unlisted vmm/CMakeLists.txt '^vmm/[a-z0-9_]+\.c$')"
expect_none "every source of guest/ is listed" \
  "$(unlisted guest/CMakeLists.txt '^guest/[a-z0-9_]+\.[cS]$')"
expect_none "every source of tests/harness is listed" \
  "$(unlisted tests/harness/CMakeLists.txt '^tests/harness/[a-z0-9_]+\.c$')"
for kind in unit kvm cli fuzz check install; do
  expect_none "every test in tests/$kind is listed" \
    "$(unlisted tests/$kind/CMakeLists.txt "^tests/$kind/((test|fuzz)_[a-z0-9_]+\\.c|[a-z0-9_]+\\.sh)\$" |
      while read -r file; do # scripts that are sourced by others have no interpreter
        case $file in *.sh) head -n 1 "$file" | grep -q '^#!' || continue ;; esac
        printf '%s\n' "$file"
      done)"
done

version=$(sed -n 's/^project(pagewalk VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
header=$(awk '/#define PW_VERSION_(MAJOR|MINOR|PATCH) / { printf "%s%s", dot, $3; dot = "." }' \
  walker/include/pagewalk/types.h)
if [ "$version" = "$header" ]; then
  ok "CMakeLists.txt and pagewalk/types.h agree on version $version"
else
  bad "CMakeLists.txt and pagewalk/types.h agree on the version" "$version, $header"
fi

finish
