/* SPDX-License-Identifier: MIT */
#include "two_stages.h"
#include "test_memory.h"

#define RAM_BYTES (UINT64_C(2) << 20)

/* All rights, write back, in this row. */
static uint64_t page_bits(const struct pw_format *format, unsigned level)
{
	uint64_t bits = format->family == PW_FAMILY_EPT ? 0x437 : 0x7;

	return bits | (level ? 0x80 : 0);
}

void stages_begin(struct stages *s, const struct pw_format *format)
{
	const struct pw_format *x86 = &pw_format_x86_64;

	*s = (struct stages){.format = format};
	ram_begin(&s->ram, 0, RAM_BYTES);
	(void)ram_new_table(&s->ram, 4096); /* zero is no table's address */
	s->root1 = ram_new_table(&s->ram, 4096);
	s->root2 = ram_new_table(&s->ram, 4096);
	s->hpa = ram_new_table(&s->ram, 4096);
	(void)ram_enter(&s->ram, format, s->root2, 0, 1, page_bits(format, 1));
	s->guest_entry =
		ram_enter(&s->ram, x86, s->root1, STAGES_SUPERVISOR_VA, 0, PTE_PW | PTE_A | PTE_D);
	s->guest_table = s->guest_entry & ~UINT64_C(0xfff);
	stages_place(s, 0, 0);
}

void stages_end(struct stages *s)
{
	ram_end(&s->ram);
}

/* Maps a place of its own in guest-physical memory to hpa; returns the place. */
static pw_pa place(struct stages *s, pw_pa hpa, unsigned page_level, unsigned entry_level)
{
	uint64_t size = pw_level_page_size(&s->format->level[page_level]);
	pw_pa base = (UINT64_C(1) << 39) + ((uint64_t)page_level << 30);
	pw_pa gpa = base + (page_level ? hpa & (size - 1) : 0);
	uint64_t leaf = (hpa & ~(size - 1)) | page_bits(s->format, page_level);
	unsigned shift = s->format->level[entry_level].shift;

	s->entry = ram_enter(&s->ram, s->format, s->root2, gpa, page_level, leaf);
	if (entry_level == page_level)
		return gpa;

	/* The table's entry is found by writing what stands there already. */
	pw_pa table = s->root2;

	for (unsigned level = s->format->levels - 1u; level > entry_level; level--)
		table = pw_entry_address(s->format, level,
			ram_load(&s->ram, table + pw_level_index(&s->format->level[level], gpa) * 8,
				8));
	s->entry = table + (gpa >> shift & 511) * 8;
	return gpa;
}

void stages_place(struct stages *s, unsigned page_level, unsigned entry_level)
{
	uint64_t bits = ram_load(&s->ram, s->guest_entry, 8) & (PTE_PW | PTE_A | PTE_D);

	s->gpa = place(s, s->hpa, page_level, entry_level);
	ram_store(&s->ram, s->guest_table + 8, 8, s->gpa | bits);
	ram_store(&s->ram, s->guest_table + 16, 8, s->gpa | bits | PTE_U);
}

void stages_place_table(struct stages *s, unsigned page_level, unsigned entry_level)
{
	pw_pa gpa = place(s, s->guest_table, page_level, entry_level);

	s->gpa = gpa + 8;
	(void)ram_enter(&s->ram, &pw_format_x86_64, s->root1, STAGES_SUPERVISOR_VA, 1,
		gpa | PTE_PWU | PTE_A);
	ram_store(&s->ram, s->guest_table + 8, 8, s->hpa | PTE_PW | PTE_A | PTE_D);
}

void stages_set(struct stages *s, uint64_t mask, uint64_t bits)
{
	ram_store(&s->ram, s->entry, 8, (ram_load(&s->ram, s->entry, 8) & ~mask) | bits);
}

struct pw_space stages_guest(const struct stages *s, uint64_t cr4)
{
	const struct pw_x86_state state = {.cr0 = PW_CR0_PE | PW_CR0_PG | PW_CR0_WP,
		.cr3 = s->root1,
		.cr4 = PW_CR4_PAE | cr4,
		.efer = PW_EFER_LMA | PW_EFER_LME | PW_EFER_NXE};
	static const struct pw_memory nowhere = {.window_count = 0};
	struct pw_space space;

	if (pw_space_init_x86(&space, &state, &nowhere, NULL) != PW_OK)
		__builtin_trap();
	return space;
}
