#!/bin/sh
# SPDX-License-Identifier: MIT
# Nothing in walker/ calls itself, directly or through others, and its stack is small and constant.
# Read off gcc's own call graph. A call through a pointer that is a member of a public struct goes to
# the caller's code; any other counts as a call of every function of ours whose address is taken
# anywhere. The detector is tried on planted recursion first.
set -eu
. "$(dirname "$0")/common.sh"

# Half of a small kernel's stack of 8 KiB. The deepest chain is printed.
stack_limit=4096

compiler=
for candidate in "$CC" gcc; do
  if has "$candidate" && "$candidate" --version | grep -q 'Free Software Foundation'; then
    compiler=$candidate
    break
  fi
done
if [ -z "$compiler" ] || [ "${compiler#*-linux-gnu-}" != "$compiler" ] ||
  ! "$compiler" -dumpmachine | grep -qE '^(x86_64|i[3-6]86)-'; then
  skip "call graph: needs gcc for x86"
  finish
  exit
fi

# compile FOLDER OPTIMIZATION... : call graphs (.ci) and assembly (.s) of FOLDER/*.c
compile() {
  folder=$1
  shift
  for source in "$folder"/*.c; do
    "$compiler" -std=c11 -ffreestanding -I"$PW_SOURCE/walker/include" -I"$PW_SOURCE/walker" \
      "$@" -fcallgraph-info=su -S "$source" -o "${source%.c}.s"
  done
}

# Functions whose address is used otherwise than by a call.
address_taken() { # FOLDER
  sed -n 's/^[[:space:]]*\.type[[:space:]]*\([A-Za-z_][A-Za-z0-9_.]*\), *@function/\1/p' "$1"/*.s |
    sort -u >"$scratch/functions"
  grep -hvE '^[[:space:]]*(call|jmp|j[a-z]+|\.(type|size|globl|local|hidden|weak|section|file|loc|ident|string|ascii|cfi_[a-z_]*))([[:space:]]|$)|^[A-Za-z_.]' \
    "$1"/*.s | grep -owE '[A-Za-z_][A-Za-z0-9_.]*' | sort -u | comm -12 - "$scratch/functions"
}

# The places (file:line:column, as in the call graph) at which the library calls the caller's code:
# through a member of a public struct, or through the local `handle` that was copied from one. The
# vector code behind struct pw_kernels stands outside too: it calls nothing of ours.
calls_outside() { # FOLDER
  members=$(grep -ohE '\(\*[a-z_]+\)' "$PW_SOURCE"/walker/include/pagewalk/*.h \
    "$PW_SOURCE"/walker/kernels.h | tr -d '(*)' | sort -u | paste -sd '|' -)
  grep -h 'targetname: "__indirect_call"' "$1"/*.ci | sed 's/.*label: "\([^"]*\)".*/\1/' | sort -u |
    while IFS= read -r place; do
      position=${place%:*}
      # The statement may go on below; it ends at the first ; or {.
      if awk -v line="${position##*:}" 'NR >= line { print } NR >= line && /[;{]/ { exit }' \
        "${position%:*}" | grep -qE "(->|\.)($members)\(|\<handle\("; then
        printf 'outside %s\n' "$place"
      fi
    done
}

# graph FOLDER: "cycle NAME..." for each function that is on a cycle or leads into one, else
# "stack BYTES CHAIN"; "dynamic NAME" for frames without a bound.
graph() {
  { address_taken "$1" && calls_outside "$1"; } >"$scratch/known"
  cat "$scratch/known" "$1"/*.ci | awk '
    function value(key) { # of  key: "value"
      if (!match($0, key ": \"[^\"]*\"")) return ""
      return substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 4)
    }
    function short(title) { sub(/.*:/, "", title); return title }
    /^node: / {
      name = value("title")
      label = value("label")
      known[name] = 1
      if (match(label, /[0-9]+ bytes/)) stack[name] = substr(label, RSTART, RLENGTH) + 0
      if (label ~ /\(dynamic\)/) print "dynamic " short(name)
      next
    }
    /^outside / { outside[substr($0, 9)] = 1; next }
    /^edge: / {
      if (value("label") in outside) next
      from = value("sourcename"); to = value("targetname")
      known[from] = known[to] = 1
      if (!((from, to) in edge)) { edge[from, to] = 1; callees[from] = callees[from] to "\n" }
      next
    }
    NF == 1 && !/[{}]/ { taken[$1] = 1 }
    END {
      for (name in known)
        if (short(name) in taken && name != "__indirect_call") {
          callees["__indirect_call"] = callees["__indirect_call"] name "\n"
          known["__indirect_call"] = 1
        }
      # Take away what calls nothing that is left, again and again: cycles and their callers stay.
      do {
        progress = 0
        for (name in known) {
          if (name in depth) continue
          count = split(callees[name], callee, "\n") - 1
          deepest = 0; chain[name] = short(name)
          for (i = 1; i <= count; i++) {
            if (!(callee[i] in depth)) { deepest = -1; break }
            if (depth[callee[i]] > deepest) {
              deepest = depth[callee[i]]
              chain[name] = short(name) " > " chain[callee[i]]
            }
          }
          if (deepest >= 0) { depth[name] = deepest + stack[name]; progress = 1 }
        }
      } while (progress)
      for (name in known)
        if (!(name in depth)) print "cycle " short(name)
        else if (depth[name] > most) { most = depth[name]; longest = chain[name] }
      print "stack " most + 0 " " longest
    }'
}

# First the detector: three kinds of recursion that it must see, and a program without.
plant() { # NAME SOURCE
  mkdir -p "$scratch/$1"
  printf '%s\n' "$2" >"$scratch/$1/planted.c"
  compile "$scratch/$1" -O1 -fno-inline -fno-optimize-sibling-calls
}
plant direct 'int f(int); int f(int n) { return n ? n * f(n - 1) : 1; }'
plant mutual 'int g(int); int f(int); static int h(int n) { return g(n - 1) + 1; }
  int f(int n) { return n ? h(n) : 0; } int g(int n) { return f(n) + 2; }'
plant pointer 'struct v { int (*f)(struct v *, int); }; int run(struct v *, int); int start(int);
  int run(struct v *v, int n) { return v->f(v, n) + 1; }
  static int visit(struct v *v, int n) { return n ? run(v, n - 1) : 0; }
  int start(int n) { struct v v = {visit}; return run(&v, n); }'
plant none 'int g(int); int f(int); int g(int n) { return n + 1; } int f(int n) { return g(g(n)); }'
for kind in direct mutual pointer; do
  if graph "$scratch/$kind" | grep -q '^cycle '; then
    ok "the detector sees $kind recursion"
  else
    bad "the detector sees $kind recursion" "$(graph "$scratch/$kind")"
  fi
done
expect_none "the detector sees none where there is none" \
  "$(graph "$scratch/none" | grep '^cycle ' || true)"

# Then the library: without inlining for the calls, as it is shipped for the stack.
mkdir "$scratch/calls" "$scratch/frames"
for source in "$PW_SOURCE"/walker/*.c "$PW_SOURCE"/walker/formats/*.c; do
  name=$(basename "$(dirname "$source")")_$(basename "$source")
  printf '#include "%s"\n' "$source" | tee "$scratch/calls/$name" >"$scratch/frames/$name"
done
compile "$scratch/calls" -O1 -fno-inline -fno-optimize-sibling-calls
expect_none "no recursion in walker/" "$(graph "$scratch/calls" | grep '^cycle ' || true)"
if [ "$(grep -ch '^edge: ' "$scratch"/calls/*.ci | awk '{ n += $1 } END { print n }')" -lt 30 ]; then
  bad "the call graph of walker/ has at least 30 calls"
fi

compile "$scratch/frames" -O2
expect_none "no frame of variable size in walker/" \
  "$(graph "$scratch/frames" | grep '^dynamic ' || true)"
deepest=$(graph "$scratch/frames" | sed -n 's/^stack //p')
if [ "${deepest%% *}" -le "$stack_limit" ]; then
  ok "stack: at most ${deepest%% *} bytes of $stack_limit (${deepest#* })"
else
  bad "stack: at most $stack_limit bytes" "$deepest"
fi

finish
