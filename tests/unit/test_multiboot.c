/* SPDX-License-Identifier: MIT */
/* Multiboot headers are found and judged as the specification says. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "multiboot_kernel.h"

static void assert_refused(const struct kernel *kernel, const char *why)
{
	const struct vmm_multiboot boot = {.command_line = "kernel"};

	assert_refused_with(kernel, sizeof *kernel, &boot, VMM_BAD_IMAGE, why);
}

/* ---- The header ---- */

static bool found_at(size_t offset, size_t size)
{
	static uint8_t file[3 * 8192];
	const struct kernel kernel = make_kernel(LOAD);
	struct kernel plain = kernel;

	set_flags(&plain, 0);
	memset(file, 0, sizeof file);
	memcpy(file + offset, &plain, 12);
	return vmm_image_is_multiboot(file, size);
}

Test(multiboot, header_lies_in_the_first_8_kib_on_4_bytes)
{
	cr_expect(found_at(0, 12));
	cr_expect(not(found_at(0, 11)), "cut short");
	cr_expect(found_at(4096, 8192));
	cr_expect(found_at(8180, 8192));
	cr_expect(not(found_at(8184, 3 * 8192)), "it ends behind 8 KiB");
	cr_expect(not(found_at(8192, 3 * 8192)));
	for (size_t shift = 1; shift < 4; shift++)
		cr_expect(not(found_at(64 + shift, 8192)), "shift %zu", shift);
	cr_expect(not(vmm_image_is_multiboot("", 0)));
}

Test(multiboot, header_with_a_wrong_checksum_is_none)
{
	struct kernel kernels[2] = {make_kernel(LOAD), make_kernel(LOAD)};

	kernels[0].checksum++;
	cr_expect(not(vmm_image_is_multiboot(kernels, sizeof kernels[0])));
	cr_expect(vmm_image_is_multiboot(kernels, sizeof kernels), "the next one counts");
	assert_refused(&kernels[0], "no multiboot header");
}

Test(multiboot, demands_that_cannot_be_met_are_refused)
{
	struct kernel kernel = make_kernel(LOAD);

	set_flags(&kernel, ADDRESSES | 4);
	assert_refused(&kernel, "demands a video mode");
	set_flags(&kernel, ADDRESSES | 8);
	assert_refused(&kernel, "does not know (flags 0x8)");
	set_flags(&kernel, ADDRESSES | 0x8007);
	assert_refused(&kernel, "flags 0x8000");
}

Test(multiboot, wishes_that_are_unknown_are_ignored)
{
	struct kernel kernel = make_kernel(LOAD);
	struct fake fake = make_fake();

	set_flags(&kernel, 0xffff0003);
	cr_expect(eq(int, (int)load_kernel(&fake, &kernel, NULL, NULL, 0), VMM_OK), "%s",
		fake.vm.error.message);
	free(fake.ram);
}

/* ---- Addresses instead of a file format ---- */

Test(multiboot, addresses_say_what_is_loaded)
{
	struct kernel kernel = make_kernel(LOAD);
	struct fake fake = make_fake();

	kernel.load_end_addr = kernel.load_addr + 48;
	kernel.bss_end_addr = kernel.load_addr + 0x1000;
	kernel.entry_addr = kernel.load_addr + 40;
	cr_assert(eq(int, (int)load_kernel(&fake, &kernel, NULL, NULL, 0), VMM_OK), "%s",
		fake.vm.error.message);
	cr_expect(eq(int, fake.image.mode, VMM_MODE_PROTECTED));
	cr_expect(eq(u64, fake.image.entry, kernel.entry_addr));
	cr_expect(eq(int, memcmp(fake.ram + kernel.load_addr, &kernel, 48), 0));
	cr_expect(eq(u8, fake.ram[kernel.load_addr + 48], 0));
	cr_expect(eq(u8, fake.ram[kernel.load_addr + 0xfff], 0));
	cr_expect(eq(u8, fake.ram[kernel.load_addr + 0x1000], UNTOUCHED));
	cr_expect(eq(u8, fake.ram[kernel.load_addr - 1], UNTOUCHED));
	free(fake.ram);
}

Test(multiboot, addresses_that_contradict_each_other_are_refused)
{
	struct kernel kernel = make_kernel(LOAD);

	kernel.header_addr = LOAD - 4;
	assert_refused(&kernel, "header_addr lies before");
	kernel.header_addr = LOAD + 4;
	assert_refused(&kernel, "load_addr lies before the start of the file");
	kernel = make_kernel(LOAD);
	kernel.load_end_addr = LOAD;
	assert_refused(&kernel, "load_end_addr does not lie behind");
	kernel.load_end_addr = LOAD + sizeof kernel + 1;
	assert_refused(&kernel, "truncated");
	kernel = make_kernel(LOAD);
	kernel.bss_end_addr = LOAD + sizeof kernel - 1;
	assert_refused(&kernel, "bss_end_addr lies before");
	kernel = make_kernel(LOAD);
	kernel.entry_addr = LOAD + sizeof kernel;
	assert_refused(&kernel, "entry point");
}

Test(multiboot, kernel_goes_only_where_there_is_free_ram)
{
	struct kernel kernel = make_kernel(RAM_BYTES - 8);

	assert_refused(&kernel, "outside the guest's memory");
	kernel = make_kernel(0xfffffff0);
	assert_refused(&kernel, "outside the guest's memory");
	kernel = make_kernel(0x400);
	assert_refused(&kernel, "firmware's data area");
	kernel = make_kernel(0x9fbff);
	assert_refused(&kernel, "firmware's area");
	kernel = make_kernel(0xfffff);
	assert_refused(&kernel, "firmware's area");
	kernel = make_kernel(0x1000);
	assert_refused(&kernel, "boot area");
	kernel = make_kernel(LOAD);
	kernel.bss_end_addr = UINT32_MAX;
	assert_refused(&kernel, "outside the guest's memory");
}

/* At every length short of the whole: refused, and nothing outside the bytes is read. */
Test(multiboot, truncated_kernel_is_refused)
{
	struct kernel kernel = make_kernel(LOAD);
	const struct vmm_multiboot boot = {.command_line = ""};

	kernel.load_end_addr = LOAD + sizeof kernel;
	for (size_t size = 0; size < sizeof kernel; size++) {
		uint8_t *cut = malloc(size ? size : 1);
		struct fake fake = make_fake();

		memcpy(cut, &kernel, size);
		cr_expect(eq(int,
				  (int)vmm_image_load_multiboot(
					  &fake.vm, cut, size, &boot, &fake.image),
				  VMM_BAD_IMAGE),
			"%zu bytes", size);
		free(cut);
		free(fake.ram);
	}
}

/* ---- ELF ---- */

struct elf64 {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	uint32_t multiboot[3];
	uint8_t code[20];
};

static struct elf64 make_elf64(void)
{
	return (struct elf64){
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				   EV_CURRENT},
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = LOAD + offsetof(struct elf64, code),
			.e_phoff = offsetof(struct elf64, segment),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1},
		.segment = {.p_type = PT_LOAD,
			.p_vaddr = UINT64_C(0xffffffff80100000),
			.p_paddr = LOAD,
			.p_filesz = sizeof(struct elf64),
			.p_memsz = 0x1000},
		.multiboot = {MAGIC, 3, 0u - (MAGIC + 3)},
	};
}

Test(multiboot, elf64_kernel_starts_in_protected_mode)
{
	const struct vmm_multiboot boot = {.command_line = "kernel"};
	struct elf64 elf = make_elf64();
	struct fake fake = make_fake();

	cr_assert(eq(int,
			  (int)vmm_image_load_multiboot(
				  &fake.vm, &elf, sizeof elf, &boot, &fake.image),
			  VMM_OK),
		"%s", fake.vm.error.message);
	cr_expect(eq(int, fake.image.mode, VMM_MODE_PROTECTED));
	cr_expect(eq(u64, fake.image.entry, LOAD + offsetof(struct elf64, code)));
	cr_expect(ne(u64, fake.image.multiboot_info, 0));
	free(fake.ram);
}

Test(multiboot, damaged_elf_is_refused)
{
	const struct vmm_multiboot boot = {.command_line = "kernel"};
	struct elf64 elf = make_elf64();

	elf.segment.p_filesz = sizeof elf + 1;
	assert_refused_with(&elf, sizeof elf, &boot, VMM_BAD_IMAGE, "truncated");
	elf = make_elf64();
	elf.header.e_machine = EM_AARCH64;
	assert_refused_with(&elf, sizeof elf, &boot, VMM_BAD_IMAGE, "another machine");
	elf = make_elf64();
	elf.header.e_ident[EI_MAG0] = 0;
	assert_refused_with(&elf, sizeof elf, &boot, VMM_BAD_IMAGE, "not an ELF file");
}
