# shellcheck shell=sh disable=SC2154 # variables are shared with run.sh
# SPDX-License-Identifier: MIT
# Packs what goes into a box: programs at the paths that they have outside, the libraries that they
# ask for, extra files. Sourced by run.sh, which sets work, here, cache and defines refuse.

root=$work/root

# Places that the box covers with file systems of its own, or keeps for itself.
check_place() { # DESTINATION
  case $1 in
  /proc/* | /sys/* | /dev/* | /.box/*) refuse "$1: that place is taken in a box" ;;
  /*) ;;
  *) refuse "$1: not an absolute path" ;;
  esac
}

is_elf() {
  [ "$(head -c 4 "$1" | tr -d '\0' | tail -c 3)" = ELF ]
}

put() { # FILE DESTINATION
  mkdir -p "$(dirname "$root$2")"
  cp -L "$1" "$root$2" || refuse "$1 cannot be packed"
}

# What ldd lists, the loader among it, at the same places. Copies lose their debug symbols: reading
# and unpacking them takes an emulated machine longer than the tests.
put_libraries() { # PROGRAM
  # ldd fails for what needs no libraries.
  ldd "$1" >"$work/libraries" 2>/dev/null || return 0
  if grep -q '=> not found' "$work/libraries"; then
    refuse "$1 needs a library that is not found:$(sed -n 's/=> not found//p' "$work/libraries" | tr -d '\n')"
  fi
  sed -n 's/^.*=> \(\/.*\) (0x[0-9a-f]*)$/\1/p; s/^[[:space:]]*\(\/[^=]*\) (0x[0-9a-f]*)$/\1/p' \
    "$work/libraries" | while IFS= read -r library; do
    if [ ! -e "$root$library" ]; then
      put "$library" "$library"
      drop_symbols "$root$library"
    fi
  done
}

drop_symbols() { # COPY
  if command -v strip >/dev/null 2>&1; then
    chmod u+w "$1"
    strip --strip-debug "$1" 2>/dev/null || true # not every format is known to it
  fi
}

put_program() { # FILE: absolute
  check_place "$1"
  if [ -e "$root$1" ]; then return 0; fi
  put "$1" "$1"
  if is_elf "$1"; then
    drop_symbols "$root$1"
    put_libraries "$1"
  fi
}

# put_extra PATH[:DESTINATION]: a file, byte for byte, or a folder. Programs bring their libraries.
put_extra() {
  path=$1
  if [ ! -e "$path" ]; then path=${1%:*}; fi
  [ -e "$path" ] || refuse "$1: no such file"
  case $path in
  /*) destination=$path ;;
  *) destination=$PWD/$path ;;
  esac
  if [ "$path" != "$1" ]; then destination=${1##*:}; fi
  check_place "$destination"
  if [ -d "$path" ]; then
    mkdir -p "$root$destination"
    cp -RL "$path/." "$root$destination" || refuse "$path cannot be packed"
  else
    put "$path" "$destination"
    if [ -x "$path" ] && is_elf "$path"; then put_libraries "$path"; fi
  fi
}

# The box's own things, in a folder that no program uses.
put_system() { # MODULE...
  mkdir -p "$root/.box/bin"
  busybox=$(command -v busybox)
  cp -L "$busybox" "$root/.box/bin/busybox"
  put_libraries "$busybox"
  # With it the loader finds libraries where this machine's loader finds them.
  if [ -r /etc/ld.so.cache ]; then put /etc/ld.so.cache /etc/ld.so.cache; fi
  sed '1s|.*|#!/.box/bin/busybox sh|' "$here/init.sh" >"$root/init"
  chmod 755 "$root/init"
  cp "$here/features.sh" "$root/.box/features.sh"
  for module in "$@"; do
    cp "$cache/kernel/$module.ko" "$root/.box/$module.ko" || refuse "the module $module is not in $cache"
  done
  cp "$work"/program.* "$root/.box/"
}

make_initramfs() {
  if ! (cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$work/box.cpio" ||
    ! gzip -f "$work/box.cpio"; then
    refuse "the box's file system cannot be packed"
  fi
}
