# SPDX-License-Identifier: MIT
# For CMAKE_PROJECT_INCLUDE: a machine without any of the libraries that pagewalk can use.

set(CMAKE_FIND_LIBRARY_PREFIXES "nothing-is-called-so-")
set(CMAKE_DISABLE_FIND_PACKAGE_benchmark ON)
