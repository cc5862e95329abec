/* SPDX-License-Identifier: MIT */
/* The Multiboot header, and what it says is to be loaded. Section numbers are those of 0.6.96. */
#include "multiboot_header.h"

#include <inttypes.h>

#include "elf_image.h"
#include "error.h"

#define HEADER_MAGIC  UINT32_C(0x1badb002)
#define SEARCH_BYTES  8192 /* section 3.1: the whole header lies within */
#define HEADER_BYTES  12
#define ADDRESS_BYTES 20 /* more, with the address fields */

/* Section 3.1.2: bits 0 to 15 are demands, and one who cannot meet them must refuse. */
#define FLAG_PAGE_ALIGN UINT32_C(1) /* modules start on pages: here they always do */
#define FLAG_MEMORY     UINT32_C(2) /* say where there is RAM: always said */
#define FLAG_VIDEO      UINT32_C(4)
#define DEMANDS         UINT32_C(0xffff)

static uint32_t read32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

static bool is_header(const uint8_t *bytes, size_t room)
{
	uint32_t flags;

	if (room < HEADER_BYTES || read32(bytes) != HEADER_MAGIC)
		return false;
	flags = read32(bytes + 4);
	if ((uint32_t)(HEADER_MAGIC + flags + read32(bytes + 8)) != 0)
		return false;
	return !(flags & MULTIBOOT_HAS_ADDRESSES) || room >= HEADER_BYTES + ADDRESS_BYTES;
}

bool multiboot_find(const uint8_t *bytes, size_t size, struct multiboot_header *header)
{
	size_t room = size < SEARCH_BYTES ? size : SEARCH_BYTES;

	for (size_t at = 0; at < room; at += 4) {
		const uint8_t *fields = bytes + at + HEADER_BYTES;

		if (!is_header(bytes + at, room - at))
			continue;
		*header = (struct multiboot_header){
			.offset = (uint32_t)at, .flags = read32(bytes + at + 4)};
		if (!(header->flags & MULTIBOOT_HAS_ADDRESSES))
			return true;
		header->header_address = read32(fields);
		header->load_address = read32(fields + 4);
		header->load_end_address = read32(fields + 8);
		header->bss_end_address = read32(fields + 12);
		header->entry_address = read32(fields + 16);
		return true;
	}
	return false;
}

static enum vmm_status check_demands(struct vmm_error *error, const struct multiboot_header *header)
{
	uint32_t unknown = header->flags & DEMANDS & ~(FLAG_PAGE_ALIGN | FLAG_MEMORY | FLAG_VIDEO);

	if (unknown)
		return vmm_error_set(error, VMM_BAD_IMAGE,
			"the multiboot header demands something that this VMM does not know "
			"(flags %#" PRIx32 ")",
			unknown);
	if (header->flags & FLAG_VIDEO)
		return vmm_error_set(error, VMM_BAD_IMAGE,
			"the multiboot header demands a video mode, and this machine has no video");
	return VMM_OK;
}

static enum vmm_status bad_addresses(struct vmm_error *error, const char *why)
{
	return vmm_error_set(error, VMM_BAD_IMAGE, "the multiboot header's %s", why);
}

/* Section 3.1.3: the file from some offset on goes to one range of memory, with zeroes behind. */
static enum vmm_status plan_by_addresses(struct vmm_error *error, const uint8_t *bytes, size_t size,
	const struct multiboot_header *header, struct image_plan *plan)
{
	uint32_t before = header->header_address - header->load_address;
	uint64_t offset, file_bytes, end;

	if (header->header_address < header->load_address)
		return bad_addresses(error, "header_addr lies before its load_addr");
	if (before > header->offset)
		return bad_addresses(error, "load_addr lies before the start of the file");
	offset = header->offset - before;
	file_bytes = size - offset;
	if (header->load_end_address != 0) {
		if (header->load_end_address <= header->load_address)
			return bad_addresses(
				error, "load_end_addr does not lie behind its load_addr");
		file_bytes = header->load_end_address - header->load_address;
	}
	if (file_bytes > size - offset)
		return vmm_error_set(error, VMM_BAD_IMAGE,
			"the multiboot image is truncated: it loads %" PRIu64
			" bytes from %#" PRIx64 " on, and the file has %zu",
			file_bytes, offset, size);
	end = header->load_address + file_bytes;
	if (header->bss_end_address != 0 && header->bss_end_address < end)
		return bad_addresses(error, "bss_end_addr lies before the end of what is loaded");
	if (header->bss_end_address != 0)
		end = header->bss_end_address;
	plan->entry = header->entry_address;
	plan->count = 1;
	plan->parts[0] = (struct image_part){
		.data = bytes + offset,
		.file_bytes = file_bytes,
		.address = header->load_address,
		.virtual_address = header->load_address,
		.bytes = end - header->load_address,
	};
	return VMM_OK;
}

enum vmm_status multiboot_plan(struct vmm_error *error, const uint8_t *bytes, size_t size,
	const struct multiboot_header *header, struct image_plan *plan)
{
	enum vmm_status status = check_demands(error, header);

	*plan = (struct image_plan){.count = 0};
	if (status != VMM_OK)
		return status;
	if (header->flags & MULTIBOOT_HAS_ADDRESSES)
		status = plan_by_addresses(error, bytes, size, header, plan);
	else
		status = elf_image_plan(error, bytes, size, plan);
	plan->mode = VMM_MODE_PROTECTED;
	plan->pc = true;
	return status;
}
