#!/bin/sh
# SPDX-License-Identifier: MIT
# translate: text and records, and addresses from standard input.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_guest
transcript "$here/translate.expected"

# ---- One line out for each line in, in order, whatever stands there ----

printf '%s\n' 0x1000 hello '' ' 0x1000' '0x1000 ' -1 010 0x 0XFF 1e3 18446744073709551616 \
  0xffffffffffffffff "\"\\" >input
printf '0x1000\0\n\377\376\tx\n0x2000' >>input # no newline at the end
run 60 pagewalk translate --cr3 0x1000 --json guest.img - <input
prints '{"va":"0x1000","pa":"0x5000","page_size":4096,"level":0,"rights":"r-xu","user":"r-x","supervisor":"r-x","entry":"0x5025","accessed":true,"dirty":false,"global":false,"memtype":0,"key":0}
{"input":"hello","status":"unparsable"}
{"input":"","status":"unparsable"}
{"input":" 0x1000","status":"unparsable"}
{"input":"0x1000 ","status":"unparsable"}
{"input":"-1","status":"unparsable"}
{"va":"0xa","status":"not-present","level":0,"entry":"0x0"}
{"input":"0x","status":"unparsable"}
{"input":"0XFF","status":"unparsable"}
{"input":"1e3","status":"unparsable"}
{"input":"18446744073709551616","status":"unparsable"}
{"va":"0xffffffffffffffff","pa":"0x1fffff","page_size":2097152,"level":1,"rights":"rw-s","user":"---","supervisor":"rw-","entry":"0x80000000000000e3","accessed":true,"dirty":true,"global":false,"memtype":0,"key":0}
{"input":"\"\\","status":"unparsable"}
{"input":"0x1000\u0000","status":"unparsable"}
{"input":"��\tx","status":"unparsable"}
{"va":"0x2000","pa":"0x7000","page_size":4096,"level":0,"rights":"rw-u","user":"rw-","supervisor":"rw-","entry":"0x8000000000007067","accessed":true,"dirty":true,"global":false,"memtype":0,"key":0}' \
  "every line of stdin is answered"
if [ "$status" -eq 2 ]; then ok "unparsable lines end with 2"; else bad "unparsable lines end with 2, not $status"; fi

run 60 pagewalk translate --cr3 0x1000 guest.img - <input
if [ "$(wc -l <"$scratch/out")" -eq 16 ]; then ok "text: a line for each line"; else
  bad "text: a line for each line" "$(cat "$scratch/out")"
fi
if LC_ALL=C grep -q "$(printf '[\001-\011\013-\037]')" "$scratch/out"; then
  bad "text: no control character of the input reaches the terminal"
else
  ok "text: no control character of the input reaches the terminal"
fi

printf '0x1000\n0x5000\n' | { run 60 pagewalk translate --cr3 0x1000 guest.img -; echo "$status" >status; }
if [ "$(cat status)" -eq 1 ]; then ok "a status ends with 1"; else bad "a status ends with 1, not $(cat status)"; fi
expect 0 "no lines: nothing to answer" pagewalk translate --cr3 0x1000 guest.img - </dev/null

# Each answer comes before the next question.
mkfifo questions answers
pagewalk translate --cr3 0x1000 guest.img - <questions >answers &
exec 8>questions 9<answers
for va in 0x1000 0x2000 nonsense 0x9000; do
  echo "$va" >&8
  if line=$(timeout 10 head -n 1 <&9) && [ -n "$line" ]; then
    ok "the answer to $va comes at once"
  else
    bad "the answer to $va comes at once"
  fi
done
exec 8>&- 9<&-
wait || true

awk 'BEGIN { for (i = 0; i < 200000; i++) printf "%d\n", (i * 7919) % 65536 }' >many
run 60 pagewalk translate --cr3 0x1000 --json guest.img - <many
if awk -F'"' 'NR == FNR { want[FNR] = sprintf("0x%x", $1); next } $4 != want[FNR] { exit 1 }
    END { exit FNR != 200000 }' many "$scratch/out"; then
  ok "200000 lines are answered in order"
else
  bad "200000 lines are answered in order"
fi

expect 3 "a stdin that is closed" pagewalk translate --cr3 0x1000 guest.img - <&-
expect 3 "a stdin that is a directory" pagewalk translate --cr3 0x1000 guest.img - </
expect_tight 3 "a line of stdin that never ends" pagewalk translate --cr3 0x1000 guest.img - </dev/zero

finish
