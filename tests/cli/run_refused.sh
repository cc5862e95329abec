#!/bin/sh
# SPDX-License-Identifier: MIT
# run where there is no KVM, or only something that is not: one sentence and status 3.
set -eu
. "$(dirname "$0")/common.sh"

expect 3 "no device" pagewalk run --device ./absent
names "absent" "... names it"
names "recorded" "... and what can be done instead"
expect 3 "no device, JSON" pagewalk run --json --device ./absent
expect 3 "no device, a guest of one's own" pagewalk run --device ./absent ./guest.elf
if grep -q recorded "$scratch/err"; then
  bad "... has no recording to offer then" "$(cat "$scratch/err")"
else
  ok "... has no recording to offer then"
fi
expect 3 "a device that is not KVM" pagewalk run --device /dev/null
names "/dev/null" "... names it"
: >file
expect 3 "a file instead of a device" pagewalk run --device ./file
expect 3 "a folder instead of a device" pagewalk run --device .
chmod 000 file
if [ -r file ]; then
  skip "a device without permission: this user may open everything"
else
  expect 3 "a device without permission" pagewalk run --device ./file
  names "file" "... names it"
fi

finish
