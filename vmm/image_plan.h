/* SPDX-License-Identifier: MIT */
/* Private: an image as a list of parts, checked against RAM and each other before it is copied. */
#ifndef VMM_IMAGE_PLAN_H
#define VMM_IMAGE_PLAN_H

#include <pagewalk_vmm/image.h>
#include <pagewalk_vmm/multiboot.h>

/* The image's segments, a boot loader's modules, and what it tells of them. */
#define IMAGE_PARTS_MAX (VMM_IMAGE_SEGMENTS_MAX + VMM_MODULES_MAX + 1)

/* One part of guest RAM that is filled: `file_bytes` from `data`, zeroes up to `bytes`. */
struct image_part {
	const uint8_t *data;
	uint64_t file_bytes;
	uint64_t address; /* guest-physical */
	uint64_t virtual_address;
	uint64_t bytes; /* not 0 */
};

struct image_plan {
	enum vmm_mode mode;
	bool pc; /* the firmware's areas (firmware.h) stay free, as in every VM with irqchip */
	uint64_t entry; /* as the image says: physical or virtual */
	unsigned count;
	struct image_part parts[IMAGE_PARTS_MAX];
};

/* Every part is good, and *image then says how to start; nothing is copied. */
enum vmm_status image_plan_check(
	struct vmm_vm *vm, const struct image_plan *plan, struct vmm_image *image);

/* Copies a plan that was checked, and sets the bounds in *image. Cannot fail. */
void image_plan_copy(struct vmm_vm *vm, const struct image_plan *plan, struct vmm_image *image);

/* Both. */
enum vmm_status image_plan_load(
	struct vmm_vm *vm, const struct image_plan *plan, struct vmm_image *image);

/*
 * The lowest page from `first` on where `bytes` have room in the RAM under 4 GiB, beside the parts
 * and all that must stay free. False if there is none, or no slot for another part.
 */
bool image_plan_room(const struct vmm_vm *vm, const struct image_plan *plan, uint64_t first,
	uint64_t bytes, uint64_t *address);

/* Adds a part where image_plan_room() found room for it. */
void image_plan_add(struct image_plan *plan, const uint8_t *data, uint64_t bytes, uint64_t address);

#endif
