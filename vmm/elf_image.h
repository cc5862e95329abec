/* SPDX-License-Identifier: MIT */
/* Private: reads ELF files. */
#ifndef VMM_ELF_IMAGE_H
#define VMM_ELF_IMAGE_H

#include "image_plan.h"

/*
 * Fill *plan from an ELF file in memory. Checks what concerns the file alone; the parts point into
 * `bytes`. On failure `error` says why.
 */
enum vmm_status elf_image_plan(
	struct vmm_error *error, const void *bytes, size_t size, struct image_plan *plan);

#endif
