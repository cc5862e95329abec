/* SPDX-License-Identifier: MIT */
/*
 * Accessed and Dirty, as the accesses of one case must leave them. Deliberately apart from
 * libpagewalk: the steps are those of the world's own layout, and the walk is written out here.
 */
#include "nested_case.h"

#define MARK_A 1u
#define MARK_D 2u

#define SECOND_TABLES 24

static uint8_t marks[SECOND_TABLES][512];
static uint8_t guest_marks[NESTED_GUEST_LEVELS];

static void mark_second(const struct nested_world *world, uint64_t gpa, bool write)
{
	size_t count;
	uint64_t(*tables)[512] = nested_world_tables(&count);
	size_t table = 0;

	for (unsigned level = world->second.format->levels; level-- > 0;) {
		unsigned index = gpa >> (12 + 9 * level) & 511;
		uint64_t entry = tables[table][index];

		marks[table][index] |= MARK_A;
		if (level == 0 || entry & PTE_LARGE) {
			marks[table][index] |= write ? MARK_D : 0;
			return;
		}
		table = ((entry & PTE_ADDRESS) - (uintptr_t)tables) / sizeof tables[0];
		if (table >= count)
			return; /* spoilt: nothing is marked below */
	}
}

/* Every access of the case, as if nothing stopped it. */
static void mark_all(const struct nested_world *world, bool all_done)
{
	const struct nested_case *c = world->c;
	bool table_write = nested_second_accessed(c);
	bool write = c->access & GUEST_ACCESS_WRITE;
	size_t count;

	nested_world_tables(&count);
	memset(marks, 0, count * sizeof marks[0]);
	memset(guest_marks, 0, sizeof guest_marks);
	if (table_write) {
		for (unsigned i = 0; i < world->code_walk_count; i++)
			mark_second(world, world->code_walk[i], true);
		if (world->code_walk_count)
			mark_second(world,
				NESTED_PLAIN + (world->guest.rip & ~-(UINT64_C(1) << 30)), false);
	}
	for (unsigned level = c->guest_leaf; level < NESTED_GUEST_LEVELS; level++) {
		if (table_write)
			mark_second(world, nested_entry_gpa(world, level), true);
		guest_marks[level] = MARK_A | (write && level == c->guest_leaf ? MARK_D : 0);
	}
	if (table_write && c->subject == NESTED_PDPTES)
		mark_second(world, world->guest.rax, nested_is_amd);
	else if (table_write)
		mark_second(world, nested_page_gpa(world), write && all_done);
}

static bool agrees(unsigned got, unsigned wanted, bool exact)
{
	return exact ? got == wanted : !(got & ~wanted);
}

static unsigned marks_of(uint64_t entry, uint64_t accessed, uint64_t dirty)
{
	return (entry & accessed ? MARK_A : 0) | (entry & dirty ? MARK_D : 0);
}

static bool guest_agrees(const struct nested_world *world, bool exact)
{
	const struct nested_case *c = world->c;

	for (unsigned level = c->guest_leaf; level < NESTED_GUEST_LEVELS; level++) {
		uint64_t before = world->guest_before[level];
		uint64_t entry = *nested_guest_entry(level);
		unsigned had = marks_of(before, PTE_ACCESSED, PTE_DIRTY);
		unsigned got = marks_of(entry, PTE_ACCESSED, PTE_DIRTY);

		if ((entry ^ before) & ~(PTE_ACCESSED | PTE_DIRTY))
			return false;
		if ((had & ~got) || !agrees(got & ~had, guest_marks[level] & ~had, exact))
			return false;
	}
	return true;
}

static bool second_agrees(
	const struct nested_world *world, const uint64_t *at, unsigned wanted, bool exact)
{
	uint64_t accessed = nested_second_accessed(world->c), dirty = nested_second_dirty(world->c);
	uint64_t before = at == world->spoilt ? world->spoilt_before : *at & ~(accessed | dirty);
	unsigned had = marks_of(before, accessed, dirty);
	unsigned got = marks_of(*at, accessed, dirty);

	if ((*at ^ before) & ~(accessed | dirty) || (had & ~got))
		return false;
	return agrees(got & ~had, wanted & ~had, exact);
}

bool nested_marks_agree(const struct nested_world *world, const struct nested_exit *end)
{
	bool exact = end->kind == NESTED_DONE;
	size_t count;
	uint64_t(*tables)[512] = nested_world_tables(&count);

	mark_all(world, exact);
	for (size_t table = 0; table < count; table++)
		for (unsigned i = 0; i < 512; i++) {
			const uint64_t *at = &tables[table][i];

			if ((*at || marks[table][i]) &&
				!second_agrees(world, at, marks[table][i], exact))
				return false;
		}
	return guest_agrees(world, exact);
}
