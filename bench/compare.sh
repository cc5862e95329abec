#!/bin/sh
# SPDX-License-Identifier: MIT
# Compares two files that bench/run.sh left: bench/compare.sh OLD.json NEW.json. "faster" and
# "slower" mean that the repetitions of the two do not overlap.
set -eu

top=$(CDPATH="" cd -- "$(dirname -- "$0")/.." && pwd)
report="$top/build-bench/bench/pagewalk_bench_report"

if [ $# -ne 2 ]; then
  echo "usage: $0 OLD.json NEW.json" >&2
  exit 2
fi
if [ ! -x "$report" ]; then
  echo "$0: run bench/run.sh first: it builds what this needs" >&2
  exit 1
fi
exec "$report" compare "$1" "$2"
