#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs programs on a KVM host: here, or in a box, an emulated machine with virtualisation that runs
# Debian's kernel and KVM. See README.md beside this file.
set -eu

usage() {
  cat <<'END'
usage: run.sh HOST [OPTION]... -- PROGRAM [ARGUMENT]... [--then PROGRAM [ARGUMENT]...]...

HOST is one of
  native      this machine
  tcg-svm     QEMU without acceleration, AMD's SVM with nested paging, kvm-amd
  bochs-vmx   Bochs as a Skylake, Intel's VMX with EPT, kvm-intel
The programs run one after the other in one start of the box, in the folder of the same name, as
root. What they print, errors too, goes to standard output; what this script says, to standard error.

  --file PATH[:DESTINATION]  have a file or folder in the box, at the same or the stated place
  --env NAME=VALUE           a variable in the programs' environment; PW_HOST is always HOST
  --timeout SECONDS          limit of one start, programs included (native 120, tcg-svm 300, bochs-vmx 600)
  --memory MIB               the box's memory (tcg-svm 1024, bochs-vmx 512)
  --cpu MODEL                another processor: QEMU's -cpu, Bochs's cpu model
  --log FILE                 write the kernel's messages there
  --optional                 exit 77 instead of 125, unless CI is set
  --verbose                  show the kernel's messages while they come
  --help                     this text

Exit status: the program's own, 128 + N if signal N killed it. Of several programs the first that
failed decides; 77 (skipped) stands if none passed and none failed.
  124  the box, or a program in it, hung or ended without a status, twice (native: once)
  125  the programs cannot be run there at all, or these arguments make no sense
END
}

here=$(CDPATH="" cd -- "$(dirname -- "$0")" && pwd)
cache=${PW_HOSTS_DIR:-$here/../../build/hosts}
optional=
host=run.sh
newline='
'

note() {
  echo "$host: $*" >&2
}

refuse() {
  note "$*"
  if [ -n "$optional" ] && [ -z "${CI:-}" ]; then
    note "skipped"
    exit 77
  fi
  exit 125
}

# For the shell, whatever is in it, a newline at its end included
quote() {
  printf '%sX' "$1" | sed "s/'/'\\\\''/g; 1s/^/'/; \$s/X\$/'/"
}

option() { # NAME VALUE...
  case $1 in
  --file)
    case $2 in *"$newline"*) refuse "a file's name holds a newline" ;; esac
    printf '%s\n' "$2" >>"$work/files"
    ;;
  --env)
    case ${2%%=*} in
    "$2" | '' | [0-9]* | *[!A-Za-z0-9_]*) refuse "--env wants NAME=VALUE, not $2" ;;
    esac
    printf 'export %s=%s\n' "${2%%=*}" "$(quote "${2#*=}")" >>"$work/environment"
    ;;
  --timeout | --memory)
    case $2 in '' | 0* | *[!0-9]*) refuse "$1 wants a whole number, not $2" ;; esac
    if [ "$1" = --timeout ]; then limit=$2; else memory=$2; fi
    ;;
  --cpu) cpu=$2 ;;
  --log)
    log=$2
    : >"$log" || refuse "$log cannot be written"
    ;;
  esac
}

program_path() { # PROGRAM
  case $1 in
  /*) printf '%s' "$1" ;;
  */*) printf '%s' "$PWD/${1#./}" ;;
  *) command -v "$1" || true ;;
  esac
}

# Each program becomes a script of its own and a line in the list of paths.
begin_program() { # PROGRAM
  last=$((last + 1))
  path=$(program_path "$1")
  case $path in
  *"$newline"*) refuse "a program's name holds a newline" ;;
  /*) ;;
  *) refuse "$1: no such program" ;;
  esac
  [ -f "$path" ] || refuse "$path: no such program"
  [ -x "$path" ] || refuse "$path: not executable"
  printf '%s\n' "$path" >>"$work/programs"
  {
    folder=$(quote "$PWD")
    printf 'mkdir -p %s && cd %s || exit 127\n' "$folder" "$folder"
    if [ -n "${LD_LIBRARY_PATH:-}" ]; then
      printf 'export LD_LIBRARY_PATH=%s\n' "$(quote "$LD_LIBRARY_PATH")"
    fi
    cat "$work/environment"
    printf 'export PW_HOST=%s\nexec %s' "$host" "$(quote "$path")"
  } >"$work/program.$last"
}

add_programs() { # PROGRAM [ARGUMENT]... [--then PROGRAM [ARGUMENT]...]...
  between=yes
  for word in "$@"; do
    if [ -n "$between" ]; then
      begin_program "$word"
      between=
    elif [ "$word" = --then ]; then
      between=yes
    else
      printf ' %s' "$(quote "$word")" >>"$work/program.$last"
    fi
  done
  [ -z "$between" ] || refuse "a program is missing after -- or --then"
}

program_name() { # N
  sed -n "$1p" "$work/programs"
}

# The programs' statuses are in the file events: "end N STATUS".
tell_end() { # N STATUS
  note "$(program_name "$1"): exit $2"
}

verdict() {
  awk '
    $1 != "end" { next }
    $3 == 0 { passed = 1 }
    $3 != 0 && $3 != 77 && !failure { failure = $3 }
    END { print failure ? failure : passed ? 0 : 77 }
  ' "$work/events"
}

run_native() {
  while IFS= read -r file; do
    [ -e "$file" ] || refuse "$file: no such file (here files stay where they are)"
  done <"$work/files"
  note "$(host_features)"
  number=0
  while [ "$number" -lt "$last" ]; do
    number=$((number + 1))
    status=0
    # In the background, so that a signal to this script ends it too.
    timeout -k 5 "${limit:-120}" sh "$work/program.$number" </dev/null 2>&1 &
    box=$!
    wait "$box" || status=$?
    box=
    tell_end "$number" "$status"
    echo "end $number $status" >>"$work/events"
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then # nor in a box does one run after a hang
      hung=yes
      return
    fi
  done
}

pack() {
  while IFS= read -r path; do put_program "$path"; done <"$work/programs"
  while IFS= read -r path; do put_extra "$path"; done <"$work/files"
  # shellcheck disable=SC2086 # words of ours
  put_system $modules
}

# What init.sh is to do: in a second start only what the first did not finish.
configure() {
  mark="@box $(od -An -N 8 -t x1 /dev/urandom | tr -d ' \n')"
  cat >"$root/.box/config" <<END
host=$host
modules='$modules'
switches='$switches'
mark='$mark'
first=$first
last=$last
END
}

show_kernel() {
  note "the end of the kernel's messages:"
  tail -n 60 "$work/console.log" | tr -d '\r' | sed 's/^/  | /' >&2
}

show_box() { # when it is not the programs that failed
  show_kernel
  note "the end of the emulator's messages:"
  tail -n 10 "$work/box.out" | sed 's/^/  | /' >&2
}

# Why a start was not good, if it was not; where the next one begins
judge_start() {
  first=$(($(sed -n '/^end /p' "$work/events" | wc -l) + 1))
  running=$(sed -n '$s/^begin //p' "$work/events")
  if [ -n "$running" ]; then
    place="while running $(program_name "$running")"
  elif [ "$first" -gt 1 ]; then
    place="after $(program_name "$((first - 1))")"
  else
    place="before any program began"
  fi
  case $box_status in
  124 | 137) note "not finished after $limit s, $place" ;;
  *) note "the box ended without a status, $place" ;;
  esac
}

report_events() { # what a start told, in order
  sed -n 's/^host //p' "$work/news" | while IFS= read -r line; do note "$line"; done
  sed -n 's/^end //p' "$work/news" | while read -r number status; do
    tell_end "$number" "$status"
  done
}

run_box() {
  pack
  first=1
  for start in 1 2; do
    configure
    old=$(wc -l <"$work/events")
    boot_box
    tail -n "+$((old + 1))" "$work/events" >"$work/news"
    report_events
    if [ -n "$log" ]; then cat "$work/console.log" >>"$log"; fi
    if grep -q '^broken ' "$work/news"; then
      show_box
      refuse "$(sed -n 's/^broken //p' "$work/news")"
    fi
    if grep -q '^done' "$work/news"; then return 0; fi
    judge_start
    show_box
    if [ "$start" -eq 1 ]; then note "once more"; fi
  done
  hung=yes
}

# shellcheck disable=SC2317 # a trap calls it
clean_up() {
  status=$?
  trap - EXIT HUP INT TERM
  for process in $box $screen; do kill "$process" 2>/dev/null || true; done
  rm -rf "$work"
  exit "$status"
}

work=$(mktemp -d)
box=
screen=
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

limit=
memory=
cpu=
log=
verbose=
hung=
last=0
: >"$work/files"
: >"$work/environment"
: >"$work/events"
: >"$work/programs"

if [ $# -eq 0 ]; then refuse "which host? (--help tells more)"; fi
case $1 in
--help)
  usage
  exit 0
  ;;
native) modules="" ;;
tcg-svm)
  modules="irqbypass kvm kvm-amd"
  switches="kvm_amd/parameters/npt kvm_amd/parameters/nested"
  default_limit=300
  ;;
bochs-vmx)
  modules="irqbypass kvm kvm-intel"
  switches="kvm_intel/parameters/ept kvm_intel/parameters/nested"
  default_limit=600
  ;;
*) refuse "no such host: $1 (there are native, tcg-svm and bochs-vmx)" ;;
esac
host=$1
shift
while [ $# -gt 0 ]; do
  case $1 in
  --)
    shift
    break
    ;;
  --optional) optional=yes ;;
  --verbose) verbose=yes ;;
  --file | --env | --timeout | --memory | --cpu | --log)
    [ $# -gt 1 ] || refuse "$1 wants a value"
    option "$1" "$2"
    shift
    ;;
  *) refuse "what is $1? (options, then --, then a program)" ;;
  esac
  shift
done
add_programs "$@"

# shellcheck source=features.sh
. "$here/features.sh"
if [ "$host" = native ]; then
  run_native
else
  limit=${limit:-$default_limit}
  # shellcheck source=pack.sh
  . "$here/pack.sh"
  # shellcheck source=box.sh
  . "$here/box.sh"
  PW_HOSTS_DIR=$cache sh "$here/setup.sh" "$host" || refuse "the box cannot be had here"
  run_box
fi
status=124
if [ -z "$hung" ]; then status=$(verdict); fi
case $host:$status in
native:* | *:0 | *:77 | *:124) ;;
*) show_kernel ;;
esac
exit "$status"
