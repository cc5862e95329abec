/* SPDX-License-Identifier: MIT */
/*
 * What a 64-bit address means before any table is read, and encrypted entries: linear-address
 * masking (LAM) and separation (LASS) in all combinations against the twin.
 */
#include "agree.h"
#include "random.h"
#include "slow_walk.h"
#include <criterion/criterion.h>
#include <pagewalk/batch.h>
#include <pagewalk/copy.h>
#include <pagewalk/live.h>
#include <stdio.h>
#include <string.h>

#define BASE     UINT64_C(0x100000)
#define TABLE(n) (BASE + UINT64_C(0x1000) * (n))
#define LONG     (PW_EFER_LME | PW_EFER_LMA | PW_EFER_NXE)
#define BIT(n)   (UINT64_C(1) << (n))

/* Tables of up to five levels; the address of each level's entry is the caller's business. */
static uint64_t tables[5][512] __attribute__((aligned(4096)));
static const struct pw_window window = {BASE, sizeof tables, tables, false};
static const struct pw_memory memory = {.windows = &window, .window_count = 1};
static const struct slow_memory slow_memory = {
	(const uint8_t *)tables, BASE, sizeof tables, false, NULL};

static uint64_t little(uint64_t value)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	memcpy(&value, bytes, sizeof value);
	return value;
}

/* Every address leads to a page of 1 GiB; those of the upper half are the supervisor's. */
static void map_everything(void)
{
	for (unsigned i = 0; i < 512; i++) {
		tables[4][i] = little(TABLE(3) | 7);
		tables[3][i] = little(TABLE(2) | 7);
		tables[2][i] = little(BIT(30) * i | (i & 1 ? 0x83 : 0x87));
	}
}

struct side {
	struct pw_space space;
	struct slow_config config;
};

static void begin(struct side *side, const struct pw_x86_state *s)
{
	cr_assert(pw_space_init_x86(&side->space, s, &memory, NULL) == PW_OK);
	cr_assert(slow_config_tables(&side->config, side->space.format->name, s->cr3));
	side->config.efer_nxe = s->efer & PW_EFER_NXE;
	side->config.cr4_smap = s->cr4 & PW_CR4_SMAP;
	side->config.cr4_cet = s->cr4 & PW_CR4_CET;
	side->config.cr4_lass = s->cr4 & PW_CR4_LASS;
	side->config.cr4_lam_sup = s->cr4 & PW_CR4_LAM_SUP;
	side->config.cr3_lam_u48 = s->cr3 & PW_CR3_LAM_U48;
	side->config.cr3_lam_u57 = s->cr3 & PW_CR3_LAM_U57;
	side->config.rflags_ac = s->rflags & PW_RFLAGS_AC;
	side->config.encryption_mask = s->encryption_mask;
	if (s->maxphyaddr)
		side->config.maxphyaddr = s->maxphyaddr;
}

static void look(const struct side *side, pw_va va, pw_access access, struct slow_result *twin)
{
	const struct slow_access slow = {
		.op = access & PW_ACCESS_ANY     ? SLOW_OP_NONE
		      : access & PW_ACCESS_WRITE ? SLOW_OP_WRITE
		      : access & PW_ACCESS_FETCH ? SLOW_OP_FETCH
						 : SLOW_OP_READ,
		.user = access & PW_ACCESS_USER,
		.implicit_supervisor = access & PW_ACCESS_IMPLICIT,
		.shadow_stack = access & PW_ACCESS_SHADOW_STACK,
	};

	slow_walk(&side->config, &slow_memory, va, &slow, twin);
}

static void agree(const struct side *side, pw_va va, pw_access access)
{
	struct pw_trace_step steps[PW_MAX_LEVELS];
	struct slow_result twin;
	struct pw_result r, traced;
	const char *what;
	size_t count;

	look(side, va, access, &twin);
	(void)!pw_translate(&side->space, va, access, &r);
	what = agree_difference(side->space.format, &r, &twin);
	cr_expect(!what, "%s at %#llx access %#x: %s: walker %s, twin %s", side->space.format->name,
		(unsigned long long)va, access, what, pw_status_name((enum pw_status)r.status),
		slow_status_name(twin.status));
	(void)!pw_translate_trace(&side->space, va, access, &traced, steps, &count);
	cr_expect(agree_same_result(&r, &traced), "the trace differs at %#llx",
		(unsigned long long)va);
	/* A PDPTE with reserved bits is one that a MOV to CR3 would not load. */
	if (r.status == PW_NON_CANONICAL || r.status == PW_LASS ||
		(r.status == PW_RESERVED && r.level == 2 && side->space.format->levels == 3))
		cr_expect_eq(r.flags & PW_RESULT_GP, access & PW_ACCESS_ANY ? 0u : PW_RESULT_GP);
	else
		cr_expect_eq(r.flags & PW_RESULT_GP, 0u);
}

/* The upper bits in every way that a rule could look at them: 0, 1, or one of them different. */
static void agree_on_addresses(const struct side *side, pw_access access)
{
	for (unsigned low = 0; low < 4; low++) {
		pw_va va = UINT64_C(0x123456789) | BIT(46) * (low & 1) | BIT(30) * (low >> 1);

		for (unsigned top = 0; top < 2; top++) {
			pw_va ones = top ? ~UINT64_C(0) << 47 : 0;

			agree(side, va | ones, access);
			for (unsigned a = 45; a < 64; a++)
				for (unsigned b = a; b < 64; b++)
					agree(side, (va | ones) ^ BIT(a) ^ (a == b ? 0 : BIT(b)),
						access);
		}
	}
}

Test(linear, masking_and_separation_in_every_combination)
{
	static const uint64_t cr4_bits[] = {
		PW_CR4_LASS, PW_CR4_LAM_SUP, PW_CR4_SMAP, PW_CR4_LA57, PW_CR4_CET};
	static const pw_access kinds[] = {PW_ACCESS_READ, PW_ACCESS_WRITE, PW_ACCESS_FETCH};
	struct side side;

	map_everything();
	for (unsigned n = 0; n < 256; n++) {
		struct pw_x86_state s = {
			.cr0 = PW_CR0_PE | PW_CR0_PG | PW_CR0_WP, .cr4 = PW_CR4_PAE, .efer = LONG};

		for (unsigned i = 0; i < 5; i++)
			s.cr4 |= n >> i & 1 ? cr4_bits[i] : 0;
		s.cr3 = TABLE(s.cr4 & PW_CR4_LA57 ? 4 : 3);
		s.cr3 |= (n >> 5 & 1 ? PW_CR3_LAM_U57 : 0) | (n >> 6 & 1 ? PW_CR3_LAM_U48 : 0);
		s.rflags = n >> 7 ? PW_RFLAGS_AC : 0;
		begin(&side, &s);
		agree_on_addresses(&side, PW_ACCESS_ANY);
		for (unsigned i = 0; i < 12; i++)
			agree_on_addresses(&side, kinds[i % 3] | (i / 3 & 1 ? PW_ACCESS_USER : 0) |
							  (i / 6 ? PW_ACCESS_IMPLICIT : 0));
		if (s.cr4 & PW_CR4_CET) {
			agree_on_addresses(&side, PW_ACCESS_READ | PW_ACCESS_SHADOW_STACK);
			agree_on_addresses(
				&side, PW_ACCESS_WRITE | PW_ACCESS_SHADOW_STACK | PW_ACCESS_USER);
		}
	}
}

/* ---- By hand: one address each, as the manual says it ---- */

static const struct pw_x86_state with_everything = {
	.cr0 = PW_CR0_PE | PW_CR0_PG | PW_CR0_WP,
	.cr3 = TABLE(3) | PW_CR3_LAM_U48,
	.cr4 = PW_CR4_PAE | PW_CR4_LAM_SUP | PW_CR4_LASS | PW_CR4_SMAP,
	.efer = LONG,
};

Test(linear, result_has_the_address_that_cr2_would_have)
{
	struct pw_result r;
	struct side side;
	char text[128];

	map_everything();
	begin(&side, &with_everything);
	cr_assert(pw_translate(&side.space, UINT64_C(0x7abc000000001234),
			  PW_ACCESS_READ | PW_ACCESS_USER, &r) == PW_OK);
	cr_expect_eq(r.va, 0x1234u);
	cr_expect_eq(r.pa, 0x1234u);
	cr_assert(pw_translate(&side.space, UINT64_C(0x8abc800040001234), PW_ACCESS_WRITE, &r) ==
		  PW_OK);
	cr_expect_eq(r.va, UINT64_C(0xffff800040001234));
	/* No table has been read, and it is no page fault. */
	cr_assert(pw_translate(&side.space, 0x1234, PW_ACCESS_WRITE, &r) == PW_LASS);
	cr_expect(r.level == -1 && r.flags == PW_RESULT_GP && r.error_code == 0);
	cr_expect_str_eq(pw_explain(&r, text, sizeof text),
		"0x1234 lies in the half that linear-address-space separation denies");
}

Test(linear, batches_copies_and_updates_obey_too)
{
	static const pw_va va[3] = {UINT64_C(0x7abc000000001234), UINT64_C(0xffff800000001234),
		UINT64_C(0x0abc800000001234)};
	struct pw_result r;
	struct pw_hit hits[3];
	struct side side;
	uint64_t entry;

	map_everything();
	begin(&side, &with_everything);
	cr_expect_eq(
		pw_translate_batch(&side.space, va, 3, PW_ACCESS_READ | PW_ACCESS_USER, hits), 1u);
	cr_expect(hits[0].status == PW_OK && hits[0].pa == 0x1234);
	cr_expect(hits[1].status == PW_LASS && hits[2].status == PW_NON_CANONICAL);
	/* The tables themselves are at this physical address: the first entry of the root. */
	cr_assert(pw_read(&side.space, UINT64_C(0x7abc000000000000) + TABLE(3), &entry,
			  sizeof entry) == PW_OK);
	cr_expect_eq(entry, tables[3][0]);
	cr_expect(pw_translate_update(&side.space, va[1], PW_ACCESS_READ | PW_ACCESS_USER, 1, &r) ==
		  PW_LASS);
	cr_expect_eq(tables[3][256], little(TABLE(2) | 7), "nothing is marked");
	cr_expect(pw_translate_stable(&side.space, va[0], PW_ACCESS_READ | PW_ACCESS_USER, 1, &r) ==
		  PW_OK);
	cr_expect_eq(r.va, 0x1234u);
}

/* Outside 64-bit paging these bits say nothing. */
Test(linear, other_modes_know_none_of_it)
{
	struct pw_x86_state s = with_everything;
	struct pw_result r;
	struct side side;

	memset(tables, 0, sizeof tables);
	tables[0][0] = little(TABLE(1) | 1);
	tables[1][0] = little(0x200000 | 0x83);
	s.efer = 0;
	s.cr3 = TABLE(0) | PW_CR3_LAM_U48;
	cr_assert(pw_space_init_x86(&side.space, &s, &memory, NULL) == PW_OK);
	cr_expect(pw_translate(&side.space, 0x1234, PW_ACCESS_READ, &r) == PW_OK);
	cr_expect(pw_translate(&side.space, BIT(62), PW_ACCESS_READ, &r) == PW_NON_CANONICAL);
	cr_expect_eq(r.flags & PW_RESULT_GP, 0u, "such an address cannot be said there");
}

/* ---- Memory encryption ---- */

static uint64_t encrypted_entry(struct random *random, uint64_t address, uint64_t mask)
{
	uint64_t entry = address | 0x27;

	entry |= random_below(random, 3) ? mask : 0;
	for (uint64_t i = random_below(random, 4); i > 0; i--)
		entry ^= BIT(random_below(random, 64));
	return entry;
}

static void agree_on_random_entries(struct random *random, unsigned levels)
{
	uint64_t mask = BIT(32 + random_below(random, 20)) | BIT(12 + random_below(random, 40));
	struct pw_x86_state s = {.cr0 = PW_CR0_PE | PW_CR0_PG | PW_CR0_WP,
		.cr3 = TABLE(levels - 1),
		.cr4 = PW_CR4_PAE | (levels == 5 ? PW_CR4_LA57 : 0),
		.efer = levels == 3 ? PW_EFER_NXE : LONG,
		.maxphyaddr = (uint8_t)(36 + random_below(random, 17)),
		.encryption_mask = mask};
	struct side side;

	if (TABLE(7) & mask) /* the tables must have addresses */
		return;
	s.cr3 |= levels > 3 && random_below(random, 2) ? mask : 0;
	for (unsigned level = 0; level < levels; level++)
		tables[level][0] =
			little(encrypted_entry(random, level ? TABLE(level - 1) : 0x7000, mask));
	begin(&side, &s);
	agree(&side, 0x123, PW_ACCESS_WRITE);
	agree(&side, 0x123, PW_ACCESS_READ | PW_ACCESS_USER);
}

Test(linear, encrypted_entries_by_the_twin)
{
	uint64_t seed = random_seed(20261124);
	struct random random = random_from(seed);

	printf("seed %llu\n", (unsigned long long)seed);
	memset(tables, 0, sizeof tables);
	for (unsigned i = 0; i < 60000; i++)
		agree_on_random_entries(&random, 3 + i % 3);
}

Test(linear, only_address_bits_can_be_encryption)
{
	struct pw_x86_state s = with_everything;
	struct pw_space space;

	for (unsigned n = 0; n < 64; n++) {
		s.encryption_mask = BIT(n);
		cr_expect(pw_space_init_x86(&space, &s, &memory, NULL) ==
				  (n >= 12 && n <= 51 ? PW_OK : PW_E_ARGUMENT),
			"bit %u", n);
	}
}
