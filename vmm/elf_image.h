/* SPDX-License-Identifier: MIT */
/* Private: an image as a list of parts, checked against RAM and each other before it is copied. */
#ifndef VMM_ELF_IMAGE_H
#define VMM_ELF_IMAGE_H

#include <pagewalk_vmm/image.h>

/* One part of guest RAM that the image fills: `file_bytes` from `data`, zeroes up to `bytes`. */
struct image_part {
	const uint8_t *data;
	uint64_t file_bytes;
	uint64_t address; /* guest-physical */
	uint64_t virtual_address;
	uint64_t bytes; /* not 0 */
};

struct image_plan {
	enum vmm_mode mode;
	uint64_t entry; /* as the image says: physical or virtual */
	unsigned count;
	struct image_part parts[VMM_IMAGE_SEGMENTS_MAX];
};

/*
 * Fill *plan from an ELF file in memory. Checks what concerns the file alone; the parts point into
 * `bytes`. On failure `error` says why.
 */
enum vmm_status elf_image_plan(
	struct vmm_error *error, const void *bytes, size_t size, struct image_plan *plan);

#endif
