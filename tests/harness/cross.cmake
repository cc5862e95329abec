# SPDX-License-Identifier: MIT
# Toolchain: Debian's cross compiler for PAGEWALK_CROSS (aarch64, i686, riscv64, s390x, ...), and
# qemu-user to run what it makes.

set(PAGEWALK_CROSS "" CACHE STRING "The machine to build for, as in Debian's GNU triplets")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES PAGEWALK_CROSS)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${PAGEWALK_CROSS})
set(CMAKE_C_COMPILER ${PAGEWALK_CROSS}-linux-gnu-gcc)

set(emulated ${PAGEWALK_CROSS})
if(emulated STREQUAL "i686")
  set(emulated i386)
elseif(emulated STREQUAL "powerpc64")
  set(emulated ppc64)
endif()
find_program(PAGEWALK_QEMU NAMES qemu-${emulated} qemu-${emulated}-static)

# Most x86-64 kernels run i686 programs by themselves, many times as fast.
set(native FALSE)
if(PAGEWALK_CROSS STREQUAL "i686" AND CMAKE_HOST_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(probe ${CMAKE_BINARY_DIR}/CMakeFiles/runs_here)
  file(WRITE ${probe}.c "int main(void) { return 42; }\n")
  execute_process(COMMAND ${CMAKE_C_COMPILER} -static ${probe}.c -o ${probe} ERROR_QUIET)
  execute_process(COMMAND ${probe} RESULT_VARIABLE result ERROR_QUIET)
  if(result EQUAL 42)
    set(native TRUE)
  endif()
endif()
if(PAGEWALK_QEMU AND NOT native)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${PAGEWALK_QEMU})
endif()

set(CMAKE_FIND_ROOT_PATH /usr/${PAGEWALK_CROSS}-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
