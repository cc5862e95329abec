#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the benchmarks and runs them, pinned to one CPU where that is possible; prints the figures
# and their ratios. Leaves build-bench/bench.json, which bench/compare.sh compares with another one,
# and build-bench/bench.svg. Takes some minutes and 4 GB of memory. Arguments go to the program, as
# in: bench/run.sh --benchmark_filter='translate/.*/W2|sweep'
set -eu

top=$(CDPATH="" cd -- "$(dirname -- "$0")/.." && pwd)
. "$top/tests/harness/debian.sh"
build="$top/build-bench"

need gcc g++ libc6-dev make cmake util-linux \
  libbenchmark-dev libjansson-dev libelf-dev libkdumpfile-dev

cmake -S "$top" -B "$build" -DCMAKE_BUILD_TYPE=Release -DPAGEWALK_BENCH=ON -DPAGEWALK_TESTS=OFF
cmake --build "$build" --parallel "$(nproc)" --target pagewalk_bench pagewalk_bench_report

set -- "$build/bench/pagewalk_bench" --benchmark_out="$build/bench.json" \
  --benchmark_out_format=json "$@"
if taskset -c 1 true 2>/dev/null; then
  set -- taskset -c 1 "$@"
else
  echo "Not pinned to a CPU: expect more noise."
fi
echo "Running (the load of this machine now: $(cut -d ' ' -f 1-3 /proc/loadavg))"
"$@" >"$build/bench.log"

report="$build/bench/pagewalk_bench_report"
"$report" table "$build/bench.json"
if "$report" plot "$build/bench.json" >"$build/bench.svg.new" 2>/dev/null; then
  mv "$build/bench.svg.new" "$build/bench.svg"
  echo "The plot is $build/bench.svg"
else
  rm -f "$build/bench.svg.new"
fi
echo "As a table in Markdown: $report markdown $build/bench.json"
echo "The figures are in $build/bench.json (load at the end: $(cut -d ' ' -f 1-3 /proc/loadavg))"
