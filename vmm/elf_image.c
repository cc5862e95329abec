/* SPDX-License-Identifier: MIT */
/* Reads the program headers of an ELF file. */
#include "elf_image.h"

#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>

#include "error.h"

static enum vmm_status bad(struct vmm_error *error, const char *why)
{
	return vmm_error_set(error, VMM_BAD_IMAGE, "%s", why);
}

static enum vmm_status check_header(
	struct vmm_error *error, const GElf_Ehdr *header, struct image_plan *plan)
{
	unsigned width = header->e_ident[EI_CLASS];

	if (header->e_ident[EI_DATA] != ELFDATA2LSB)
		return bad(error, "the ELF image is big-endian, x86 is not");
	if (header->e_machine == EM_X86_64 && width == ELFCLASS64)
		plan->mode = VMM_MODE_LONG;
	else if (header->e_machine == EM_386 && width == ELFCLASS32)
		plan->mode = VMM_MODE_PROTECTED;
	else
		return vmm_error_set(error, VMM_BAD_IMAGE,
			"the ELF image is for another machine (ELF machine %u, %u-bit): x86-64 or "
			"i386 is needed",
			header->e_machine, width == ELFCLASS64 ? 64 : 32);
	if (header->e_type != ET_EXEC)
		return bad(error, "the ELF image is not a static executable at fixed addresses");
	plan->entry = header->e_entry;
	return VMM_OK;
}

static enum vmm_status add_segment(struct vmm_error *error, const GElf_Phdr *segment,
	const uint8_t *bytes, size_t size, struct image_plan *plan)
{
	if (segment->p_filesz > segment->p_memsz)
		return vmm_error_set(error, VMM_BAD_IMAGE,
			"the ELF segment at %#" PRIx64 " is larger in the file than in memory",
			segment->p_paddr);
	if (segment->p_offset > size || segment->p_filesz > size - segment->p_offset)
		return vmm_error_set(error, VMM_BAD_IMAGE,
			"the ELF image is truncated: the segment at %#" PRIx64
			" ends behind the file's %zu bytes",
			segment->p_paddr, size);
	if (plan->count == VMM_IMAGE_SEGMENTS_MAX)
		return vmm_error_set(error, VMM_BAD_IMAGE,
			"the ELF image has more than %d loadable segments", VMM_IMAGE_SEGMENTS_MAX);
	plan->parts[plan->count++] = (struct image_part){
		.data = bytes + segment->p_offset,
		.file_bytes = segment->p_filesz,
		.address = segment->p_paddr,
		.virtual_address = segment->p_vaddr,
		.bytes = segment->p_memsz,
	};
	return VMM_OK;
}

static enum vmm_status read_segments(struct vmm_error *error, Elf *elf, const uint8_t *bytes,
	size_t size, struct image_plan *plan)
{
	enum vmm_status status = VMM_OK;
	size_t count;

	if (elf_getphdrnum(elf, &count) < 0)
		return bad(error, "the ELF image is truncated: its program headers cannot be read");
	for (size_t i = 0; status == VMM_OK && i < count; i++) {
		GElf_Phdr segment;

		if (!gelf_getphdr(elf, (int)i, &segment))
			return bad(error,
				"the ELF image is truncated: its program headers cannot be read");
		if (segment.p_type == PT_LOAD && segment.p_memsz > 0)
			status = add_segment(error, &segment, bytes, size, plan);
	}
	if (status == VMM_OK && plan->count == 0)
		return bad(error, "the ELF image has nothing to load");
	return status;
}

static enum vmm_status plan_elf(struct vmm_error *error, Elf *elf, const uint8_t *bytes,
	size_t size, struct image_plan *plan)
{
	enum vmm_status status;
	GElf_Ehdr header;

	if (elf_kind(elf) != ELF_K_ELF)
		return bad(error, "the image is not an ELF file");
	if (!gelf_getehdr(elf, &header))
		return bad(error, "the ELF image is truncated: its header cannot be read");
	status = check_header(error, &header, plan);
	if (status != VMM_OK)
		return status;
	return read_segments(error, elf, bytes, size, plan);
}

enum vmm_status elf_image_plan(
	struct vmm_error *error, const void *bytes, size_t size, struct image_plan *plan)
{
	enum vmm_status status;
	Elf *elf;

	*plan = (struct image_plan){.count = 0};
	if (elf_version(EV_CURRENT) == EV_NONE)
		return vmm_error_set(error, VMM_UNSUPPORTED, "libelf is too old");
	/* libelf takes a pointer to non-const, and only reads. */
	elf = elf_memory((char *)(uintptr_t)bytes, size);
	if (!elf)
		return bad(error, "the image is not an ELF file");
	status = plan_elf(error, elf, bytes, size, plan);
	elf_end(elf);
	return status;
}
