/* SPDX-License-Identifier: MIT */
/* Multiboot headers are found and judged as the specification says; what is loaded lies apart. */
#include <elf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pagewalk_vmm/multiboot.h>

#define RAM_BYTES 0x200000u
#define UNTOUCHED 0xa5
#define MAGIC     0x1badb002u
#define ADDRESSES 0x10000u /* the flag */
#define LOAD      0x100000u

/* A VM without KVM: loading needs nothing but RAM. */
struct fake {
	struct vmm_vm vm;
	uint8_t *ram;
	struct vmm_image image;
};

static struct fake make_fake(void)
{
	struct fake fake = {.ram = malloc(RAM_BYTES)};

	cr_assert(ne(ptr, fake.ram, NULL));
	memset(fake.ram, UNTOUCHED, RAM_BYTES);
	fake.vm.memory_bytes = RAM_BYTES;
	fake.vm.windows[0] = (struct pw_window){.size = RAM_BYTES, .host = fake.ram};
	fake.vm.window_count = 1;
	return fake;
}

/* A kernel without a file format; each test breaks one thing. */
struct kernel {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
	uint8_t code[64];
};

static struct kernel make_kernel(uint32_t address)
{
	struct kernel kernel = {.magic = MAGIC,
		.flags = ADDRESSES,
		.checksum = 0u - (MAGIC + ADDRESSES),
		.header_addr = address,
		.load_addr = address,
		.entry_addr = address + offsetof(struct kernel, code)};

	memset(kernel.code, 0x90, sizeof kernel.code);
	return kernel;
}

static void set_flags(struct kernel *kernel, uint32_t flags)
{
	kernel->flags = flags;
	kernel->checksum = 0u - (MAGIC + flags);
}

static enum vmm_status load(struct fake *fake, const struct kernel *kernel,
	const char *command_line, const struct vmm_module *modules, unsigned count)
{
	const struct vmm_multiboot boot = {
		.command_line = command_line, .modules = modules, .module_count = count};

	return vmm_image_load_multiboot(&fake->vm, kernel, sizeof *kernel, &boot, &fake->image);
}

static void assert_refused_with(const void *bytes, size_t size, const struct vmm_multiboot *boot,
	enum vmm_status wanted, const char *why)
{
	struct fake fake = make_fake();

	cr_expect(eq(int, (int)vmm_image_load_multiboot(&fake.vm, bytes, size, boot, &fake.image),
			  (int)wanted),
		"%s", why);
	cr_expect(strstr(fake.vm.error.message, why) != NULL, "\"%s\" does not say \"%s\"",
		fake.vm.error.message, why);
	cr_expect(eq(u64, fake.image.last, 0));
	for (size_t i = 0; i < RAM_BYTES; i++)
		cr_assert(fake.ram[i] == UNTOUCHED, "%s: RAM changed at %#zx", why, i);
	free(fake.ram);
}

static void assert_refused(const struct kernel *kernel, const char *why)
{
	const struct vmm_multiboot boot = {.command_line = "kernel"};

	assert_refused_with(kernel, sizeof *kernel, &boot, VMM_BAD_IMAGE, why);
}

static uint32_t read32(const struct fake *fake, uint64_t gpa)
{
	uint32_t value = 0;

	cr_assert(vmm_vm_read(&fake->vm, gpa, &value, sizeof value), "%#lx", (unsigned long)gpa);
	return value;
}

static const char *text_at(const struct fake *fake, uint64_t gpa)
{
	cr_assert(lt(u64, gpa, RAM_BYTES));
	return (const char *)fake->ram + gpa;
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
	cr_expect(eq(int, (int)load(&fake, &kernel, NULL, NULL, 0), VMM_OK), "%s",
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
	cr_assert(eq(int, (int)load(&fake, &kernel, NULL, NULL, 0), VMM_OK), "%s",
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

/* ---- Modules and the information ---- */

Test(multiboot, information_tells_memory_texts_and_modules)
{
	const struct kernel kernel = make_kernel(LOAD);
	const struct vmm_module modules[] = {
		{.bytes = "first", .size = 5, .text = "one a b"},
		{.bytes = NULL, .size = 0, .text = NULL},
		{.bytes = "third", .size = 5, .text = "three"},
	};
	struct fake fake = make_fake();
	uint64_t info;
	uint32_t list;

	cr_assert(eq(int, (int)load(&fake, &kernel, "kernel x=y", modules, 3), VMM_OK), "%s",
		fake.vm.error.message);
	info = fake.image.multiboot_info;
	cr_expect(eq(u64, info, 0x9000));
	cr_expect(eq(u32, read32(&fake, info), 1u | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9));
	cr_expect(eq(u32, read32(&fake, info + 4), 639));
	cr_expect(eq(u32, read32(&fake, info + 8), 1024));
	cr_expect(eq(int, strcmp(text_at(&fake, read32(&fake, info + 16)), "kernel x=y"), 0));
	cr_expect(eq(int, strcmp(text_at(&fake, read32(&fake, info + 64)), "pagewalk"), 0));
	cr_expect(eq(u32, read32(&fake, info + 20), 3));
	list = read32(&fake, info + 24);
	cr_expect(eq(u32, read32(&fake, list), 0x101000));
	cr_expect(eq(u32, read32(&fake, list + 4), 0x101005));
	cr_expect(eq(int, memcmp(fake.ram + 0x101000, "first", 5), 0));
	cr_expect(eq(int, strcmp(text_at(&fake, read32(&fake, list + 8)), "one a b"), 0));
	cr_expect(eq(u32, read32(&fake, list + 16), read32(&fake, list + 20)), "empty");
	cr_expect(eq(u8, (uint8_t)*text_at(&fake, read32(&fake, list + 24)), 0));
	cr_expect(eq(u32, read32(&fake, list + 32), 0x102000));
	cr_expect(eq(int, memcmp(fake.ram + 0x102000, "third", 5), 0));
	free(fake.ram);
}

Test(multiboot, memory_map_is_a_list_of_sized_entries)
{
	const struct kernel kernel = make_kernel(LOAD);
	struct fake fake = make_fake();
	uint64_t info;
	uint32_t at, end;

	cr_assert(eq(int, (int)load(&fake, &kernel, NULL, NULL, 0), VMM_OK));
	info = fake.image.multiboot_info;
	at = read32(&fake, info + 48);
	end = at + read32(&fake, info + 44);
	cr_expect(eq(u32, read32(&fake, at + 4), 0));
	cr_expect(eq(u32, read32(&fake, at + 12), 0x9fc00));
	for (; at < end; at += 4 + read32(&fake, at))
		cr_assert(eq(u32, read32(&fake, at), 20));
	cr_expect(eq(u32, at, end));
	cr_expect(eq(u8, (uint8_t)*text_at(&fake, read32(&fake, info + 16)), 0), "no command line");
	free(fake.ram);
}

Test(multiboot, information_fits_before_a_low_kernel)
{
	const struct kernel kernel = make_kernel(0x9ff0);
	struct fake fake = make_fake();

	cr_assert(eq(int, (int)load(&fake, &kernel, "", NULL, 0), VMM_OK), "%s",
		fake.vm.error.message);
	cr_expect(eq(u64, fake.image.multiboot_info, 0x9000));
	free(fake.ram);
}

Test(multiboot, long_texts_go_where_there_is_room)
{
	static char text[0x1000];
	const struct kernel kernel = make_kernel(0xa000);
	struct fake fake = make_fake();

	memset(text, 'x', sizeof text - 1);
	cr_assert(eq(int, (int)load(&fake, &kernel, text, NULL, 0), VMM_OK), "%s",
		fake.vm.error.message);
	cr_expect(eq(u64, fake.image.multiboot_info, 0xb000), "behind the kernel's page");
	cr_expect(eq(int,
		strcmp(text_at(&fake, read32(&fake, fake.image.multiboot_info + 16)), text), 0));
	free(fake.ram);
}

Test(multiboot, modules_go_before_the_kernel_if_they_must)
{
	static uint8_t bytes[0x80000];
	const struct kernel kernel = make_kernel(RAM_BYTES - 0x1000);
	const struct vmm_module module = {.bytes = bytes, .size = sizeof bytes, .text = "m"};
	struct fake fake = make_fake();

	cr_assert(eq(int, (int)load(&fake, &kernel, "", &module, 1), VMM_OK), "%s",
		fake.vm.error.message);
	cr_expect(eq(u32, read32(&fake, read32(&fake, fake.image.multiboot_info + 24)), 0x100000));
	free(fake.ram);
}

Test(multiboot, what_finds_no_room_is_refused)
{
	static uint8_t bytes[RAM_BYTES];
	const struct kernel kernel = make_kernel(LOAD);
	const struct vmm_module fits = {.bytes = bytes, .size = 0x80000, .text = "fits"};
	const struct vmm_module modules[] = {
		fits, {.bytes = bytes, .size = 0x80000, .text = "big"}};
	struct vmm_multiboot boot = {.modules = modules, .module_count = 2};
	char *text = malloc(RAM_BYTES);

	assert_refused_with(&kernel, sizeof kernel, &boot, VMM_BAD_IMAGE, "'big' of 524288 bytes");
	cr_assert(ne(ptr, text, NULL));
	memset(text, 'x', RAM_BYTES - 1);
	text[RAM_BYTES - 1] = '\0';
	boot = (struct vmm_multiboot){.command_line = text};
	assert_refused_with(&kernel, sizeof kernel, &boot, VMM_BAD_IMAGE, "command lines");
	boot.module_count = VMM_MODULES_MAX + 1;
	assert_refused_with(&kernel, sizeof kernel, &boot, VMM_INVALID, "33 modules");
	free(text);
}
