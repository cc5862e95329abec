/* SPDX-License-Identifier: MIT */
/* Multiboot, version 1 (specification 0.6.96): the boot protocol of most small x86 kernels. */
#ifndef PAGEWALK_VMM_MULTIBOOT_H
#define PAGEWALK_VMM_MULTIBOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pagewalk_vmm/image.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VMM_MODULES_MAX 32

/* A file that the boot loader puts beside the kernel. */
struct vmm_module {
	const void *bytes;
	size_t size;      /* may be 0 */
	const char *text; /* its command line; by custom the file's name comes first */
};

/* What the boot loader tells the kernel. */
struct vmm_multiboot {
	const char *command_line; /* NULL: empty; by custom the kernel's file name comes first */
	const struct vmm_module *modules;
	unsigned module_count;
};

/*
 * Whether a Multiboot header with a correct checksum stands in the first 8 KiB. That is what makes
 * an image multiboot; nothing else of it is checked.
 */
bool vmm_image_is_multiboot(const void *bytes, size_t size);

/*
 * Loads a multiboot image, its modules and the information for it, all under 4 GiB: an ELF file,
 * 32-bit or 64-bit, or a file of any format whose header has the address fields (flag 16), which
 * then prevail. Modules start on pages, behind the kernel if there is room and else before it. The
 * information names the RAM as a PC's firmware does, with the hole under 4 GiB.
 *
 * Every check comes before the first write: RAM and *image are untouched on failure. Fails as
 * vmm_image_load_elf_bytes() does, and with VMM_BAD_IMAGE when the header asks for a video mode or
 * for something that the specification does not know, when its addresses contradict each other, or
 * when modules or texts find no room; VMM_INVALID for more than VMM_MODULES_MAX modules.
 */
VMM_CHECKED enum vmm_status vmm_image_load_multiboot(struct vmm_vm *vm, const void *bytes,
	size_t size, const struct vmm_multiboot *boot, struct vmm_image *image);

/*
 * vmm_vcpu_boot() for a multiboot image: 32-bit protected mode without paging, also for an ELF64
 * kernel, with the protocol's magic number in EAX and the information's address in EBX.
 */
VMM_CHECKED enum vmm_status vmm_vcpu_boot_multiboot(
	struct vmm_vcpu *vcpu, const struct vmm_image *image);

#ifdef __cplusplus
}
#endif

#endif
