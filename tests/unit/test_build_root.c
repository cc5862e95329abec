/* SPDX-License-Identifier: MIT */
/*
 * Taller roots: the whole space is listed before and after, page by page where it is sampled, and
 * the two lists are one.
 */
#include "build_fixture.h"
#include "random.h"
#include <stdio.h>

#define LIST_MAX 512

struct pair {
	const struct pw_format *from, *to;
	bool high; /* TTBR1 */
};

static const struct pair pairs[] = {
	{&pw_format_x86_64, &pw_format_x86_64_la57, false},
	{&pw_format_ept_4, &pw_format_ept_5, false},
	{&pw_format_npt_4, &pw_format_npt_5, false},
	{&pw_format_arm64_4k_39, &pw_format_arm64_4k, false},
	{&pw_format_arm64_4k_39, &pw_format_arm64_4k, true},
	{&pw_format_riscv_sv39, &pw_format_riscv_sv48, false},
	{&pw_format_riscv_sv48, &pw_format_riscv_sv57, false},
	{&pw_format_riscv_sv39, &pw_format_riscv_sv57, false},
	{&pw_format_riscv_sv39x4, &pw_format_riscv_sv48x4, false},
	{&pw_format_riscv_sv39x4, &pw_format_riscv_sv57x4, false},
};

#define PAIRS (sizeof pairs / sizeof *pairs)

struct list {
	struct pw_region region[LIST_MAX];
	size_t count;
};

static void take_list(const struct pw_space *space, struct list *list)
{
	struct pw_regions it;

	list->count = 0;
	pw_regions_begin(&it, space, 0, UINT64_MAX, NULL, 0);
	while (pw_regions_next(&it, &list->region[list->count]))
		cr_assert(++list->count < LIST_MAX);
	cr_assert(it.status == PW_OK);
}

static void compare(const struct pair *p, const struct list *a, const struct list *b)
{
	cr_assert(a->count == b->count, "%s to %s: %zu regions, then %zu", p->from->name,
		p->to->name, a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct pw_region *x = &a->region[i], *y = &b->region[i];

		cr_assert(x->first == y->first && x->last == y->last && x->pa == y->pa &&
				  x->grant == y->grant && x->kind == y->kind &&
				  x->page_size == y->page_size,
			"%s to %s: the region at %#llx differs", p->from->name, p->to->name,
			(unsigned long long)x->first);
	}
}

/* A few ranges; halves: 1 the lower, 2 the upper, 3 both. */
static void fill(struct fixture *f, struct random *random, unsigned halves)
{
	unsigned bits = f->format->va_bits;

	for (unsigned i = 0; i < 12; i++) {
		uint64_t half = halves == 3 ? i & 1 : halves >> 1;
		pw_va va = (random_next(random) & ((UINT64_C(1) << (bits - 1)) - 1)) |
			   half << (bits - 1);
		uint64_t size = (1 + random_below(random, 3)) << (i % 3 ? 12 : 30);

		/* Both ends of what there is, too. */
		va &= ~((UINT64_C(1) << (i % 3 ? 12 : 30)) - 1);
		va = i == 3 ? half << (bits - 1) : va;
		va = f->space.extension == PW_ONE_EXTENDED ? va | ~UINT64_C(0) << bits
							   : pw_format_extend(f->format, va);
		(void)!pw_map(&f->space, va, (random_next(random) & 0xff) << 30, size,
			fixture_most(f->format), NULL);
	}
}

static void begin(struct fixture *f, const struct pair *p, bool windows)
{
	const struct pw_rules rules = {.arm_high = p->high};

	fixture_begin_rules(f, p->from, windows, &rules);
}

static void twins_agree(const struct fixture *f, const struct pair *p, pw_pa root, pw_va va)
{
	static const struct slow_access any = {.op = SLOW_OP_NONE};
	struct slow_memory memory = {f->tm.bytes, f->tm.base, f->tm.size, false, NULL};
	struct slow_config config;
	struct slow_result before, after;

	cr_assert(slow_config_tables(&config, p->from->name, f->space.root));
	config.ept_ad = true;
	config.arm_high = p->high;
	slow_walk(&config, &memory, va, &any, &before);
	cr_assert(slow_config_tables(&config, p->to->name, root));
	config.ept_ad = true;
	config.arm_high = p->high;
	slow_walk(&config, &memory, va, &any, &after);
	cr_assert(before.status == after.status || before.status == SLOW_NOT_PRESENT ||
		  before.status == SLOW_NON_CANONICAL);
	cr_assert((before.status == SLOW_MAPPED) == (after.status == SLOW_MAPPED));
	if (before.status == SLOW_MAPPED)
		cr_assert(before.pa == after.pa && before.page_size == after.page_size &&
			  fixture_rights(&before) == fixture_rights(&after));
}

/* The addresses beside what was mapped, by the independent twin. */
static void sample(
	const struct fixture *f, const struct pair *p, pw_pa root, const struct list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		twins_agree(f, p, root, list->region[i].first);
		twins_agree(f, p, root, list->region[i].last);
		twins_agree(f, p, root, list->region[i].first - 1);
		twins_agree(f, p, root, list->region[i].last + 1);
		/* What would be an alias of the upper half. */
		twins_agree(f, p, root,
			list->region[i].first & ((UINT64_C(1) << p->from->va_bits) - 1));
	}
}

/* fixture_end() for TTBR1. */
static void end_high(struct fixture *f)
{
	pw_va first = ~UINT64_C(0) << f->format->va_bits;
	uint64_t half = UINT64_C(1) << (f->format->va_bits - 1);

	cr_assert(pw_unmap(&f->space, first, half, &f->flush) == PW_OK);
	cr_assert(pw_unmap(&f->space, first + half, half, &f->flush) == PW_OK);
	pw_flush_done(&f->space, &f->flush);
	cr_assert(f->tm.tables_out == 1 && test_memory_is_sound(&f->tm));
	test_memory_end(&f->tm);
}

static void grow(const struct pair *p, struct random *random, unsigned halves, bool windows)
{
	const struct pw_rules rules = {.arm_high = p->high};
	static struct fixture f;
	static struct list before, after;
	struct pw_space grown;
	uint64_t tables;
	pw_pa root;

	begin(&f, p, windows);
	fill(&f, random, halves);
	take_list(&f.space, &before);
	tables = f.tm.tables_out;
	cr_assert(pw_root_grow(&f.space, p->to, &f.flush, &root) == PW_OK);
	cr_assert(f.flush.everything && f.tm.tables_out == tables + f.flush.tables_allocated);
	cr_assert(pw_space_init_rules(&grown, p->to, root, &f.tm.memory, &rules) == PW_OK);
	/* The old one still is what it was. */
	take_list(&f.space, &after);
	compare(p, &before, &after);
	sample(&f, p, root, &before);
	take_list(&grown, &after);
	compare(p, &before, &after);
	pw_flush_done(&f.space, &f.flush);
	take_list(&grown, &after);
	compare(p, &before, &after);
	cr_assert(f.tm.faults == 0);
	f.space = grown;
	f.format = p->to;
	if (p->high)
		end_high(&f);
	else
		fixture_end(&f);
}

Test(build_root, nothing_moves)
{
	uint64_t seed = random_seed(20270310);
	struct random random = random_from(seed);

	for (size_t i = 0; i < PAIRS; i++) {
		for (unsigned halves = 1; halves <= 3; halves++) {
			for (unsigned n = 0; n < 6; n++)
				grow(&pairs[i], &random, halves, n & 1);
		}
	}
	printf("seed %llu\n", (unsigned long long)seed);
}

/* One table where the old root can go on serving, three where it cannot. */
Test(build_root, tables)
{
	static struct fixture f;
	pw_pa root;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0x1000, 0x1000, 0x1000, PW_R | PW_W, NULL) == PW_OK);
	cr_assert(pw_root_grow(&f.space, &pw_format_x86_64_la57, &f.flush, &root) == PW_OK);
	cr_assert(f.flush.tables_allocated == 1 && f.flush.freed_count == 0);
	cr_assert((test_memory_load(&f.tm, root, 8) & ~UINT64_C(0xfff)) == f.space.root);
	test_memory_store(&f.tm, root, 8, 0);
	f.tm.memory.free_table(f.tm.memory.ctx, root, 4096);
	/* The upper half alone. */
	cr_assert(pw_unmap(&f.space, 0x1000, 0x1000, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, -(pw_va)0x1000, 0x1000, 0x1000, PW_R, NULL) == PW_OK);
	cr_assert(pw_root_grow(&f.space, &pw_format_x86_64_la57, &f.flush, &root) == PW_OK);
	cr_assert(f.flush.tables_allocated == 2 && test_memory_load(&f.tm, root, 8) == 0);
	cr_assert((test_memory_load(&f.tm, root + 511 * 8, 8) & ~UINT64_C(0xfff)) == f.space.root);
	f.tm.memory.free_table(f.tm.memory.ctx, root, 4096);
	/* Both. */
	cr_assert(pw_map(&f.space, 0x1000, 0x1000, 0x1000, PW_R, NULL) == PW_OK);
	f.flush.tables_allocated = 0;
	cr_assert(pw_root_grow(&f.space, &pw_format_x86_64_la57, &f.flush, &root) == PW_OK);
	cr_assert(f.flush.tables_allocated == 3 && f.flush.freed_count == 1 &&
		  f.flush.freed[0].pa == f.space.root && f.flush.freed[0].bytes == 4096);
	cr_assert(pw_space_init(&f.space, &pw_format_x86_64_la57, root, &f.tm.memory) == PW_OK);
	f.format = &pw_format_x86_64_la57;
	pw_flush_done(&f.space, &f.flush);
	fixture_expect(&f, 0x1000, 0x1000, 0x1000, PW_R);
	fixture_expect(&f, -(pw_va)0x1000, 0x1000, 0x1000, PW_R);
	fixture_expect_hole(&f, UINT64_C(0xfffffffff000));
	fixture_end(&f);
}

/* A page of the root that may be written meanwhile counts as written. */
Test(build_root, live)
{
	static struct fixture f;
	pw_va high = pw_format_extend(&pw_format_riscv_sv39, UINT64_C(1) << 38);
	pw_pa root;

	fixture_begin(&f, &pw_format_riscv_sv39, true);
	cr_assert(pw_map(&f.space, 0, 0, GIB, PW_R | PW_W, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, GIB, 0, GIB, PW_R, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, high, 0, GIB, PW_R, NULL) == PW_OK);
	fixture_set_entry(&f, 0, fixture_entry(&f, 0) & ~UINT64_C(0x80));
	fixture_set_entry(&f, GIB, fixture_entry(&f, GIB) & ~UINT64_C(0x80));
	f.flush.live = true;
	cr_assert(pw_root_grow(&f.space, &pw_format_riscv_sv48, &f.flush, &root) == PW_OK);
	cr_assert(pw_space_init(&f.space, &pw_format_riscv_sv48, root, &f.tm.memory) == PW_OK);
	f.format = &pw_format_riscv_sv48;
	cr_assert(fixture_look(&f, 0).dirty && !fixture_look(&f, GIB).dirty);
	fixture_expect(&f, high, 0, GIB, PW_R);
	fixture_end(&f);
}

Test(build_root, refused)
{
	static const struct pair not [] = {
		{&pw_format_x86_64, &pw_format_x86_64, false},
		{&pw_format_x86_64_la57, &pw_format_x86_64, false},
		{&pw_format_x86_64, &pw_format_ept_5, false},
		{&pw_format_x86_pae, &pw_format_x86_64, false},
		{&pw_format_x86_32, &pw_format_x86_pae, false},
		{&pw_format_npt_4, &pw_format_x86_64_la57, false},
		{&pw_format_riscv_sv32, &pw_format_riscv_sv39, false},
		{&pw_format_riscv_sv39, &pw_format_riscv_sv48x4, false},
		{&pw_format_arm64_4k_39, &pw_format_arm64_16k, false},
		{&pw_format_ept_4, &pw_format_ept_5_mbec, false},
	};
	static struct fixture f;
	pw_pa root = 1;

	for (size_t i = 0; i < sizeof not / sizeof *not ; i++) {
		fixture_begin(&f, not [i].from, true);
		cr_assert(pw_root_grow(&f.space, not [i].to, &f.flush, &root) == PW_E_UNSUPPORTED,
			"%s to %s", not [i].from->name, not [i].to->name);
		fixture_end(&f);
	}
	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_root_grow(NULL, &pw_format_ept_5, NULL, &root) == PW_E_ARGUMENT);
	cr_assert(pw_root_grow(&f.space, NULL, NULL, &root) == PW_E_ARGUMENT);
	cr_assert(pw_root_grow(&f.space, &pw_format_ept_5, NULL, NULL) == PW_E_ARGUMENT);
	cr_assert(root == 1);
	fixture_end(&f);
}

/* Whatever allocation fails: nothing has changed, nothing is lost. */
Test(build_root, out_of_tables)
{
	static struct fixture f;
	struct random random = random_from(7);

	for (size_t i = 0; i < PAIRS; i++) {
		enum pw_status status = PW_E_NO_TABLES;
		uint64_t tables;
		uint8_t *copy;
		pw_pa root = 1;
		unsigned n = 0;

		begin(&f, &pairs[i], i & 1);
		fill(&f, &random, 3);
		tables = f.tm.tables_out;
		copy = test_memory_copy(&f.tm);
		for (; n < 20 && status == PW_E_NO_TABLES; n++) {
			f.tm.fail_at = f.tm.allocations + n;
			status = pw_root_grow(&f.space, pairs[i].to, &f.flush, &root);
			cr_assert(status == PW_OK ||
				  (f.tm.tables_out == tables && root == 1 && !f.flush.everything &&
					  test_memory_equals(&f.tm, copy)));
		}
		f.tm.fail_at = -1;
		free(copy);
		cr_assert(status == PW_OK && n > 1 && f.tm.faults == 0);
		test_memory_end(&f.tm);
	}
}
