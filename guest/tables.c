/* SPDX-License-Identifier: MIT */
/* A guest's own page tables, 4 levels. */
#include "tables.h"

#define LEVELS      4
#define ENTRIES     512
#define POOL_TABLES 32

/* From link.ld. */
extern char guest_text_first[], guest_user_first[], guest_user_end[], guest_rodata_first[];
extern char guest_data_first[], guest_end[];

/* Zeroed by the loader: clearing them here would cost an emulated loop. */
static _Alignas(4096) uint64_t pool[POOL_TABLES][ENTRIES];
static unsigned used = 1; /* pool[0] is the root */

static uint64_t no_execute; /* PTE_NO_EXECUTE where the processor has it */

struct tables_cpu tables_init(void)
{
	uint32_t features = x86_extended_edx();
	struct tables_cpu cpu = {
		.no_execute = features & CPUID_EDX_NX,
		.gib_pages = features & CPUID_EDX_1G,
	};

	if (cpu.no_execute) {
		x86_write_msr(MSR_EFER, x86_read_msr(MSR_EFER) | EFER_NXE);
		no_execute = PTE_NO_EXECUTE;
	}
	return cpu;
}

uint64_t tables_page_size(unsigned level)
{
	return PAGE_4K << (9 * level);
}

static uint64_t *entry_of(uint64_t *table, uint64_t va, unsigned level)
{
	return &table[va >> (12 + 9 * level) & (ENTRIES - 1)];
}

static uint64_t *next_table(uint64_t *entry, uint64_t link)
{
	if (!(*entry & PTE_PRESENT)) {
		if (used == POOL_TABLES) {
			guest_fail(__FILE__, __LINE__, used, POOL_TABLES);
			guest_done(1);
		}
		*entry = (uintptr_t)pool[used++] | link | PTE_PRESENT;
	}
	return (uint64_t *)(uintptr_t)(*entry & PTE_ADDRESS);
}

void tables_set(uint64_t va, unsigned level, uint64_t entry, uint64_t link)
{
	uint64_t *table = pool[0];

	for (unsigned at = LEVELS - 1; at > level; at--) {
		bool last = at == level + 1;

		table = next_table(entry_of(table, va, at), last ? link : PTE_WRITE | PTE_USER);
	}
	*(volatile uint64_t *)entry_of(table, va, level) = entry;
}

static void map_section(const char *first, const char *end, uint64_t flags)
{
	for (uintptr_t at = (uintptr_t)first; at < (uintptr_t)end; at += PAGE_4K)
		tables_set(at, 0, at | flags | PTE_PRESENT, PTE_WRITE | PTE_USER);
}

void tables_map_image(void)
{
	map_section(guest_text_first, guest_user_first, 0);
	map_section(guest_user_first, guest_user_end, PTE_USER);
	map_section(guest_rodata_first, guest_data_first, no_execute);
	map_section(guest_data_first, guest_end, PTE_WRITE | no_execute);
}

void tables_load(void)
{
	x86_write_cr3((uintptr_t)pool[0]);
}
