/* SPDX-License-Identifier: MIT */
/* A multiboot kernel to be broken. */
#include "multiboot_kernel.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

struct fake make_fake(void)
{
	struct fake fake = {.ram = malloc(RAM_BYTES)};

	cr_assert(ne(ptr, fake.ram, NULL));
	memset(fake.ram, UNTOUCHED, RAM_BYTES);
	fake.vm.memory_bytes = RAM_BYTES;
	fake.vm.windows[0] = (struct pw_window){.size = RAM_BYTES, .host = fake.ram};
	fake.vm.window_count = 1;
	return fake;
}

struct kernel make_kernel(uint32_t address)
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

void set_flags(struct kernel *kernel, uint32_t flags)
{
	kernel->flags = flags;
	kernel->checksum = 0u - (MAGIC + flags);
}

enum vmm_status load_kernel(struct fake *fake, const struct kernel *kernel,
	const char *command_line, const struct vmm_module *modules, unsigned count)
{
	const struct vmm_multiboot boot = {
		.command_line = command_line, .modules = modules, .module_count = count};

	return vmm_image_load_multiboot(&fake->vm, kernel, sizeof *kernel, &boot, &fake->image);
}

void assert_refused_with(const void *bytes, size_t size, const struct vmm_multiboot *boot,
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
