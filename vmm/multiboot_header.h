/* SPDX-License-Identifier: MIT */
/* Private: the header by which a kernel asks to be booted. */
#ifndef VMM_MULTIBOOT_HEADER_H
#define VMM_MULTIBOOT_HEADER_H

#include "image_plan.h"

/* Section 3.1.1. The fields from `header_address` on count only if the flag is set. */
struct multiboot_header {
	uint32_t offset; /* in the file */
	uint32_t flags;
	uint32_t header_address;
	uint32_t load_address;
	uint32_t load_end_address;
	uint32_t bss_end_address;
	uint32_t entry_address;
};

#define MULTIBOOT_HAS_ADDRESSES (UINT32_C(1) << 16)

/* Finds the first valid header; false if there is none. */
bool multiboot_find(const uint8_t *bytes, size_t size, struct multiboot_header *header);

/*
 * Fills *plan with what the header and the file say is to be loaded, and checks what concerns
 * these alone. The parts point into `bytes`.
 */
enum vmm_status multiboot_plan(struct vmm_error *error, const uint8_t *bytes, size_t size,
	const struct multiboot_header *header, struct image_plan *plan);

#endif
