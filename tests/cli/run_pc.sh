#!/bin/sh
# SPDX-License-Identifier: MIT
# run with KVM: multiboot programs, with modules, a command line and more than one vCPU.
set -eu
. "$(dirname "$0")/common.sh"

if ! (exec 3<>/dev/kvm) 2>/dev/null; then
  skip "running multiboot programs: /dev/kvm cannot be opened here"
  finish
  exit
fi
guests=$PW_BUILD/guest

says() { # TEXT CLAIM
  if [ "$status" -eq 0 ] && grep -qF -- "$1" "$scratch/out"; then
    ok "$2"
  else
    bad "$2: exit status $status, no '$1'" "$(cat "$scratch/out" "$scratch/err")"
  fi
}

# kernel FILE CODE: a multiboot kernel without a file format that is the CODE alone,
# octal bytes, loaded and entered at 1 MiB.
kernel() {
  {
    word 4 0x1badb002
    word 4 0x10000
    word 4 0xe4514ffe
    word 4 0x100000
    word 4 0x100000
    word 4 0x0
    word 4 0x0
    word 4 0x100020
    # shellcheck disable=SC2059 # the format is the bytes
    printf "$2"
  } >"$1"
}

# ---- What the program is told ----

printf 'the text of a module' >first.mod
: >second.mod
run 100 pagewalk run --timeout 90 --append 'root=/dev/ram  quiet' --module first.mod \
  --module ./second.mod "$guests/multiboot.elf"
says "multiboot.elf root=/dev/ram  quiet'" "the command line comes behind the guest's name, as it is"
says "module 'first.mod', 20 bytes: the text of a module" "a module"
says "module './second.mod', 0 bytes: " "... and an empty one"
says "ram 0x100000 to 0x4000000" "the memory map has the 64 MiB"
mkdir "a place" && cp "$guests/multiboot.elf" "a place/a guest.elf" && cp first.mod "a module"
run 100 pagewalk run --timeout 90 --append quiet --module "a module" "a place/a guest.elf"
says "'a_place/a_guest.elf quiet'" "spaces in its name do not end the name"
says "module 'a_module', 20 bytes" "... nor in a module's"
run 100 pagewalk run --timeout 90 --memory 16M "$guests/multiboot.elf"
says "ram 0x100000 to 0x1000000" "... and what --memory says"

# ---- Processors, timer, serial port ----

for count in 1 2 4; do
  run 100 pagewalk run --timeout 90 --vcpus $count "$guests/smp.elf"
  says "$count of $count processors are here" "$count vCPUs, found and started by the program"
done
run 100 pagewalk run --timeout 90 "$guests/timer.elf"
says "20 ticks through the 8259" "the timer ticks"
run 100 pagewalk run --timeout 90 --json --vcpus 2 "$guests/smp.elf"
prints '{"event":"console","text":"2 of 2 processors are here\n"}
{"event":"result","code":0,"exit_status":0,"answers":0,"agreeing":0}' "JSON"

# ---- How it ends ----

# mov $N, %eax; out %eax, $0xf4
for code in 0 1 42 254 255; do
  kernel code "\\270$(printf '\\%03o' $code)\\000\\000\\000\\347\\364"
  run 60 pagewalk run --timeout 30 code
  if [ "$status" -eq "$code" ] && [ ! -s "$scratch/err" ]; then ok "the code $code"; else
    bad "the code $code: $status" "$(cat "$scratch/err")"
  fi
done
# The code is 0x1234567
kernel code '\270\147\105\043\001\347\364'
run 60 pagewalk run --timeout 30 --json code
prints '{"event":"result","code":19088743,"exit_status":255,"answers":0,"agreeing":0}' \
  "a larger code is whole in JSON"
if [ "$status" -eq 255 ]; then ok "... and 255 as exit status"; else bad "... and 255: $status"; fi

# mov $0xfe, %al; out %al, $0x64: the keyboard controller resets the machine
kernel reset '\260\376\346\144'
run 60 pagewalk run --timeout 30 --json reset
if [ "$status" -eq 0 ] && grep -q '"kind":"system-event"' "$scratch/out"; then
  ok "a reset ends the run"
else
  bad "a reset ends the run: $status" "$(cat "$scratch/out" "$scratch/err")"
fi
# Ports and memory that are not there: in (%dx), %al; cmp $0xff; the same from 0xd0000000 (4 bytes),
# and a write to both; code 7 if both read as ones.
kernel stray '\146\272\064\022\354\074\377\165\027\241\000\000\000\320\203\370\377\165\015\243\000\000\000\320\356\270\007\000\000\000\347\364\364\270\001\000\000\000\347\364'
run 60 pagewalk run --timeout 30 stray
if [ "$status" -eq 7 ]; then ok "what is not there reads as ones"; else
  bad "what is not there reads as ones: $status" "$(cat "$scratch/err")"
fi
names "read guest-physical 0xd0000000" "... an access outside RAM is told"
# cli; hlt: a PC waits for an interrupt
kernel waits '\372\364\353\375'
expect 3 "a PC that waits for ever" pagewalk run --timeout 1 --vcpus 2 waits
names "did not end within 1 s" "... names the limit"

# ---- Wrong usage ----

expect 2 "a command line for another guest" pagewalk run --append x "$guests/hello.elf"
names "no multiboot header" "... says why"
expect 2 "a module for another guest" pagewalk run --module first.mod "$guests/hello.elf"
expect 3 "a module that is not there" pagewalk run --module ./absent.mod "$guests/multiboot.elf"
names "absent.mod" "... names it"
for option in "--append x" "--module first.mod" "--vcpus 2"; do
  # shellcheck disable=SC2086 # two words
  expect 2 "$option without a guest" pagewalk run $option
  names "guest of your own" "... says so"
done
for count in 0 65 x 4294967297; do
  expect 2 "$count vCPUs" pagewalk run --vcpus $count "$guests/smp.elf"
  names "--vcpus" "... says so"
done
modules=
for _ in $(seq 33); do modules="$modules --module first.mod"; done
# shellcheck disable=SC2086 # many words
expect 2 "33 modules" pagewalk run $modules "$guests/multiboot.elf"
names "at most 32" "... says so"
expect 3 "too little memory" pagewalk run --memory 1M "$guests/multiboot.elf"

finish
