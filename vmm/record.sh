#!/bin/sh
# SPDX-License-Identifier: MIT
# Records the bundled guest anew, on a machine with KVM: for `pagewalk run --recorded`. To be run
# when the guest or what it tells the VMM has changed; build again afterwards.
#
# usage: record.sh PAGEWALK
set -eu

if [ $# -ne 1 ]; then
  echo "usage: $0 PAGEWALK" >&2
  exit 2
fi
recording=$(dirname "$0")/recorded/paging.rec
"$1" run --record "$recording" >/dev/null
ls -l "$recording"
