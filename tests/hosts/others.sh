#!/bin/sh
# SPDX-License-Identifier: MIT
# Multiboot programs that others wrote, unmodified, in our VMM on a KVM host: Debian's Xen hypervisor,
# which sets up every table it needs, starts the second processor, and ends when its module is no
# kernel; and the game GRUB Invaders, which never ends. Debian's packages are unpacked into
# PW_HOSTS_DIR (default: build/hosts in the project) and installed nowhere.
#
# usage: others.sh HOST PAGEWALK
set -eu
# shellcheck source=../check/common.sh
. "$(dirname "$0")/../check/common.sh"

here=$(CDPATH="" cd -- "$(dirname -- "$0")" && pwd)
host=$1
command=$2
others=${PW_HOSTS_DIR:-$here/../../build/hosts}/others

newest_xen() {
  apt-cache pkgnames xen-hypervisor- 2>/dev/null |
    grep -E '^xen-hypervisor-[0-9.]+-amd64$' | sort -V | tail -n 1
}

# Xen is compressed, which multiboot loaders see to themselves.
fetch() {
  if [ -d "$others" ]; then return 0; fi
  mkdir -p "$scratch/deb" "$scratch/unpacked" "$scratch/others"
  (cd "$scratch/deb" &&
    apt-get -qq -o APT::Sandbox::User=root download "$(newest_xen)" grub-invaders >&2) || return 1
  for package in "$scratch"/deb/*.deb; do dpkg -x "$package" "$scratch/unpacked" || return 1; done
  gzip -dc "$scratch"/unpacked/boot/xen-*-amd64.gz >"$scratch/others/xen" &&
    cp "$scratch/unpacked/boot/invaders.exec" "$scratch/others/" &&
    echo "this is no kernel" >"$scratch/others/module" &&
    mkdir -p "$(dirname "$others")" && cp -r "$scratch/others" "$others"
}

run() { # ARGUMENT... of pagewalk run
  status=0
  sh "$here/run.sh" "$host" --timeout 300 --file "$others" -- "$command" run "$@" \
    >"$scratch/out" 2>"$scratch/said" || status=$?
}

says() { # TEXT CLAIM
  if grep -qF -- "$1" "$scratch/out"; then
    ok "$2"
  else
    bad "$2" "$(echo "exit status $status, no line: $1" && cat "$scratch/out" "$scratch/said")"
  fi
}

ends() { # STATUS CLAIM
  if [ "$status" -eq "$1" ]; then
    ok "$2"
  else
    bad "$2" "$(echo "exit status $status" && cat "$scratch/out" "$scratch/said")"
  fi
}

if ! fetch; then
  echo "the packages of Xen and GRUB Invaders cannot be had here"
  if [ -n "${CI:-}" ]; then exit 1; fi
  exit 77
fi

run --timeout 200 --vcpus 2 --memory 256M --append "console=com1 com1=115200" \
  --module "$others/module" "$others/xen"
says "(XEN) Bootloader: pagewalk" "Xen knows who loaded it"
says "(XEN) Command line: console=com1 com1=115200" "it has its command line"
says "(XEN) Brought up 2 CPUs" "it has started the second processor"
says "(XEN) ELF: not an ELF binary" "it has looked at its module"
says "Could not construct domain 0" "it has come to the end that this leads to"
ends 0 "its reset ends the run"

run --timeout 10 "$others/invaders.exec"
says "the guest did not end within 10 s" "GRUB Invaders runs until its time is up"
ends 3 "... which is no success"

finish
