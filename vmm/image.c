/* SPDX-License-Identifier: MIT */
/* Loads a guest image: checks the whole plan against RAM, then copies, which cannot fail. */
#define _POSIX_C_SOURCE 200809L
#include <pagewalk_vmm/image.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_image.h"
#include "error.h"

static uint64_t last_of(const struct image_part *part)
{
	return part->address + part->bytes - 1;
}

static bool overlaps_boot_area(const struct image_part *part, enum vmm_mode mode)
{
	uint64_t last = mode == VMM_MODE_LONG ? VMM_BOOT_LAST_LONG : VMM_BOOT_LAST_PROTECTED;

	return mode != VMM_MODE_REAL && part->address <= last && last_of(part) >= VMM_BOOT_FIRST;
}

static enum vmm_status check_part(struct vmm_vm *vm, const struct image_plan *plan, unsigned index)
{
	const struct image_part *part = &plan->parts[index];

	if (!vmm_vm_host(vm, part->address, part->bytes))
		return vmm_error_set(&vm->error, VMM_BAD_IMAGE,
			"the image's %" PRIu64 " bytes at %#" PRIx64
			" lie outside the guest's memory of %" PRIu64 " bytes",
			part->bytes, part->address, vm->memory_bytes);
	if (overlaps_boot_area(part, plan->mode))
		return vmm_error_set(&vm->error, VMM_BAD_IMAGE,
			"the image's %" PRIu64 " bytes at %#" PRIx64
			" overlap the boot area from %#" PRIx64 " on",
			part->bytes, part->address, VMM_BOOT_FIRST);
	for (unsigned i = 0; i < index; i++) {
		const struct image_part *other = &plan->parts[i];

		if (part->address <= last_of(other) && last_of(part) >= other->address)
			return vmm_error_set(&vm->error, VMM_BAD_IMAGE,
				"the image's segments at %#" PRIx64 " and %#" PRIx64 " overlap",
				other->address, part->address);
	}
	return VMM_OK;
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

static void copy_parts(struct vmm_vm *vm, const struct image_plan *plan, struct vmm_image *image)
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

static enum vmm_status load_plan(
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
	image->mode = plan->mode;
	image->entry = entry;
	copy_parts(vm, plan, image);
	return VMM_OK;
}

enum vmm_status vmm_image_load_elf_bytes(
	struct vmm_vm *vm, const void *bytes, size_t size, struct vmm_image *image)
{
	struct image_plan plan;
	enum vmm_status status = elf_image_plan(&vm->error, bytes, size, &plan);

	if (status != VMM_OK)
		return status;
	return load_plan(vm, &plan, image);
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
	return load_plan(vm, &plan, image);
}

static enum vmm_status no_file(struct vmm_vm *vm, const char *path)
{
	struct vmm_error reason;

	vmm_error_system(&reason, path);
	return vmm_error_set(&vm->error, VMM_NO_FILE, "%s", reason.message);
}

static enum vmm_status read_all(
	struct vmm_vm *vm, const char *path, int fd, uint8_t *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t count = read(fd, bytes + done, size - done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return no_file(vm, path);
		if (count == 0)
			return vmm_error_set(
				&vm->error, VMM_NO_FILE, "%s: shrank while read", path);
		done += (size_t)count;
	}
	return VMM_OK;
}

/* The caller frees *bytes; it is NULL after a failure and for an empty file. */
static enum vmm_status read_open_file(
	struct vmm_vm *vm, const char *path, int fd, uint8_t **bytes, size_t *size)
{
	enum vmm_status status;
	struct stat file;

	if (fstat(fd, &file) < 0)
		return no_file(vm, path);
	if (!S_ISREG(file.st_mode))
		return vmm_error_set(&vm->error, VMM_NO_FILE, "%s: not a regular file", path);
	if (file.st_size > VMM_IMAGE_FILE_MAX)
		return vmm_error_set(&vm->error, VMM_BAD_IMAGE,
			"%s: %jd bytes are more than an image may have (1 GiB)", path,
			(intmax_t)file.st_size);
	*size = (size_t)file.st_size;
	if (*size == 0)
		return VMM_OK;
	*bytes = malloc(*size);
	if (!*bytes)
		return vmm_error_set(
			&vm->error, VMM_NO_MEMORY, "%s: no memory for its %zu bytes", path, *size);
	status = read_all(vm, path, fd, *bytes, *size);
	if (status != VMM_OK) {
		free(*bytes);
		*bytes = NULL;
	}
	return status;
}

static enum vmm_status read_file(struct vmm_vm *vm, const char *path, uint8_t **bytes, size_t *size)
{
	/* Not to hang on a FIFO that nobody writes to. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum vmm_status status;

	*bytes = NULL;
	*size = 0;
	if (fd < 0)
		return no_file(vm, path);
	status = read_open_file(vm, path, fd, bytes, size);
	close(fd);
	return status;
}

enum vmm_status vmm_image_load_elf(struct vmm_vm *vm, const char *path, struct vmm_image *image)
{
	uint8_t *bytes;
	size_t size;
	enum vmm_status status = read_file(vm, path, &bytes, &size);

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
	enum vmm_status status = read_file(vm, path, &bytes, &size);

	if (status != VMM_OK)
		return status;
	status = vmm_image_load_bytes(vm, bytes, size, address, mode, image);
	free(bytes);
	return status;
}
