/* SPDX-License-Identifier: MIT */
/* A multiboot kernel to be broken, and RAM to load it into, for the tests of the loader. */
#ifndef TESTS_UNIT_MULTIBOOT_KERNEL_H
#define TESTS_UNIT_MULTIBOOT_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include <pagewalk_vmm/multiboot.h>

#define RAM_BYTES 0x200000u
#define UNTOUCHED 0xa5 /* what RAM is filled with */
#define MAGIC     0x1badb002u
#define ADDRESSES 0x10000u /* the flag */
#define LOAD      0x100000u

/* A VM without KVM: loading needs nothing but RAM. The test frees `ram`. */
struct fake {
	struct vmm_vm vm;
	uint8_t *ram;
	struct vmm_image image;
};

struct fake make_fake(void);

/* A kernel without a file format. */
struct kernel {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
	uint8_t code[64];
};

/* A good one, loaded at that address; each test breaks one thing. */
struct kernel make_kernel(uint32_t address);
void set_flags(struct kernel *kernel, uint32_t flags);

enum vmm_status load_kernel(struct fake *fake, const struct kernel *kernel,
	const char *command_line, const struct vmm_module *modules, unsigned count);

/* Loading fails with that status, says why, and changes nothing. */
void assert_refused_with(const void *bytes, size_t size, const struct vmm_multiboot *boot,
	enum vmm_status wanted, const char *why);

#endif
