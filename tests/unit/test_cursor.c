/* SPDX-License-Identifier: MIT */
/* A cursor answers each address as a single translation does at that moment. */
#include "random.h"
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>
#include <stdio.h>

#define TABLES 6 /* root, PDPT, two PDs and two PTs */
#define ROUNDS 400
#define STEPS  300

static _Alignas(4096) uint64_t ram[TABLES][512];

static uint64_t table_at(uint64_t base, unsigned table)
{
	return base + table * UINT64_C(4096);
}

/* Most often a page or a table that is in order. */
static uint64_t random_entry(struct random *random, uint64_t address, uint64_t size)
{
	uint64_t entry = (address & ~(size - 1)) | (random_next(random) & 0x1ff) | 1;

	if (random_once_in(random, 8))
		entry &= ~UINT64_C(1);
	if (random_once_in(random, 4))
		entry |= UINT64_C(1) << 63;
	if (random_once_in(random, 16))
		entry |= random_below(random, 16) << 59;
	if (random_once_in(random, 32))
		entry |= UINT64_C(1) << random_below(random, 64);
	return entry;
}

static uint64_t random_page(struct random *random, unsigned level)
{
	uint64_t size = UINT64_C(4096) << 9 * level, entry;

	entry = random_entry(random, random_next(random) & 0xffffffffff000, size);
	return level ? entry | 0x80 : entry;
}

/* Entries 0 to 7 of the upper tables, and all of the last: a few of each kind. */
static void random_tables(struct random *random, uint64_t base)
{
	const uint64_t address = 0xffffffffff000;

	for (unsigned i = 0; i < 512; i++) {
		ram[0][i] = table_at(base, 1) | 7;
		ram[1][i] = random_once_in(random, 4) ? random_page(random, 2)
						      : table_at(base, 2 + (i & 1)) | 7;
		for (unsigned t = 2; t < 4; t++) {
			ram[t][i] = random_page(random, 1);
			if (!random_once_in(random, 3))
				ram[t][i] =
					(random_entry(random, table_at(base, 4 + (i & 1)), 4096) &
						(address | 0x7f | UINT64_C(1) << 63));
			ram[t + 2][i] = random_page(random, 0);
		}
	}
}

static void random_state(struct random *random, struct pw_x86_state *state, uint64_t base)
{
	*state = (struct pw_x86_state){
		.cr0 = PW_CR0_PE | PW_CR0_PG | (random_once_in(random, 3) ? 0 : PW_CR0_WP),
		.cr3 = base,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_LME | PW_EFER_LMA | (random_once_in(random, 4) ? 0 : PW_EFER_NXE),
		.rflags = random_once_in(random, 2) ? PW_RFLAGS_AC : 0,
		.pkru = random_once_in(random, 2) ? (uint32_t)random_next(random) : 0xfffffffc,
		.maxphyaddr = random_once_in(random, 2) ? 46 : 52,
		.amd = random_once_in(random, 2),
	};
	state->cr4 |= random_once_in(random, 2) ? PW_CR4_SMEP : 0;
	state->cr4 |= random_once_in(random, 2) ? PW_CR4_SMAP : 0;
	state->cr4 |= random_once_in(random, 3) ? PW_CR4_PKE : 0;
}

static pw_access random_access(struct random *random)
{
	static const pw_access accesses[] = {PW_ACCESS_ANY, PW_ACCESS_READ, PW_ACCESS_WRITE,
		PW_ACCESS_FETCH, PW_ACCESS_READ | PW_ACCESS_USER, PW_ACCESS_WRITE | PW_ACCESS_USER,
		PW_ACCESS_FETCH | PW_ACCESS_USER, PW_ACCESS_READ | PW_ACCESS_IMPLICIT};

	return accesses[random_below(random, sizeof accesses / sizeof accesses[0])];
}

static void expect_same(struct pw_cursor *cursor, const struct pw_space *space, pw_va va)
{
	struct pw_hit hit = {.level = 77};
	struct pw_result r;
	enum pw_status status = pw_translate(space, va, cursor->access, &r);
	uint64_t size;

	cr_assert_eq(pw_cursor_translate(cursor, va, &hit), status, "%#llx: %s",
		(unsigned long long)va, pw_status_name(status));
	size = hit.size_log2 ? UINT64_C(1) << hit.size_log2 : 0;
	cr_assert(hit.status == r.status && hit.level == r.level && hit.pa == r.pa &&
			  size == r.page_size && hit.rights == r.rights && hit.user == r.user &&
			  hit.supervisor == r.supervisor && hit.implicit == r.implicit &&
			  hit.flags == (r.flags & 0xb),
		"%#llx: pa %#llx, not %#llx", (unsigned long long)va, (unsigned long long)hit.pa,
		(unsigned long long)r.pa);
}

/* Addresses that jump a little, most often; entries of last tables change between two of them. */
static void wander(struct random *random, const struct pw_space *space)
{
	struct pw_cursor cursor;
	pw_va va = random_next(random) >> 17;

	cr_assert(pw_cursor_begin(&cursor, space, random_access(random)) == PW_OK);
	for (unsigned i = 0; i < STEPS; i++) {
		expect_same(&cursor, space, va);
		va ^= random_next(random) >> (random_once_in(random, 8) ? 1 : 43);
		if (random_once_in(random, 3))
			va &= 0x7fffffffffff;
		if (random_once_in(random, 16))
			va = (pw_va)((int64_t)(va << 16) >> 16);
		if (random_once_in(random, 4))
			ram[4 + (i & 1)][va >> 12 & 511] = random_page(random, 0);
		if (!random_once_in(random, 32))
			continue;
		ram[2 + (i & 1)][va >> 21 & 511] = random_page(random, 1);
		cr_assert(pw_cursor_begin(&cursor, space, random_access(random)) == PW_OK);
	}
}

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	(void)ctx;
	if (pa >= sizeof ram || bytes != 8)
		return false;
	*entry = ram[pa / 4096][pa % 4096 / 8];
	return true;
}

Test(cursor, answers_as_single_translations_do)
{
	uint64_t seed = random_seed(20261124);
	struct random random = random_from(seed);

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t base = random_once_in(&random, 3) ? UINT64_C(0x7000) : 0;
		/* Once in a while the last table is cut off, or there is no window at all. */
		uint64_t size = sizeof ram - (random_once_in(&random, 8) ? 2048 : 0);
		struct pw_window window = {.base = base, .size = size, .host = ram};
		struct pw_memory memory = {.windows = &window, .window_count = 1};
		struct pw_x86_state state;
		struct pw_space space;

		if (base == 0 && random_once_in(&random, 4))
			memory = (struct pw_memory){.read_pte = read_pte};
		random_tables(&random, base);
		random_state(&random, &state, base);
		cr_assert(pw_space_init_x86(&space, &state, &memory, NULL) == PW_OK);
		wander(&random, &space);
	}
	printf("seed %llu\n", (unsigned long long)seed);
}

Test(cursor, remembers_nothing_of_other_formats)
{
	struct pw_window window = {.size = sizeof ram, .host = ram};
	struct pw_memory memory = {.windows = &window, .window_count = 1};
	struct random random = random_from(1);

	random_tables(&random, 0);
	for (size_t i = 0; pw_format_at(i); i++) {
		struct pw_space space;

		cr_assert(pw_space_init(&space, pw_format_at(i), 0, &memory) == PW_OK);
		wander(&random, &space);
	}
}

Test(cursor, refuses_what_is_no_access)
{
	struct pw_memory memory = {.read_pte = read_pte};
	struct pw_cursor cursor;
	struct pw_space space;
	struct pw_hit hit;

	cr_assert(pw_space_init(&space, &pw_format_x86_64, 0, &memory) == PW_OK);
	cr_assert(pw_cursor_begin(&cursor, &space, 0) == PW_E_ARGUMENT);
	cr_assert(pw_cursor_translate(&cursor, 0, &hit) == PW_E_ARGUMENT);
	cr_assert(pw_cursor_translate(&cursor, 0x1000, &hit) == PW_E_ARGUMENT);
}
