#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154,SC3045 # variables come from the config, the shell is busybox's
#
# The first process in a box, run by busybox: loads KVM, runs the programs one after the other, and
# switches the box off. The kernel's messages go to the first serial line. The second carries what
# the programs write and, in lines that begin with a mark of this run alone, what becomes of them:
#
#   MARK host TEXT | MARK begin N | MARK end N STATUS | MARK done | MARK broken TEXT
set -u

PATH=/.box/bin
export PATH
/.box/bin/busybox --install -s /.box/bin
mkdir -p /proc /sys /dev /tmp /run /root /bin
chmod 1777 /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -m 1777 /dev/shm
ln -sf /proc/self/fd /dev/fd
# Programs may call a shell; one that was packed comes first.
if [ ! -e /bin/sh ]; then ln -s /.box/bin/sh /bin/sh; fi

# host, modules, switches, mark, first, last
# shellcheck source=/dev/null
. /.box/config
# shellcheck source=features.sh
. /.box/features.sh
hostname "$host"

exec 3>/dev/ttyS1
stty -F /dev/ttyS1 115200 raw -echo

say() {
  printf '\n%s %s\n' "$mark" "$*" >&3
}

switch_off() {
  exec 3>&- # the last one to close the line waits until everything is sent
  poweroff -f
}

broken() {
  say broken "$*"
  switch_off
}

load_kvm() {
  for module in $modules; do
    # Bochs does not interrupt a guest that has interrupts off. One that pauses in its loop leaves it
    # by itself, unless KVM waits longer and longer for that.
    option=
    if [ "$module" = kvm-intel ]; then option=ple_window_grow=0; fi
    # shellcheck disable=SC2086 # none is no word
    insmod "/.box/$module.ko" $option || broken "the kernel does not load $module"
  done
  [ -c /dev/kvm ] || broken "there is no /dev/kvm"
  for switch in $switches; do
    case $(cat "/sys/module/$switch") in
    [Y1]) ;;
    *) broken "$switch is off" ;;
    esac
  done
}

run() { # N
  say begin "$1"
  # Through a pipe: a program that sees a terminal may colour what it prints. Opened for both at
  # first, as that waits for nobody: a child's death would interrupt the wait.
  mkfifo "/.box/pipe.$1"
  # shellcheck disable=SC2094 # that is what a pipe is for
  exec 4<>"/.box/pipe.$1" 5<"/.box/pipe.$1"
  cat <&5 >&3 4>&- 5<&- &
  reader=$!
  exec 5<&-
  PATH=/usr/local/bin:/usr/bin:/bin:/.box/bin /.box/bin/sh "/.box/program.$1" </dev/null >&4 2>&1 3>&- 4>&-
  status=$?
  exec 4>&-
  # What it left running neither holds the pipe open nor disturbs the next one.
  (sleep 5 && kill -9 -1) 3>&- &
  guard=$!
  wait "$reader"
  kill "$guard" 2>/dev/null
  (kill -9 -1)
  say end "$1" "$status"
}

ulimit -c 0
load_kvm
say host "$(host_features)"
number=$first
while [ "$number" -le "$last" ]; do
  run "$number"
  number=$((number + 1))
done
say 'done'
switch_off
