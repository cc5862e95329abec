#!/bin/sh
# SPDX-License-Identifier: MIT
# run --recorded: the bundled guest's story without KVM, installed or not, from any directory.
set -eu
. "$(dirname "$0")/common.sh"

transcript "$here/run_recorded.expected"

run 60 pagewalk run --recorded --json
cp "$scratch/out" json
if [ "$status" -eq 0 ] && grep -vqE '^\{"event":"(console|region|translation|exit|result)",.*\}$' json; then
  bad "every line is a record of an event" "$(grep -vE '^\{"event":' json)"
else
  ok "every line is a record of an event"
fi
answers=$(grep -c '"agrees":true' json)
if [ "$answers" -ge 30 ] && ! grep -q '"agrees":false' json; then
  ok "pagewalk agrees with the guest $answers times"
else
  bad "pagewalk agrees with the guest" "$(grep '"agrees":false' json)"
fi
if [ "$(tail -n 1 json)" = "{\"event\":\"result\",\"code\":0,\"exit_status\":0,\"answers\":$answers,\"agreeing\":$answers}" ]; then
  ok "the last record is the result"
else
  bad "the last record is the result" "$(tail -n 1 json)"
fi
for part in '"event":"console","text":"paging: ' '"event":"region","first":"0x' \
  '"string":"Greetings from the high half' '"walk":\[{"level":3,' '"error_code":"0x3"'; do
  if grep -q "$part" json; then ok "there is $part"; else bad "there is $part"; fi
done

# Elsewhere, under another name, with nothing else around.
pagewalk run --recorded >here
mkdir "elsewhere, far away"
cp "$PW_COMMAND" "elsewhere, far away/walker of pages"
(cd / && env -i "$scratch/work/elsewhere, far away/walker of pages" run --recorded) >there || true
if cmp -s here there; then ok "a copy tells the same from another directory"; else
  bad "a copy tells the same from another directory" "$(diff here there | head -n 5)"
fi

finish
