/* SPDX-License-Identifier: MIT */
/*
 * Private: what a PC's firmware leaves in memory for the system that it starts: where there is
 * RAM, and which processors and interrupt controllers there are.
 */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include <pagewalk_vmm/vm.h>

/* Real mode's interrupt vectors and the BIOS data area. */
#define FIRMWARE_DATA_FIRST UINT64_C(0x0)
#define FIRMWARE_DATA_LAST  UINT64_C(0x4ff)

/* The extended BIOS data area, the adapters' memory and the ROM. */
#define FIRMWARE_HIGH_FIRST UINT64_C(0x9fc00)
#define FIRMWARE_HIGH_LAST  UINT64_C(0xfffff)

/* As in ACPI's and Multiboot's memory maps. */
enum firmware_memory_type {
	FIRMWARE_MEMORY_RAM = 1,
	FIRMWARE_MEMORY_RESERVED = 2,
};

struct firmware_range {
	uint64_t first;
	uint64_t bytes;
	enum firmware_memory_type type;
};

#define FIRMWARE_RANGES_MAX 6

/* Fills `ranges`, ascending, and returns how many. What no range names is not RAM. */
unsigned firmware_memory_map(
	const struct vmm_vm *vm, struct firmware_range ranges[FIRMWARE_RANGES_MAX]);

/*
 * Writes the tables: real mode's vectors, both data areas, MP table and ACPI's RSDP, RSDT and MADT.
 * There is no BIOS behind the vectors: every call comes back with the carry flag set, for "no".
 */
void firmware_write(const struct vmm_vm *vm);

#endif
