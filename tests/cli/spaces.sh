#!/bin/sh
# SPDX-License-Identifier: MIT
# Every family of formats: the list of a small image, and walks with the names of the bits.
set -eu
. "$(dirname "$0")/common.sh"
. "$here/images.sh"

make_x86_32
make_x86_pae
make_x86_64_la57
make_ept_4
make_arm64_4k
make_arm64_s2_4k
make_armv7_short
make_armv7_lpae
make_riscv
transcript "$here/spaces.expected"

finish
