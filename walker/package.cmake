# SPDX-License-Identifier: MIT
# What is installed beside the library, and the Debian packages that CPack makes of it all:
# `pagewalk` (the command and the shared library) and `libpagewalk-dev`.

foreach(package_of runtime:pagewalk dev:libpagewalk-dev)
  string(REPLACE ":" ";" package_of ${package_of})
  list(GET package_of 0 component)
  list(GET package_of 1 package)
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" RENAME copyright
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component})
  string(TOUPPER ${component} component)
  set(CPACK_DEBIAN_${component}_PACKAGE_NAME ${package})
endforeach()
if(TARGET pagewalk)
  install(TARGETS pagewalk RUNTIME COMPONENT runtime)
  install(FILES "${PROJECT_SOURCE_DIR}/vmm/pagewalk.1"
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime OPTIONAL)
endif()
install(FILES "${PROJECT_SOURCE_DIR}/NEWS.md"
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/pagewalk COMPONENT runtime)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "pagewalk contributors <pagewalk@localhost>")
set(CPACK_PACKAGE_VENDOR "pagewalk contributors")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "pagewalk (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "The command pagewalk boots small guests under KVM and translates, lists and
explains their virtual memory, or that of a raw memory image. The shared library
is for programs of others.")
set(CPACK_DEBIAN_DEV_DESCRIPTION "Headers, static library, pkg-config file, CMake package and manual page of
libpagewalk, a freestanding C library that walks, explains and builds the page
tables of x86, EPT, Arm and RISC-V.")

# For the loader's cache, and for packages that are linked with the shared library.
set(control "${CMAKE_CURRENT_BINARY_DIR}/debian")
set(series ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
math(EXPR next "${PROJECT_VERSION_MINOR} + 1")
file(WRITE "${control}/triggers" "activate-noawait ldconfig\n")
file(WRITE "${control}/shlibs"
  "libpagewalk ${series} pagewalk (>= ${series}), pagewalk (<< ${PROJECT_VERSION_MAJOR}.${next})\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${control}/triggers;${control}/shlibs")

include(CPack)
