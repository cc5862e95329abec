#!/bin/sh
# SPDX-License-Identifier: MIT
# Gets what the boxes need: emulators and tools from Debian packages, installed by apt as root or
# with sudo; and Debian's cloud kernel, unpacked into PW_HOSTS_DIR (default: build/hosts in the
# project) and never installed on this machine. What is there already is not fetched again.
#
# usage: setup.sh [--no-kernel] [tcg-svm | bochs-vmx]...    without a name: both
#
# Exit status: 0 ready, 125 not possible here; the last line on standard error says why.
set -eu

here=$(CDPATH="" cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=../harness/debian.sh
. "$here/../harness/debian.sh"
cache=${PW_HOSTS_DIR:-$here/../../build/hosts}
kernel_package=linux-image-cloud-amd64

refuse() {
  echo "hosts/setup.sh: $*" >&2
  exit 125
}

update_lists() {
  if [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq >&2
  else
    sudo apt-get update -qq >&2
  fi
}

# The package above is empty: it depends on the newest kernel.
newest_kernel() {
  apt-cache depends "$kernel_package" 2>/dev/null |
    sed -n 's/^ *Depends: \(linux-image-.*\)$/\1/p' | head -n 1
}

# download FOLDER: the kernel's package, into that folder
download() {
  package=$(newest_kernel)
  [ -n "$package" ] || return 1
  echo "Downloading $package" >&2
  (cd "$1" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2)
}

# keep UNPACKED FOLDER: the five files of it that a box needs
keep() {
  find "$1" -path '*/boot/vmlinuz-*' -exec cp {} "$2/vmlinuz" \;
  for module in irqbypass kvm kvm-amd kvm-intel; do
    # Debian 12 has them plain; later releases compressed, and what loads them in a box cannot unpack.
    find "$1" -name "$module.ko" -exec cp {} "$2/$module.ko" \;
    find "$1" -name "$module.ko.xz" -exec xz -dc {} \; >"$2/unpacked"
    if [ -s "$2/unpacked" ]; then mv "$2/unpacked" "$2/$module.ko"; fi
    rm -f "$2/unpacked"
    [ -s "$2/$module.ko" ] || return 1
    if command -v strip >/dev/null 2>&1; then strip --strip-debug "$2/$module.ko"; fi
  done
  [ -s "$2/vmlinuz" ]
}

get_kernel() {
  if [ -d "$cache/kernel" ]; then return 0; fi
  command -v apt-get >/dev/null 2>&1 || refuse "no apt-get here to fetch $kernel_package with"
  fresh="$cache/kernel.new"
  rm -rf "$fresh"
  mkdir -p "$fresh/deb" "$fresh/unpacked" "$fresh/kernel"
  # Lists may be missing, or name a kernel that is no longer served.
  download "$fresh/deb" || {
    update_lists || true
    download "$fresh/deb"
  } || refuse "the package $kernel_package cannot be downloaded"
  dpkg -x "$fresh"/deb/*.deb "$fresh/unpacked" || refuse "the kernel's package cannot be unpacked"
  keep "$fresh/unpacked" "$fresh/kernel" || refuse "the kernel's package lacks vmlinuz or KVM's modules"
  mv "$fresh/kernel" "$cache/kernel" # last, and at once: what bears this name is complete
  rm -rf "$fresh"
}

kernel=yes
if [ "${1:-}" = --no-kernel ]; then
  kernel=
  shift
fi
if [ $# -eq 0 ]; then set -- tcg-svm bochs-vmx; fi
packages="busybox-static cpio"
tools="busybox cpio gzip"
for host in "$@"; do
  case $host in
  tcg-svm)
    packages="$packages qemu-system-x86"
    tools="$tools qemu-system-x86_64"
    ;;
  bochs-vmx)
    packages="$packages bochs bochs-x bochsbios vgabios xvfb grub-pc-bin grub-common xorriso mtools"
    tools="$tools bochs Xvfb grub-mkrescue xorriso mformat"
    ;;
  *) refuse "no such host: $host (there are tcg-svm and bochs-vmx)" ;;
  esac
done

[ "$(uname -m)" = x86_64 ] || refuse "the boxes run programs of x86-64, and this is $(uname -m)"
mkdir -p "$cache" || refuse "the folder $cache cannot be made"
if command -v flock >/dev/null 2>&1; then
  exec 9>"$cache/lock"
  flock 9 # two tests may come here at the same time
fi
# shellcheck disable=SC2086 # words of ours
need $packages || refuse "these packages cannot all be installed: $packages"
for tool in $tools; do
  command -v "$tool" >/dev/null 2>&1 || refuse "$tool is missing (Debian packages: $packages)"
done
if [ -n "$kernel" ]; then get_kernel; fi
