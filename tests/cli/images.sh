# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# The images that several tests look at. Sourced after common.sh.

# guest.img: 48 KiB, 4-level tables with their root at 0x1000.
make_guest() {
  blank guest.img 0xc000
  entry guest.img 0x1000 0 0x2027
  entry guest.img 0x1000 256 0x2027 # the same tables again, in the high half
  entry guest.img 0x1000 511 0x6023
  # 0 to 3 GiB
  entry guest.img 0x2000 0 0x3027
  entry guest.img 0x2000 1 0x80000000400000e7 # 1 GiB, user, not executable
  entry guest.img 0x2000 2 0x800020a3         # 1 GiB with a reserved bit
  # 0 to 6 MiB
  entry guest.img 0x3000 0 0x4027
  entry guest.img 0x3000 1 0x80000000002001e3 # 2 MiB, supervisor, global
  entry guest.img 0x3000 2 0x100027           # a table that is not in the image
  entry guest.img 0x3000 3 0xb025             # a table that takes the right to write away
  # 0 to 2 MiB
  entry guest.img 0x4000 1 0x5025                # code
  entry guest.img 0x4000 2 0x8000000000007067    # data
  entry guest.img 0x4000 3 0x8000000000008067    # the next frame
  entry guest.img 0x4000 4 0x800000000000a067    # not the next
  entry guest.img 0x4000 5 0xdeadbee0            # a hole, with bits that mean something to others
  entry guest.img 0x4000 6 0x8000000000009005    # never accessed
  entry guest.img 0x4000 8 0x800000000000c067    # its data lie behind the image's end
  entry guest.img 0x4000 9 0x5a0000000000a067    # key 11, and a software bit
  # 6 MiB
  entry guest.img 0xb000 0 0x8000000000007067
  # the last GiB
  entry guest.img 0x6000 511 0x9023
  entry guest.img 0x9000 511 0x80000000000000e3 # 2 MiB
  printf 'Hello, guest-virtual world!' | at guest.img 0x7ff0
  printf 'the code' | at guest.img 0x5000
}

# A table whose every entry leads to itself, and one whose entry 1 does.
make_loops() {
  blank loop.img 0x2000
  fill loop.img 0x1000 512 $((0x1067)) 0
  blank self.img 0x2000
  entry self.img 0x1000 1 0x1067
}

# One small image for each family, named after the format, each with its root at 0x1000 unless said.
make_x86_32() {
  blank x86-32.img 0x4000
  entry x86-32.img 0x1000 0 0x2027 4
  entry x86-32.img 0x1000 1 0x8020e7 4 # 4 MiB; bit 13 is bit 32 of the address
  entry x86-32.img 0x1000 2 0xa000a3 4 # bit 21 is reserved
  entry x86-32.img 0x2000 1 0x3061 4
}

# Its root is at 0x1020.
make_x86_pae() {
  blank x86-pae.img 0x5000
  entry x86-pae.img 0x1020 0 0x2001
  entry x86-pae.img 0x1020 3 0x2003 # bit 1 of a PDPTE is reserved
  entry x86-pae.img 0x2000 0 0x3027
  entry x86-pae.img 0x2000 1 0x80000000004010e7 # PAT
  entry x86-pae.img 0x3000 511 0x4025
}

make_x86_64_la57() {
  blank x86-64-la57.img 0x6000
  entry x86-64-la57.img 0x1000 511 0x2003
  entry x86-64-la57.img 0x2000 511 0x3003
  entry x86-64-la57.img 0x3000 511 0x4003
  entry x86-64-la57.img 0x4000 511 0x5003
  entry x86-64-la57.img 0x5000 511 0x1123456789063
}

make_ept_4() {
  blank ept-4.img 0x6000
  entry ept-4.img 0x1000 0 0x2007
  entry ept-4.img 0x2000 0 0x3105
  entry ept-4.img 0x2000 1 0x400003b7 # 1 GiB, write back
  entry ept-4.img 0x3000 0 0x4007
  entry ept-4.img 0x3000 1 0x2 # write without read
  entry ept-4.img 0x4000 1 0x5077
  entry ept-4.img 0x4000 2 0x5034 # execute only
  entry ept-4.img 0x4000 3 0x501f # memory type 3
}

make_arm64_4k() {
  blank arm64-4k.img 0x6000
  entry arm64-4k.img 0x1000 0 0x2003
  entry arm64-4k.img 0x2000 0 0x4000000000003003 # no writes below
  entry arm64-4k.img 0x2000 1 0x60000040000705   # 1 GiB
  entry arm64-4k.img 0x3000 0 0x4003
  entry arm64-4k.img 0x4000 1 0x20000000005f43
  entry arm64-4k.img 0x4000 2 0x50c3 # never accessed
  entry arm64-4k.img 0x4000 3 0x5041 # bits 01 are no page in the last table
}

make_arm64_s2_4k() {
  blank arm64-s2-4k.img 0x6000
  entry arm64-s2-4k.img 0x2000 1023 0x1003
  entry arm64-s2-4k.img 0x1000 1 0x400000000007fd
}

# Its root is at 0x4000.
make_armv7_short() {
  blank armv7-short.img 0x8000
  entry armv7-short.img 0x4000 0 0x1025 4    # PXN, domain 1
  entry armv7-short.img 0x4000 1 0x110c0e 4  # 1 MiB
  for index in 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31; do
    entry armv7-short.img 0x4000 $index 0x1040c22 4 # 16 MiB, bit 36 of the address
  done
  entry armv7-short.img 0x1000 1 0x2a32 4
  for index in 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31; do
    entry armv7-short.img 0x1000 $index 0x18031 4 # 64 KiB, not executable
  done
}

make_armv7_lpae() {
  blank armv7-lpae.img 0x4000
  entry armv7-lpae.img 0x1000 3 0x2003
  entry armv7-lpae.img 0x2000 511 0x3003
  entry armv7-lpae.img 0x3000 511 0x400000ff000fc3
}

make_riscv() { # sv32: entries of 4 bytes; sv39 and sv39x4: the root's index 0 is the same
  blank riscv-sv39.img 0x8000
  entry riscv-sv39.img 0x4000 0 0x801
  entry riscv-sv39.img 0x4000 1 0x800cf # misaligned: it begins at 2 MiB
  entry riscv-sv39.img 0x2000 0 0xc01
  entry riscv-sv39.img 0x2000 1 0x200df # a table would be at level 1; this is a page of 0x80000
  entry riscv-sv39.img 0x2000 2 0x801df # 2 MiB
  entry riscv-sv39.img 0x3000 1 0x14df
  entry riscv-sv39.img 0x3000 2 0x1805 # write without read
  entry riscv-sv39.img 0x3000 3 0x1c13 # never accessed
  blank riscv-sv32.img 0x4000
  entry riscv-sv32.img 0x1000 0 0x801 4
  entry riscv-sv32.img 0x2000 1 0xcf7 4
}

# make_nested: nested.img, a guest in its hypervisor's memory. Its tables stand at 0x1000 on, EPT at
# 0x20000, NPT at 0x28000. Guest-physical addresses are the machine's, but for those said.
make_nested() {
  blank nested.img 0x30000
  entry nested.img 0x1000 0 0x2067
  entry nested.img 0x2000 0 0x3067
  entry nested.img 0x3000 0 0x4067
  entry nested.img 0x4000 1 0x5067
  entry nested.img 0x4000 2 0x6067
  entry nested.img 0x4000 3 0x7067
  entry nested.img 0x4000 4 0x8067
  entry nested.img 0x20000 0 0x21007
  entry nested.img 0x21000 0 0x22007
  entry nested.img 0x22000 0 0x23007
  fill nested.img 0x23000 48 $((0x37)) $((0x1000))
  entry nested.img 0x23000 5 0x9033          # no execution
  entry nested.img 0x23000 6 0x6031          # read-only
  entry nested.img 0x23000 7 0               # not there
  entry nested.img 0x23000 8 0x8032          # misconfigured
  entry nested.img 0x28000 0 0x29007
  entry nested.img 0x29000 0 0x2a007
  entry nested.img 0x2a000 0 0x2b007
  fill nested.img 0x2b000 48 $((0x7)) $((0x1000))
  entry nested.img 0x2b000 4 0x4005          # the guest's last table is read-only
  # EPT once more, at 0x2c000: what the rules of --nested decide.
  entry nested.img 0x2c000 0 0x2d407
  entry nested.img 0x2d000 0 0x2e407
  entry nested.img 0x2e000 0 0x2f407
  fill nested.img 0x2f000 48 $((0x37)) $((0x1000))
  entry nested.img 0x2f000 4 0x4031          # the guest's last table is read-only
  entry nested.img 0x2f000 5 0x5431          # execution from user-mode addresses alone, with MBEC
  entry nested.img 0x2f000 6 0x6034          # execute-only
}
