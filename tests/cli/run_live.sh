#!/bin/sh
# SPDX-License-Identifier: MIT
# run with KVM: the bundled guest, guests of one's own, and guests that misbehave.
set -eu
. "$(dirname "$0")/common.sh"

if ! (exec 3<>/dev/kvm) 2>/dev/null; then
  skip "running guests: /dev/kvm cannot be opened here"
  finish
  exit
fi
guests=$PW_BUILD/guest

# ---- The bundled guest ----

run 100 pagewalk run
cp "$scratch/out" live
if [ "$status" -eq 0 ] && grep -q '^Result: .* agree with the guest\.$' live && [ ! -s "$scratch/err" ]; then
  ok "the bundled guest runs and agrees"
else
  bad "the bundled guest runs and agrees: exit status $status" "$(tail -n 5 live "$scratch/err")"
fi
# Whatever the recorded guest asked, this one asks too: else the recording is out of date (see
# vmm/record.sh). A CPU with 1 GiB pages is asked more.
pagewalk run --recorded | sed -n 's/^  agrees *\([^ ].*[^ ]\)   *0x.*/\1/p' | sort >recorded
sed -n 's/^  agrees *\([^ ].*[^ ]\)   *0x.*/\1/p' live | sort >asked
if [ "$(wc -l <recorded)" -ge 25 ] && [ -z "$(comm -23 recorded asked)" ]; then
  ok "the recorded story is the one of today"
else
  bad "the recorded story is the one of today" "$(comm -23 recorded asked)"
fi
run 100 pagewalk run --json --memory 8M
if [ "$status" -eq 0 ] && tail -n 1 "$scratch/out" | grep -q '^{"event":"result","code":0,'; then
  ok "8 MiB are enough, and JSON ends with the result"
else
  bad "8 MiB are enough, and JSON ends with the result" "$(tail -n 2 "$scratch/out" "$scratch/err")"
fi
run 100 pagewalk run --memory 1M
if [ "$status" -eq 1 ]; then ok "the guest's own code is the exit status"; else
  bad "the guest's own code is the exit status: $status" "$(cat "$scratch/err")"
fi

# ---- Others ----

run 100 pagewalk run "$guests/hello.elf"
prints "Hello from a guest on the serial port" "hello prints on the serial port"
run 100 pagewalk run --json "$guests/hello32.elf"
prints '{"event":"console","text":"Hello from a guest on the serial port\n"}
{"event":"result","code":0,"exit_status":0,"answers":0,"agreeing":0}' "hello in 32 bits, JSON"
run 100 pagewalk run "$guests/faults.elf"
if [ "$status" -eq 0 ] && grep -q "the guest took exception 14, error code 0x3" "$scratch/out"; then
  ok "faults: predicted as they were taken"
else
  bad "faults: predicted as they were taken" "$(grep DIFFERS "$scratch/out")"
fi

# ---- Guests that misbehave ----

# A multiboot image that says START, then claims a string where no address of 32 bits leads.
blank liar.bin 0x1100
for word in 0x1badb002 0x10000 0xe4514ffe 0x100000 0x100000 0 0 0x100020; do
  word 4 $word
done | at liar.bin 0
printf '\270\0\020\020\0\146\272\160\120\357\270\200\020\020\0\146\272\160\120\357\061\300\347\364' |
  at liar.bin 0x20
word 4 1 | at liar.bin 0x1000
word 4 1 | at liar.bin 0x1038
word 4 3 | at liar.bin 0x1080
{
  word 8 0x100000000
  word 8 0xc
} | at liar.bin 0x10b8
run 100 pagewalk run --timeout 60 liar.bin
if grep -q "DIFFERS  no string of 12 bytes" "$scratch/out"; then
  ok "a string that is not there is told from one that is"
else
  bad "a string that is not there is told from one that is" "$(cat "$scratch/out" "$scratch/err")"
fi

expect 3 "a triple fault" pagewalk run --timeout 60 "$guests/triple.elf"
names "triple fault" "... is named"
run 100 pagewalk run --timeout 60 "$guests/wild.elf"
names "0xd0000010" "an access outside RAM is reported"
expect 3 "a guest that hangs" pagewalk run --timeout 1 "$guests/hang.elf"
names "1 s" "... names the limit"
expect 3 "a guest that hangs in user mode" pagewalk run --timeout 1 "$guests/hang_user.elf"
status=0
timeout 60 pagewalk run --timeout 2 "$guests/flood.elf" >flood 2>"$scratch/err" || status=$?
if [ "$status" -eq 3 ] && [ "$(wc -c <flood)" -gt 1000 ] && [ "$(wc -c <flood)" -le 16777216 ]; then
  ok "a guest that floods the console is stopped"
else
  bad "a guest that floods the console is stopped: $status, $(wc -c <flood) bytes" \
    "$(cat "$scratch/err")"
fi
status=0
timeout 60 pagewalk run --timeout 30 "$guests/flood.elf" >/dev/full 2>"$scratch/err" || status=$?
if [ "$status" -eq 3 ] && grep -q "cannot write" "$scratch/err"; then
  ok "a flood into a full stdout ends at once"
else
  bad "a flood into a full stdout ends at once: $status" "$(cat "$scratch/err")"
fi

for signal in INT TERM; do
  number=$(kill -l "$signal" 2>/dev/null || true)
  case $signal in INT) number=2 ;; TERM) number=15 ;; esac
  # Not by the shell's own &: that would ignore SIGINT in the child.
  status=0
  timeout --preserve-status -s "$signal" -k 20 1 pagewalk run "$guests/hang.elf" \
    >"$scratch/out" 2>"$scratch/err" || status=$?
  if [ "$status" -eq $((128 + number)) ] && grep -q interrupted "$scratch/err"; then
    ok "SIG$signal while running"
  else
    bad "SIG$signal while running: $status" "$(cat "$scratch/err")"
  fi
done

# ---- What cannot be loaded ----

expect 3 "a guest that is not there" pagewalk run ./absent.elf
names "absent.elf" "... names it"
expect 3 "a folder" pagewalk run .
head -c 100 "$guests/hello.elf" >short.elf
expect 3 "an ELF file cut short" pagewalk run ./short.elf
printf 'no ELF file' >text
expect 3 "a text" pagewalk run ./text
for size in 0 4097 1048575; do
  expect 2 "memory of $size bytes" pagewalk run --memory $size "$guests/hello.elf"
  names "$size|memory|RAM" "... says so"
done
run 100 pagewalk run --memory 8388607T "$guests/hello.elf"
if [ "$status" -ge 2 ] && [ -s "$scratch/err" ]; then
  ok "more memory than there is"
else
  bad "more memory than there is: $status" "$(cat "$scratch/err")"
fi

finish
