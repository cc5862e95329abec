# SPDX-License-Identifier: MIT
# The command. vmm/CMakeLists.txt includes this file.

# A copy in the build tree gives the assembler a file name without directories, and the object a
# dependency on the file.
set(recorded_dir "${CMAKE_CURRENT_BINARY_DIR}/recorded")
configure_file(recorded/paging.rec "${recorded_dir}/paging.rec" COPYONLY)
set_source_files_properties(recorded.S PROPERTIES OBJECT_DEPENDS "${recorded_dir}/paging.rec")

add_executable(pagewalk
  access_args.c args.c claims.c cmd_ept.c cmd_formats.c cmd_lint.c cmd_maps.c cmd_read.c cmd_run.c
  cmd_shadow.c cmd_translate.c cmd_walk.c entry_bits.c fields.c guest_live.c guest_recorded.c
  hexdump.c listing.c main.c memory_map.c nested_answer.c nested_args.c nested_lines.c numbers.c
  output.c player.c recorded.S recorder.c shadow_build.c source.c space_args.c story.c stretch.c
  table_image.c tables_report.c target.c translation.c verdict.c walk_lines.c whole_file.c)
target_compile_features(pagewalk PRIVATE c_std_11)
set_target_properties(pagewalk PROPERTIES C_EXTENSIONS OFF)
target_compile_definitions(pagewalk PRIVATE $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE>)
target_include_directories(pagewalk PRIVATE $<$<COMPILE_LANGUAGE:ASM>:${recorded_dir}>)
target_include_directories(pagewalk SYSTEM PRIVATE "${PAGEWALK_JANSSON_INCLUDE}")
target_link_libraries(pagewalk PRIVATE
  pagewalk::pagewalk pagewalk_vmm pagewalk_bundled_guest pagewalk_flags "${PAGEWALK_JANSSON}")
