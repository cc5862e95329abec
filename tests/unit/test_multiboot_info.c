/* SPDX-License-Identifier: MIT */
/* What a multiboot kernel is told is true, and modules, texts and kernel lie apart. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "multiboot_kernel.h"

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

Test(multiboot_info, information_tells_memory_texts_and_modules)
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

	cr_assert(eq(int, (int)load_kernel(&fake, &kernel, "kernel x=y", modules, 3), VMM_OK), "%s",
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

Test(multiboot_info, memory_map_is_a_list_of_sized_entries)
{
	const struct kernel kernel = make_kernel(LOAD);
	struct fake fake = make_fake();
	uint64_t info;
	uint32_t at, end;

	cr_assert(eq(int, (int)load_kernel(&fake, &kernel, NULL, NULL, 0), VMM_OK));
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

Test(multiboot_info, information_fits_before_a_low_kernel)
{
	const struct kernel kernel = make_kernel(0x9ff0);
	struct fake fake = make_fake();

	cr_assert(eq(int, (int)load_kernel(&fake, &kernel, "", NULL, 0), VMM_OK), "%s",
		fake.vm.error.message);
	cr_expect(eq(u64, fake.image.multiboot_info, 0x9000));
	free(fake.ram);
}

Test(multiboot_info, long_texts_go_where_there_is_room)
{
	static char text[0x1000];
	const struct kernel kernel = make_kernel(0xa000);
	struct fake fake = make_fake();

	memset(text, 'x', sizeof text - 1);
	cr_assert(eq(int, (int)load_kernel(&fake, &kernel, text, NULL, 0), VMM_OK), "%s",
		fake.vm.error.message);
	cr_expect(eq(u64, fake.image.multiboot_info, 0xb000), "behind the kernel's page");
	cr_expect(eq(int,
		strcmp(text_at(&fake, read32(&fake, fake.image.multiboot_info + 16)), text), 0));
	free(fake.ram);
}

Test(multiboot_info, modules_go_before_the_kernel_if_they_must)
{
	static uint8_t bytes[0x80000];
	const struct kernel kernel = make_kernel(RAM_BYTES - 0x1000);
	const struct vmm_module module = {.bytes = bytes, .size = sizeof bytes, .text = "m"};
	struct fake fake = make_fake();

	cr_assert(eq(int, (int)load_kernel(&fake, &kernel, "", &module, 1), VMM_OK), "%s",
		fake.vm.error.message);
	cr_expect(eq(u32, read32(&fake, read32(&fake, fake.image.multiboot_info + 24)), 0x100000));
	free(fake.ram);
}

Test(multiboot_info, what_finds_no_room_is_refused)
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
