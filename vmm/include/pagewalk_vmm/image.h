/* SPDX-License-Identifier: MIT */
/* Loading a guest into RAM. */
#ifndef PAGEWALK_VMM_IMAGE_H
#define PAGEWALK_VMM_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include <pagewalk_vmm/vcpu.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An ELF image may have this many loadable segments. */
#define VMM_IMAGE_SEGMENTS_MAX 64

/* Nor is a larger file read: the whole of it is held in memory while it is checked. */
#define VMM_IMAGE_FILE_MAX 0x40000000

/* What was loaded: enough for vmm_vcpu_boot(). */
struct vmm_image {
	enum vmm_mode mode;
	uint64_t entry; /* guest-physical */
	uint64_t first; /* lowest and highest guest-physical address in use */
	uint64_t last;
	uint64_t multiboot_info; /* guest-physical address of what the boot loader tells; 0: none */
};

/*
 * All four: load before the vCPU boots. Every check comes before the first write, so that RAM and
 * *image are untouched on failure; the reason stands in vm->error. Not thread safe per VM.
 *
 * VMM_BAD_IMAGE: damaged or cut short, for another machine, or one of its parts lies outside RAM,
 * on the boot area of its mode (vcpu.h), on another of its parts or, in a VM with irqchip, where
 * the firmware's tables are (machine.h).
 * VMM_NO_FILE: the file cannot be opened or read, or is not a regular file.
 */

/*
 * A static ELF executable, 64-bit x86-64 for long mode or 32-bit i386 for protected mode. Segments
 * go to their physical addresses, and memory behind their file part is zeroed. The entry point
 * must lie in a segment, by its physical address or else by its virtual one.
 */
VMM_CHECKED enum vmm_status vmm_image_load_elf(
	struct vmm_vm *vm, const char *path, struct vmm_image *image);

/* The same from memory. */
VMM_CHECKED enum vmm_status vmm_image_load_elf_bytes(
	struct vmm_vm *vm, const void *bytes, size_t size, struct vmm_image *image);

/* A flat binary at a guest-physical address, which is its entry point too. */
VMM_CHECKED enum vmm_status vmm_image_load_flat(struct vmm_vm *vm, const char *path,
	uint64_t address, enum vmm_mode mode, struct vmm_image *image);

/* The same from memory: a handful of instructions in a test, say. */
VMM_CHECKED enum vmm_status vmm_image_load_bytes(struct vmm_vm *vm, const void *bytes, size_t size,
	uint64_t address, enum vmm_mode mode, struct vmm_image *image);

#ifdef __cplusplus
}
#endif

#endif
