/* SPDX-License-Identifier: MIT */
/* A machine that cannot be built says why, before KVM is so much as opened. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pagewalk_vmm/machine.h>

#define NO_DEVICE "/nonexistent/kvm"
#define MIB       UINT64_C(0x100000)

/* A kernel of one word of code behind its header: hlt. */
static const uint32_t kernel[] = {0x1badb002, 0x10000, 0u - (0x1badb002u + 0x10000u), 0x100000,
	0x100000, 0, 0, 0x100020, 0xf4f4f4f4};

static void assert_refused(
	const struct vmm_machine_config *config, enum vmm_status wanted, const char *why)
{
	static struct vmm_machine machine;
	struct vmm_machine_config tried = *config;

	tried.device = NO_DEVICE;
	if (tried.memory_bytes == 0)
		tried.memory_bytes = 16 * MIB;
	cr_expect(eq(int, (int)vmm_machine_create(&machine, &tried), (int)wanted), "%s: %s", why,
		machine.error.message);
	cr_expect(eq(int, (int)machine.error.status, (int)wanted));
	cr_expect(strstr(machine.error.message, why) != NULL, "\"%s\" does not say \"%s\"",
		machine.error.message, why);
	vmm_machine_destroy(&machine);
	vmm_machine_destroy(&machine);
}

static struct vmm_machine_config multiboot_config(void)
{
	return (struct vmm_machine_config){.guest_bytes = kernel, .guest_size = sizeof kernel};
}

Test(machine, good_guest_without_kvm_is_told_so)
{
	struct vmm_machine_config config = multiboot_config();

	assert_refused(&config, VMM_NO_DEVICE, NO_DEVICE);
}

Test(machine, missing_guest_and_module_are_named)
{
	const struct vmm_module_file module = {.path = "/nonexistent/module"};
	struct vmm_machine_config config = {.guest = "/nonexistent/guest"};

	assert_refused(&config, VMM_NO_FILE, "/nonexistent/guest: No such file");
	config = multiboot_config();
	config.modules = &module;
	config.module_count = 1;
	assert_refused(&config, VMM_NO_FILE, "/nonexistent/module: No such file");
}

Test(machine, boot_options_need_a_multiboot_image)
{
	const struct vmm_module_file module = {.path = "/nonexistent/module"};
	struct vmm_machine_config config = {.guest_bytes = "ELF", .guest_size = 3, .append = "x"};

	assert_refused(&config, VMM_INVALID, "the guest has no multiboot header");
	config.append = NULL;
	config.modules = &module;
	config.module_count = 1;
	assert_refused(&config, VMM_INVALID, "the guest has no multiboot header");
}

Test(machine, too_many_modules_are_refused)
{
	static const struct vmm_module_file modules[VMM_MODULES_MAX + 1];
	struct vmm_machine_config config = multiboot_config();

	config.modules = modules;
	config.module_count = VMM_MODULES_MAX + 1;
	assert_refused(&config, VMM_INVALID, "33 modules");
}

Test(machine, modules_are_read_before_the_device_is_opened)
{
	char path[] = "/tmp/pagewalk-module-XXXXXX";
	int fd = mkstemp(path);
	struct vmm_machine_config config = multiboot_config();
	const struct vmm_module_file module = {.path = path, .arguments = "a b"};

	cr_assert(ge(int, fd, 0));
	cr_assert(eq(int, (int)write(fd, "module", 6), 6));
	close(fd);
	config.modules = &module;
	config.module_count = 1;
	assert_refused(&config, VMM_NO_DEVICE, NO_DEVICE);
	unlink(path);
	assert_refused(&config, VMM_NO_FILE, path);
}
