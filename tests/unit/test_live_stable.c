/* SPDX-License-Identifier: MIT */
/* pw_translate_stable(): no answer from entries that did not stand still. */
#include "ram.h"
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>

#define BASE  UINT64_C(0x100000)
#define BYTES (UINT64_C(64) << 12)
#define FRAME UINT64_C(0x40000000)
#define VA    UINT64_C(0x7fff12345678)
#define TRIES 3

/* Memory whose `pa` changes by 0x1000 after each of the next `times` times that it is read. */
struct restless {
	struct ram ram;
	struct pw_memory memory;
	struct pw_space space;
	pw_pa at[4];
	pw_pa pa;
	unsigned times;
	unsigned reads;
};

static bool read_restless(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct restless *r = ctx;

	r->reads++;
	if (!r->ram.callbacks.read_pte(&r->ram, pa, bytes, entry))
		return false;
	if (pa == r->pa && r->times > 0) {
		r->times--;
		ram_store(&r->ram, pa, bytes, *entry + UINT64_C(0x1000));
	}
	return true;
}

static void begin(struct restless *r)
{
	pw_pa root, table;

	*r = (struct restless){.pa = 0};
	ram_begin(&r->ram, BASE, BYTES);
	root = ram_new_table(&r->ram, 4096);
	ram_enter(&r->ram, &pw_format_x86_64, root, VA, 0, FRAME | PTE_PWU);
	r->memory = (struct pw_memory){.read_pte = read_restless, .ctx = r};
	cr_assert(pw_space_init(&r->space, &pw_format_x86_64, root, &r->memory) == PW_OK);
	table = root;
	for (unsigned level = 4; level-- > 0;) {
		const struct pw_level *row = &pw_format_x86_64.level[level];

		r->at[level] = table + 8 * pw_level_index(row, VA);
		table = pw_entry_address(
			&pw_format_x86_64, level, ram_load(&r->ram, r->at[level], 8));
	}
}

static enum pw_status look(const struct restless *r, struct pw_result *result)
{
	return pw_translate_stable(&r->space, VA, PW_ACCESS_READ, TRIES, result);
}

Test(live_stable, what_stands_still_is_read_twice_and_answered)
{
	struct pw_result result, plain;
	struct restless r;

	begin(&r);
	cr_expect(look(&r, &result) == PW_OK);
	cr_expect(r.reads == 8, "%u reads", r.reads);
	cr_assert(pw_translate(&r.space, VA, PW_ACCESS_READ, &plain) == PW_OK);
	cr_expect(result.pa == plain.pa && result.entry_pa == plain.entry_pa &&
		  result.rights == plain.rights && result.page_size == plain.page_size);
	ram_end(&r.ram);
}

Test(live_stable, a_change_is_noticed_at_every_level)
{
	for (unsigned level = 0; level < 4; level++) {
		struct pw_result result;
		struct restless r;

		begin(&r);
		r.pa = r.at[level];
		r.times = 1;
		/* Further up the changed entry leads into an empty table. */
		cr_expect(look(&r, &result) == (level ? PW_NOT_PRESENT : PW_OK), "level %u", level);
		cr_expect(level > 0 || result.pa == ((FRAME + 0x1000) | 0x678));
		ram_end(&r.ram);
	}
}

Test(live_stable, the_budget_ends_it)
{
	struct pw_result result;
	struct restless r;

	begin(&r);
	r.pa = r.at[0];
	r.times = 2 * TRIES; /* each walk reads it twice */
	cr_expect(look(&r, &result) == PW_UNSTABLE);
	cr_expect(result.status == PW_UNSTABLE && result.level == 0 && result.entry_pa == r.at[0]);
	cr_expect(result.flags == PW_RESULT_ENTRY && result.va == VA && result.pa == 0);
	cr_expect(r.times == 0 && r.reads == 8 * TRIES, "%u reads", r.reads);
	cr_expect(look(&r, NULL) == PW_OK, "and quiet again");
	ram_end(&r.ram);
}

Test(live_stable, a_hole_must_stand_still_too)
{
	struct pw_result result;
	struct restless r;

	begin(&r);
	ram_store(&r.ram, r.at[1], 8, 0);
	r.pa = r.at[1];
	r.times = 2 * TRIES - 1;
	cr_expect(look(&r, &result) == PW_UNSTABLE && result.level == 1);
	ram_store(&r.ram, r.at[1], 8, 0);
	cr_expect(look(&r, &result) == PW_NOT_PRESENT && result.level == 1 &&
		  (result.flags & PW_RESULT_ERROR_CODE));
	ram_end(&r.ram);
}

Test(live_stable, refused_calls_and_walks_without_entries)
{
	struct pw_result result;
	struct restless r;

	begin(&r);
	cr_expect(pw_translate_stable(&r.space, VA, PW_ACCESS_READ, 0, &result) == PW_E_ARGUMENT);
	cr_expect(result.status == PW_E_ARGUMENT && result.level == -1);
	cr_expect(pw_translate_stable(&r.space, VA, 0, 1, &result) == PW_E_ARGUMENT);
	cr_expect(pw_translate_stable(&r.space, VA, PW_ACCESS_ANY, 1, &result) == PW_OK);
	cr_expect(pw_translate_stable(&r.space, UINT64_C(1) << 55, PW_ACCESS_READ, 1, NULL) ==
		  PW_NON_CANONICAL);
	ram_store(&r.ram, r.at[2], 8, UINT64_C(0x9999000) | PTE_PWU);
	cr_expect(look(&r, &result) == PW_NO_MEMORY && result.level == 1);
	ram_end(&r.ram);
}

/* The registers are the space's own: what stands in memory since they were loaded is no change. */
Test(live_stable, pdpte_registers_hold_still)
{
	struct pw_x86_state state = {
		.cr0 = PW_CR0_PE | PW_CR0_PG, .cr4 = PW_CR4_PAE, .pdpte_loaded = true};
	struct pw_result result;
	struct restless r;

	begin(&r);
	state.pdpte[0] = ram_new_table(&r.ram, 4096) | PTE_P;
	ram_store(&r.ram, state.pdpte[0] - PTE_P, 8, FRAME | PTE_PW | PTE_PS);
	cr_assert(pw_space_init_x86(&r.space, &state, &r.memory, NULL) == PW_OK);
	cr_expect(pw_translate_stable(&r.space, 0x1234, PW_ACCESS_READ, 1, &result) == PW_OK);
	cr_expect(result.pa == (FRAME | 0x1234));
	ram_end(&r.ram);
}
