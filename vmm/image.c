/* SPDX-License-Identifier: MIT */
/* Loads a guest image from a file or from memory. */
#include <pagewalk_vmm/image.h>

#include <stdlib.h>

#include "elf_image.h"
#include "error.h"
#include "file.h"

enum vmm_status vmm_image_load_elf_bytes(
	struct vmm_vm *vm, const void *bytes, size_t size, struct vmm_image *image)
{
	struct image_plan plan;
	enum vmm_status status = elf_image_plan(&vm->error, bytes, size, &plan);

	if (status != VMM_OK)
		return status;
	return image_plan_load(vm, &plan, image);
}

enum vmm_status vmm_image_load_bytes(struct vmm_vm *vm, const void *bytes, size_t size,
	uint64_t address, enum vmm_mode mode, struct vmm_image *image)
{
	struct image_plan plan = {
		.mode = mode,
		.entry = address,
		.count = 1,
		.parts[0] = {.data = bytes,
			.file_bytes = size,
			.address = address,
			.virtual_address = address,
			.bytes = size},
	};

	if (size == 0)
		return vmm_error_set(&vm->error, VMM_BAD_IMAGE, "the image is empty");
	return image_plan_load(vm, &plan, image);
}

enum vmm_status vmm_image_load_elf(struct vmm_vm *vm, const char *path, struct vmm_image *image)
{
	uint8_t *bytes;
	size_t size;
	enum vmm_status status = file_read(&vm->error, path, &bytes, &size);

	if (status != VMM_OK)
		return status;
	status = vmm_image_load_elf_bytes(vm, bytes, size, image);
	free(bytes);
	return status;
}

enum vmm_status vmm_image_load_flat(struct vmm_vm *vm, const char *path, uint64_t address,
	enum vmm_mode mode, struct vmm_image *image)
{
	uint8_t *bytes;
	size_t size;
	enum vmm_status status = file_read(&vm->error, path, &bytes, &size);

	if (status != VMM_OK)
		return status;
	status = vmm_image_load_bytes(vm, bytes, size, address, mode, image);
	free(bytes);
	return status;
}
