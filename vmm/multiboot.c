/* SPDX-License-Identifier: MIT */
/* Loads a multiboot image with its modules, and tells it what section 3.3 has a boot loader tell.
 */
#include <pagewalk_vmm/multiboot.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "firmware.h"
#include "multiboot_header.h"
#include "table.h"

#define BOOT_MAGIC  UINT32_C(0x2badb002)
#define LOADER_NAME "pagewalk"

/* Low memory, as other boot loaders have it, but above the boot area and what APs start in. */
#define INFO_GPA UINT64_C(0x9000)
#define MIB_1    UINT64_C(0x100000)

/* Section 3.3. */
#define INFO_BYTES      116
#define INFO_FLAGS      (1u | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9)
#define INFO_MEM_LOWER  4
#define INFO_MEM_UPPER  8
#define INFO_CMDLINE    16
#define INFO_MODS_COUNT 20
#define INFO_MODS_ADDR  24
#define INFO_MMAP_BYTES 44
#define INFO_MMAP_ADDR  48
#define INFO_LOADER     64
#define MMAP_BYTES      24 /* with the size field, which does not count itself */
#define MODULE_BYTES    16

/* Everything that is being put together. */
struct loading {
	struct vmm_vm *vm;
	const struct vmm_multiboot *boot;
	struct image_plan plan;
	uint64_t module_gpa[VMM_MODULES_MAX];
	struct table info;
	uint64_t info_gpa;
};

bool vmm_image_is_multiboot(const void *bytes, size_t size)
{
	struct multiboot_header header;

	return multiboot_find(bytes, size, &header);
}

static const char *text_of(const char *text)
{
	return text ? text : "";
}

/* ---- Modules ---- */

static uint64_t end_of_kernel(const struct image_plan *plan)
{
	uint64_t end = MIB_1;

	for (unsigned i = 0; i < plan->count; i++)
		if (plan->parts[i].address + plan->parts[i].bytes > end)
			end = plan->parts[i].address + plan->parts[i].bytes;
	return end;
}

/* Behind the kernel, where programs that trust their boot loader too much expect them. */
static enum vmm_status place_modules(struct loading *loading)
{
	uint64_t end = end_of_kernel(&loading->plan);

	for (unsigned i = 0; i < loading->boot->module_count; i++) {
		const struct vmm_module *module = &loading->boot->modules[i];
		uint64_t bytes = module->size > 0 ? module->size : 1;
		uint64_t *gpa = &loading->module_gpa[i];

		if (!image_plan_room(loading->vm, &loading->plan, end, bytes, gpa) &&
			!image_plan_room(loading->vm, &loading->plan, MIB_1, bytes, gpa))
			return vmm_error_set(&loading->vm->error, VMM_BAD_IMAGE,
				"the module '%s' of %zu bytes finds no room in the guest's memory "
				"of %" PRIu64 " bytes",
				text_of(module->text), module->size, loading->vm->memory_bytes);
		if (module->size > 0)
			image_plan_add(&loading->plan, module->bytes, module->size, *gpa);
	}
	return VMM_OK;
}

/* ---- The information ---- */

static size_t info_room(const struct vmm_multiboot *boot)
{
	size_t bytes = INFO_BYTES + FIRMWARE_RANGES_MAX * MMAP_BYTES + sizeof LOADER_NAME +
		       strlen(text_of(boot->command_line)) + 1;

	for (unsigned i = 0; i < boot->module_count; i++)
		bytes += MODULE_BYTES + strlen(text_of(boot->modules[i].text)) + 1;
	return bytes;
}

static uint64_t here(const struct loading *loading)
{
	return loading->info_gpa + loading->info.used;
}

static void put_memory_map(struct loading *loading)
{
	struct firmware_range ranges[FIRMWARE_RANGES_MAX];
	unsigned count = firmware_memory_map(loading->vm, ranges);
	struct table *info = &loading->info;

	table_patch(info, INFO_MEM_LOWER, ranges[0].bytes >> 10, 4);
	table_patch(info, INFO_MEM_UPPER, (loading->vm->windows[0].size - MIB_1) >> 10, 4);
	table_patch(info, INFO_MMAP_BYTES, (uint64_t)count * MMAP_BYTES, 4);
	table_patch(info, INFO_MMAP_ADDR, here(loading), 4);
	for (unsigned i = 0; i < count; i++) {
		table_put(info, MMAP_BYTES - 4, 4);
		table_put(info, ranges[i].first, 8);
		table_put(info, ranges[i].bytes, 8);
		table_put(info, ranges[i].type, 4);
	}
}

static void put_string(struct loading *loading, uint32_t field, const char *text)
{
	table_patch(&loading->info, field, here(loading), 4);
	table_text(&loading->info, text, (uint32_t)strlen(text) + 1);
}

static void put_modules(struct loading *loading)
{
	const struct vmm_multiboot *boot = loading->boot;
	struct table *info = &loading->info;
	uint32_t list = info->used;

	table_patch(info, INFO_MODS_COUNT, boot->module_count, 4);
	table_patch(info, INFO_MODS_ADDR, here(loading), 4);
	for (unsigned i = 0; i < boot->module_count; i++) {
		table_put(info, loading->module_gpa[i], 4);
		table_put(info, loading->module_gpa[i] + boot->modules[i].size, 4);
		table_put(info, 0, 8);
	}
	for (unsigned i = 0; i < boot->module_count; i++)
		put_string(loading, list + i * MODULE_BYTES + 8, text_of(boot->modules[i].text));
}

static void put_info(struct loading *loading)
{
	table_patch(&loading->info, 0, INFO_FLAGS, 4);
	loading->info.used = INFO_BYTES;
	put_memory_map(loading);
	put_modules(loading);
	put_string(loading, INFO_CMDLINE, text_of(loading->boot->command_line));
	put_string(loading, INFO_LOADER, LOADER_NAME);
}

/* Plans the information, in memory that the caller frees. */
static enum vmm_status plan_info(struct loading *loading)
{
	size_t bytes = info_room(loading->boot);
	uint64_t *gpa = &loading->info_gpa;

	if (!image_plan_room(loading->vm, &loading->plan, INFO_GPA, bytes, gpa))
		return vmm_error_set(&loading->vm->error, VMM_BAD_IMAGE,
			"the command lines find no room in the guest's memory of %" PRIu64 " bytes",
			loading->vm->memory_bytes);
	loading->info.bytes = calloc(1, bytes);
	if (!loading->info.bytes)
		return vmm_error_set(&loading->vm->error, VMM_NO_MEMORY,
			"no memory for the command lines of the guest");
	put_info(loading);
	image_plan_add(&loading->plan, loading->info.bytes, loading->info.used, *gpa);
	return VMM_OK;
}

/* ---- */

static enum vmm_status load(struct loading *loading, const void *bytes, size_t size,
	const struct multiboot_header *header, struct vmm_image *image)
{
	struct vmm_vm *vm = loading->vm;
	struct vmm_image found;
	enum vmm_status status = multiboot_plan(&vm->error, bytes, size, header, &loading->plan);

	if (status == VMM_OK)
		status = image_plan_check(vm, &loading->plan, &found);
	if (status == VMM_OK)
		status = place_modules(loading);
	if (status == VMM_OK)
		status = plan_info(loading);
	if (status != VMM_OK)
		return status;
	found.multiboot_info = loading->info_gpa;
	image_plan_copy(vm, &loading->plan, &found);
	*image = found;
	return VMM_OK;
}

enum vmm_status vmm_image_load_multiboot(struct vmm_vm *vm, const void *bytes, size_t size,
	const struct vmm_multiboot *boot, struct vmm_image *image)
{
	struct loading loading = {.vm = vm, .boot = boot};
	struct multiboot_header header;
	enum vmm_status status;

	if (!multiboot_find(bytes, size, &header))
		return vmm_error_set(&vm->error, VMM_BAD_IMAGE,
			"the image has no multiboot header in its first 8 KiB");
	if (boot->module_count > VMM_MODULES_MAX)
		return vmm_error_set(&vm->error, VMM_INVALID,
			"%u modules are more than a guest can have (%d)", boot->module_count,
			VMM_MODULES_MAX);
	status = load(&loading, bytes, size, &header, image);
	free(loading.info.bytes);
	return status;
}

enum vmm_status vmm_vcpu_boot_multiboot(struct vmm_vcpu *vcpu, const struct vmm_image *image)
{
	enum vmm_status status = vmm_vcpu_boot(vcpu, VMM_MODE_PROTECTED, image->entry);
	struct kvm_regs regs;

	if (status == VMM_OK)
		status = vmm_vcpu_get_regs(vcpu, &regs);
	if (status != VMM_OK)
		return status;
	regs.rax = BOOT_MAGIC;
	regs.rbx = image->multiboot_info;
	return vmm_vcpu_set_regs(vcpu, &regs);
}
