/* SPDX-License-Identifier: MIT */
/* Cases by the thousand: what the library builds by itself, and whatever chance makes of both
 * stages. */
#include "nested_case.h"

#define SEED        UINT64_C(0x9e3779b97f4a7c15)
#define CASES       3000
#define CASES_LONG  300000
#define CASES_QUICK 300
#define GUEST_EDITS 9

static uint64_t state;

uint64_t nested_random(void)
{
	/* xorshift64*. Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545f4914f6cdd1d);
}

static unsigned choose(unsigned count)
{
	return (unsigned)(nested_random() >> 32) % count;
}

static const uint32_t accesses[] = {
	GUEST_ACCESS_READ,
	GUEST_ACCESS_WRITE,
	GUEST_ACCESS_FETCH,
	GUEST_ACCESS_READ | GUEST_ACCESS_USER,
	GUEST_ACCESS_WRITE | GUEST_ACCESS_USER,
	GUEST_ACCESS_FETCH | GUEST_ACCESS_USER,
};
#define ACCESSES (sizeof accesses / sizeof accesses[0])

/* ---- As built ---- */

static void try_built(struct nested_case *c)
{
	for (unsigned i = 0; i < ACCESSES; i++) {
		c->access = accesses[i];
		nested_case_run(c, NULL);
	}
}

void nested_sweep_built(
	const pw_rights *rights, size_t count, unsigned leaf_levels, uint32_t control)
{
	struct nested_case c = {.control = control};
	const struct pw_format *format = nested_second_format(&c);

	for (c.leaf = 0; c.leaf < leaf_levels; c.leaf++)
		for (size_t i = 0; i < count; i++)
			for (unsigned type = 0; type < 6; type++) {
				if (format->encode_type[type] == PW_CANNOT)
					continue;
				c.rights = rights[i] | (pw_rights)type << PW_MEM_SHIFT;
				c.subject = NESTED_PAGE;
				try_built(&c);
				c.subject = type % NESTED_GUEST_LEVELS;
				try_built(&c);
			}
}

/* ---- By chance ---- */

/* Something about the nested guest's entry at c->guest_level. */
static void spoil_guest(struct nested_case *c)
{
	static const struct {
		uint64_t clear, set;
	} edits[GUEST_EDITS] = {
		{0, 0},
		{0, 0},
		{PTE_PRESENT, 0},
		{PTE_WRITE, 0},
		{PTE_USER, 0},
		{0, PTE_NO_EXECUTE},
		{0, UINT64_C(1) << 51}, /* reserved: no processor has that many address bits */
		{PTE_ACCESSED, 0},
		{PTE_DIRTY, 0},
	};
	unsigned first = choose(GUEST_EDITS), second = choose(GUEST_EDITS);

	c->guest_level = c->guest_leaf + choose(NESTED_GUEST_LEVELS - c->guest_leaf);
	c->guest_clear = edits[first].clear | edits[second].clear;
	c->guest_set = edits[first].set | edits[second].set;
}

static uint32_t guest_control(void)
{
	switch (choose(8)) {
	case 0:
		return NESTED_CONTROL_NO_WP;
	case 1:
		return NESTED_CONTROL_NO_NXE;
	case 2:
		return nested_has_smep() ? NESTED_CONTROL_SMEP : 0;
	case 3:
		return nested_has_smap() ? NESTED_CONTROL_SMAP : 0;
	default:
		return 0;
	}
}

void nested_sweep_random(
	unsigned leaf_levels, uint32_t control, void (*spoil)(struct nested_case *))
{
	unsigned count = nested_has_word("long")    ? CASES_LONG
			 : nested_has_word("quick") ? CASES_QUICK
						    : CASES;
	unsigned levels;

	state = SEED + control;
	nested_print("seed %x\n", state);
	for (unsigned i = 0; i < count; i++) {
		struct nested_case c = {
			.access = accesses[choose(ACCESSES)],
			.subject = (uint8_t)choose(NESTED_PAGE + 1),
			.leaf = (uint8_t)choose(leaf_levels),
			.guest_leaf = (uint8_t)choose(3),
			.control = control | guest_control(),
		};

		levels = nested_second_format(&c)->levels;
		c.level = (uint8_t)(c.leaf + choose(levels - c.leaf));
		spoil_guest(&c);
		spoil(&c);
		nested_case_run(&c, NULL);
	}
}
