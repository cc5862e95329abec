# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# What a host offers to guests, in one line. Sourced: in the box by init.sh, outside by run.sh.

# parameters MODULE NAME...: " name=value" for those that the loaded module has
parameters() {
  module=$1
  shift
  for name in "$@"; do
    if [ -r "/sys/module/$module/parameters/$name" ]; then
      printf ' %s=%s' "$name" "$(cat "/sys/module/$module/parameters/$name")"
    fi
  done
}

host_features() {
  printf 'Linux %s' "$(uname -r)"
  for vendor in kvm_amd kvm_intel kvm_pvm; do
    if [ -d "/sys/module/$vendor" ]; then
      printf ', %s%s' "$vendor" "$(parameters "$vendor" npt ept nested)"
    fi
  done
  flags=" $(sed -n '/^flags/{s/^[^:]*://p;q;}' /proc/cpuinfo) "
  has=
  lacks=
  for flag in svm npt vmx ept vpid nx pdpe1gb pcid la57 smep smap umip pku fsgsbase invpcid; do
    case $flags in
    *" $flag "*) has="$has $flag" ;;
    *) lacks="$lacks $flag" ;;
    esac
  done
  printf ', CPU has%s, lacks%s' "$has" "$lacks"
}
