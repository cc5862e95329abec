#!/bin/sh
# SPDX-License-Identifier: MIT
# The main job on a fresh Debian 12, by root or with sudo: installs what is missing, builds into
# build/, boots the bundled guest under KVM and explains its virtual memory.
set -eu

top=$(CDPATH="" cd -- "$(dirname -- "$0")/.." && pwd)
. "$top/tests/harness/debian.sh"

need gcc libc6-dev make cmake libelf-dev libjansson-dev
build=$top/build
mkdir -p "$build"
echo "Building in $build" >&2
if ! {
  cmake -S "$top" -B "$build" && cmake --build "$build" --parallel "$(nproc)" --target pagewalk
} >"$build/run.log" 2>&1; then
  cat "$build/run.log" >&2
  exit 1
fi
pagewalk=$build/vmm/pagewalk

# Opening it tells missing rights and a missing kernel module alike; "<>" alone would create it.
if [ -c /dev/kvm ] && (exec 3<>/dev/kvm) 2>/dev/null; then
  exec "$pagewalk" run "$@"
fi
echo "/dev/kvm cannot be opened here, so this is the story from the recorded memory of that guest."
exec "$pagewalk" run --recorded "$@"
