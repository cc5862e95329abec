# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# For the scripts that a stranger runs on a fresh Debian 12: install what is missing. Sourced.

# need PACKAGE...: asks apt only if one of them is not there, so that it works offline afterwards.
need() {
  if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This is no Debian: nothing is installed, what is missing will be named below." >&2
    return 0
  fi
  missing=
  for package in "$@"; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    *" installed") ;;
    *) missing="$missing $package" ;;
    esac
  done
  if [ -z "$missing" ]; then
    return 0
  fi
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
      echo "Neither root nor sudo: have these Debian packages installed first:$missing" >&2
      return 1
    fi
    as_root=sudo
  fi
  echo "Installing:$missing" >&2
  # Lists may be missing or too old to be served; if they cannot be fetched, try with what is there.
  $as_root apt-get update -qq >&2 || true
  # shellcheck disable=SC2086 # words of ours
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    -o Dpkg::Use-Pty=0 $missing </dev/null >&2
}
