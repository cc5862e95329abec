/* SPDX-License-Identifier: MIT */
/* Checks a whole plan against RAM, then copies, which cannot fail. */
#include "image_plan.h"

#include <inttypes.h>
#include <string.h>

#include "error.h"
#include "firmware.h"

/* Guest RAM, first and last byte, where no image may be, and why. */
struct kept_area {
	uint64_t first;
	uint64_t last;
	const char *name;
};

#define KEPT_AREAS_MAX 3

static unsigned kept_areas(
	const struct vmm_vm *vm, const struct image_plan *plan, struct kept_area *areas)
{
	unsigned count = 0;

	if (plan->mode != VMM_MODE_REAL)
		areas[count++] = (struct kept_area){VMM_BOOT_FIRST,
			plan->mode == VMM_MODE_LONG ? VMM_BOOT_LAST_LONG : VMM_BOOT_LAST_PROTECTED,
			"boot area"};
	if (plan->pc || vm->irqchip) {
		areas[count++] = (struct kept_area){
			FIRMWARE_DATA_FIRST, FIRMWARE_DATA_LAST, "firmware's data area"};
		areas[count++] = (struct kept_area){
			FIRMWARE_HIGH_FIRST, FIRMWARE_HIGH_LAST, "firmware's area"};
	}
	return count;
}

static uint64_t last_of(const struct image_part *part)
{
	return part->address + part->bytes - 1;
}

static enum vmm_status check_kept(
	struct vmm_vm *vm, const struct image_plan *plan, const struct image_part *part)
{
	struct kept_area areas[KEPT_AREAS_MAX];
	unsigned count = kept_areas(vm, plan, areas);

	for (unsigned i = 0; i < count; i++)
		if (part->address <= areas[i].last && last_of(part) >= areas[i].first)
			return vmm_error_set(&vm->error, VMM_BAD_IMAGE,
				"the image's %" PRIu64 " bytes at %#" PRIx64
				" overlap the %s from %#" PRIx64 " on",
				part->bytes, part->address, areas[i].name, areas[i].first);
	return VMM_OK;
}

static enum vmm_status check_part(struct vmm_vm *vm, const struct image_plan *plan, unsigned index)
{
	const struct image_part *part = &plan->parts[index];

	if (!vmm_vm_host(vm, part->address, part->bytes))
		return vmm_error_set(&vm->error, VMM_BAD_IMAGE,
			"the image's %" PRIu64 " bytes at %#" PRIx64
			" lie outside the guest's memory of %" PRIu64 " bytes",
			part->bytes, part->address, vm->memory_bytes);
	for (unsigned i = 0; i < index; i++) {
		const struct image_part *other = &plan->parts[i];

		if (part->address <= last_of(other) && last_of(part) >= other->address)
			return vmm_error_set(&vm->error, VMM_BAD_IMAGE,
				"the image's segments at %#" PRIx64 " and %#" PRIx64 " overlap",
				other->address, part->address);
	}
	return check_kept(vm, plan, part);
}

/*
 * Kernels give a physical entry point beside virtual segments, or a virtual one: whichever a
 * segment holds, the physical reading first.
 */
static bool find_entry(const struct image_plan *plan, uint64_t *entry)
{
	for (unsigned i = 0; i < plan->count; i++) {
		if (plan->entry - plan->parts[i].address < plan->parts[i].bytes) {
			*entry = plan->entry;
			return true;
		}
	}
	for (unsigned i = 0; i < plan->count; i++) {
		uint64_t offset = plan->entry - plan->parts[i].virtual_address;

		if (offset < plan->parts[i].bytes) {
			*entry = plan->parts[i].address + offset;
			return true;
		}
	}
	return false;
}

enum vmm_status image_plan_check(
	struct vmm_vm *vm, const struct image_plan *plan, struct vmm_image *image)
{
	uint64_t entry;

	for (unsigned i = 0; i < plan->count; i++) {
		enum vmm_status status = check_part(vm, plan, i);

		if (status != VMM_OK)
			return status;
	}
	if (!find_entry(plan, &entry))
		return vmm_error_set(&vm->error, VMM_BAD_IMAGE,
			"the entry point %#" PRIx64 " lies outside the image", plan->entry);
	*image = (struct vmm_image){.mode = plan->mode, .entry = entry};
	return VMM_OK;
}

void image_plan_copy(struct vmm_vm *vm, const struct image_plan *plan, struct vmm_image *image)
{
	image->first = UINT64_MAX;
	image->last = 0;
	for (unsigned i = 0; i < plan->count; i++) {
		const struct image_part *part = &plan->parts[i];
		uint8_t *host = vmm_vm_host(vm, part->address, part->bytes);

		if (part->file_bytes > 0)
			memcpy(host, part->data, part->file_bytes);
		memset(host + part->file_bytes, 0, part->bytes - part->file_bytes);
		if (part->address < image->first)
			image->first = part->address;
		if (last_of(part) > image->last)
			image->last = last_of(part);
	}
}

enum vmm_status image_plan_load(
	struct vmm_vm *vm, const struct image_plan *plan, struct vmm_image *image)
{
	struct vmm_image found;
	enum vmm_status status = image_plan_check(vm, plan, &found);

	if (status != VMM_OK)
		return status;
	image_plan_copy(vm, plan, &found);
	*image = found;
	return VMM_OK;
}

/* The first byte behind whatever [at, at + bytes) would lie on, or `at` if that is nothing. */
static uint64_t behind_obstacle(
	const struct vmm_vm *vm, const struct image_plan *plan, uint64_t at, uint64_t bytes)
{
	struct kept_area areas[KEPT_AREAS_MAX];
	unsigned count = kept_areas(vm, plan, areas);

	for (unsigned i = 0; i < count; i++)
		if (at <= areas[i].last && at + bytes > areas[i].first)
			return areas[i].last + 1;
	for (unsigned i = 0; i < plan->count; i++)
		if (at <= last_of(&plan->parts[i]) && at + bytes > plan->parts[i].address)
			return last_of(&plan->parts[i]) + 1;
	return at;
}

static uint64_t page_up(uint64_t address)
{
	return (address + VMM_PAGE_BYTES - 1) & ~(VMM_PAGE_BYTES - 1);
}

bool image_plan_room(const struct vmm_vm *vm, const struct image_plan *plan, uint64_t first,
	uint64_t bytes, uint64_t *address)
{
	uint64_t end = vm->windows[0].size;
	uint64_t at = page_up(first);

	if (plan->count == IMAGE_PARTS_MAX)
		return false;
	while (at < end && bytes <= end - at) {
		uint64_t behind = behind_obstacle(vm, plan, at, bytes);

		if (behind == at) {
			*address = at;
			return true;
		}
		at = page_up(behind);
	}
	return false;
}

void image_plan_add(struct image_plan *plan, const uint8_t *data, uint64_t bytes, uint64_t address)
{
	plan->parts[plan->count++] = (struct image_part){
		.data = data,
		.file_bytes = bytes,
		.address = address,
		.virtual_address = address,
		.bytes = bytes,
	};
}
