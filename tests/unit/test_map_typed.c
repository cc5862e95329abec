/* SPDX-License-Identifier: MIT */
/*
 * pw_map_typed() over whatever is mapped, page by page: random MTRRs, random tables, and every
 * allocation failing in turn. Either each page of the range is the new one, of the type of its own
 * address, or nothing has changed.
 */
#include "build_fixture.h"
#include "page_attributes.h"
#include "random.h"
#include <pagewalk/journal.h>
#include <pagewalk/mtrr.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE    (4 * KIB)
#define LARGE   (2 * MIB)
#define BASE    GIB
#define CELLS   1536u
#define RANGES  6u
#define RECORDS 4096u

struct cell {
	pw_pa pa;
	uint64_t size;
	pw_rights rights;
	unsigned type;
	bool mapped;
};

struct scene {
	struct fixture f;
	struct random random;
	struct pw_mtrr mtrr;
	struct pw_mtrr_range ranges[RANGES];
	struct pw_record records[RECORDS];
	struct pw_journal journal;
	struct cell before[CELLS];
	/* Ranges flushed while the operation ran. */
	struct pw_flush_range flushed[512];
	size_t flushed_count;
	unsigned failures, mapped, existed, undone, overflows, large;
	/* The operation. */
	unsigned from, count;
	pw_pa pa;
	pw_rights rights;
};

static struct cell look(const struct scene *s, unsigned i)
{
	struct slow_result r = fixture_look(&s->f, BASE + i * PAGE);

	if (r.status != SLOW_MAPPED)
		return (struct cell){.mapped = false};
	return (struct cell){r.pa, r.page_size, fixture_rights(&r),
		page_type(s->f.format, r.page_size, r.entry), true};
}

static bool is_same(struct cell a, struct cell b)
{
	return a.mapped == b.mapped &&
	       (!a.mapped || (a.pa == b.pa && a.rights == b.rights && a.type == b.type));
}

/* The index that stands for the type of this page's memory. */
static unsigned expected_type(const struct scene *s, pw_pa pa)
{
	static const pw_rights names[] = {
		[PW_TYPE_UC] = PW_MEM_UC, [PW_TYPE_WT] = PW_MEM_WT, [PW_TYPE_WB] = PW_MEM_WB};
	enum pw_memory_type type = pw_mtrr_type(&s->mtrr, pa, NULL);
	pw_rights name = type == PW_TYPE_UNDEFINED ? PW_MEM_UC : names[type];

	return s->f.format->encode_type[name >> PW_MEM_SHIFT];
}

static void flush_now(void *ctx, struct pw_flush *flush)
{
	struct scene *s = ctx;

	cr_assert(!flush->everything);
	for (size_t i = 0; i < flush->range_count; i++) {
		cr_assert(s->flushed_count < 512);
		s->flushed[s->flushed_count++] = flush->ranges[i];
	}
}

static bool is_listed(const struct scene *s, pw_va va)
{
	for (size_t i = 0; i < s->flushed_count; i++) {
		if (va >= s->flushed[i].first && va <= s->flushed[i].last)
			return true;
	}
	for (size_t i = 0; i < s->f.flush.range_count; i++) {
		if (va >= s->f.ranges[i].first && va <= s->f.ranges[i].last)
			return true;
	}
	return s->f.flush.everything;
}

/* Around the first 32 MiB, of 4 KiB to 4 MiB, some with masks that have gaps. */
static void random_mtrr(struct scene *s)
{
	static const uint8_t types[] = {PW_TYPE_UC, PW_TYPE_WT, PW_TYPE_WB};

	s->mtrr = (struct pw_mtrr){.def_type = 1 << 11 | PW_TYPE_WB,
		.variable = s->ranges,
		.variable_count = random_below(&s->random, RANGES + 1),
		.maxphyaddr = 32};
	for (unsigned i = 0; i < RANGES; i++) {
		uint64_t mask = ~UINT64_C(0) << (12 + random_below(&s->random, 11));

		if (random_once_in(&s->random, 6))
			mask &= ~(UINT64_C(1) << (12 + random_below(&s->random, 12)));
		s->ranges[i].base =
			random_below(&s->random, 8192) * PAGE | types[random_below(&s->random, 3)];
		s->ranges[i].mask = (mask & 0xfffff000) | 0x800;
	}
}

/* Pages of all sizes and types, with holes between them. */
static void random_tables(struct scene *s)
{
	static const pw_rights types[] = {PW_MEM_UC, PW_MEM_WT, PW_MEM_WB};

	cr_assert(pw_unmap(&s->f.space, BASE, CELLS * PAGE, NULL) == PW_OK);
	for (unsigned n = (unsigned)random_below(&s->random, 5); n; n--) {
		unsigned from = (unsigned)random_below(&s->random, CELLS);
		unsigned count = 1 + (unsigned)random_below(&s->random, CELLS - from);

		if (random_once_in(&s->random, 2))
			count = count > 9 ? 9 : count;
		cr_assert(
			pw_map(&s->f.space, BASE + from * PAGE, 4 * GIB + from * PAGE, count * PAGE,
				PW_R | PW_REPLACE | PW_CONTIGUOUS |
					types[random_below(&s->random, 3)],
				NULL) == PW_OK);
	}
	for (unsigned i = 0; i < CELLS; i++)
		s->before[i] = look(s, i);
}

static void random_operation(struct scene *s)
{
	s->from = (unsigned)random_below(&s->random, CELLS);
	s->count = 1 + (unsigned)random_below(&s->random, CELLS - s->from);
	if (random_once_in(&s->random, 3)) {
		s->from = 0;
		s->count = CELLS;
	}
	s->pa = s->from * PAGE + random_below(&s->random, 8) * LARGE;
	if (random_once_in(&s->random, 4))
		s->pa += PAGE;
	s->rights = fixture_most(s->f.format) | (random_once_in(&s->random, 4) ? 0 : PW_REPLACE) |
		    (random_once_in(&s->random, 2) ? PW_CONTIGUOUS : 0);
}

static enum pw_status operate(struct scene *s)
{
	s->flushed_count = 0;
	return pw_map_typed(&s->f.space, BASE + s->from * PAGE, s->pa, s->count * PAGE, s->rights,
		&s->mtrr, &s->f.flush);
}

/* No byte, no table and no counter has changed. */
static void expect_nothing(
	const struct scene *s, const struct test_memory *before, const uint8_t *copy)
{
	const struct fixture *f = &s->f;

	cr_assert(test_memory_equals(&f->tm, copy), "%s: written, then refused", f->format->name);
	cr_assert(f->tm.tables_out == before->tables_out && !f->tm.faults);
	cr_assert(!f->flush.range_count && !f->flush.everything && !f->flush.freed_count &&
		  !s->flushed_count && !s->journal.count);
}

/* One block that can be a large page is one. */
static void expect_large(struct scene *s, unsigned i)
{
	pw_pa pa = s->pa + (i - s->from) * PAGE, same;

	if (i % 512 || i + 512 > s->from + s->count || pa % LARGE || !(s->rights & PW_REPLACE) ||
		pw_mtrr_range_type(&s->mtrr, pa, pa + LARGE - 1, &same) == PW_TYPE_MIXED)
		return;
	cr_assert(look(s, i).size == LARGE, "%s: not a large page", s->f.format->name);
	s->large++;
}

static void expect_new(struct scene *s)
{
	pw_rights rights = s->rights & PW_RIGHTS_MASK;

	for (unsigned i = 0; i < CELLS; i++) {
		struct cell now = look(s, i), expected = s->before[i];

		if (i >= s->from && i < s->from + s->count) {
			pw_pa pa = s->pa + (i - s->from) * PAGE;

			expected = (struct cell){pa, 0, rights, expected_type(s, pa), true};
			expect_large(s, i);
		}
		cr_assert(is_same(now, expected),
			"%s: page %u: %#llx type %u instead of %#llx type %u", s->f.format->name, i,
			(unsigned long long)now.pa, now.type, (unsigned long long)expected.pa,
			expected.type);
		cr_assert(!s->before[i].mapped || is_same(now, s->before[i]) ||
				  is_listed(s, BASE + i * PAGE),
			"%s: page %u is stale", s->f.format->name, i);
	}
}

static void expect_old(const struct scene *s, const char *after)
{
	for (unsigned i = 0; i < CELLS; i++)
		cr_assert(is_same(look(s, i), s->before[i]), "%s: page %u after %s",
			s->f.format->name, i, after);
}

/* A journal of a few records: what was done is undone before it returns. */
static void overflow(struct scene *s)
{
	enum pw_status status;

	s->journal.max = random_below(&s->random, 12);
	status = operate(s);
	s->journal.max = RECORDS;
	if (status == PW_E_BUDGET) {
		expect_old(s, "a journal that is full");
		s->overflows++;
	} else if (status == PW_OK) {
		cr_assert(pw_undo(&s->f.space, &s->f.flush, 0) == PW_OK);
	}
	pw_flush_done(&s->f.space, &s->f.flush);
}

static enum pw_status with_failures(struct scene *s)
{
	enum pw_status status = PW_E_NO_TABLES;

	for (int64_t n = 0; status == PW_E_NO_TABLES; n++) {
		struct test_memory before = s->f.tm;
		uint8_t *copy = test_memory_copy(&s->f.tm);

		s->f.tm.fail_at = s->f.tm.allocations + n;
		status = operate(s);
		if (status != PW_OK)
			expect_nothing(s, &before, copy);
		s->failures += status == PW_E_NO_TABLES;
		free(copy);
	}
	s->f.tm.fail_at = -1;
	return status;
}

static void one(struct scene *s, bool live)
{
	enum pw_status status;

	s->f.flush.live = false;
	s->f.flush.journal = NULL;
	random_mtrr(s);
	random_tables(s);
	random_operation(s);
	s->f.flush.live = live;
	s->f.flush.journal = random_once_in(&s->random, 2) ? &s->journal : NULL;
	if (s->f.flush.journal)
		overflow(s);
	status = with_failures(s);
	if (status == PW_OK) {
		expect_new(s);
		s->mapped++;
		if (s->f.flush.journal) {
			cr_assert(pw_undo(&s->f.space, &s->f.flush, 0) == PW_OK);
			expect_old(s, "undoing");
			s->undone++;
		}
	} else {
		cr_assert(status == PW_E_EXISTS && !(s->rights & PW_REPLACE), "%s: %s",
			s->f.format->name, pw_status_name(status));
		s->existed++;
	}
	pw_flush_done(&s->f.space, &s->f.flush);
}

static void play(const struct pw_format *format, bool live, uint64_t seed)
{
	static struct scene s;
	unsigned rounds = getenv("PW_EXHAUSTIVE") ? 1000 : 80;

	memset(&s, 0, sizeof s);
	fixture_begin(&s.f, format, seed & 1);
	s.random = random_from(seed);
	s.journal = (struct pw_journal){.records = s.records, .max = RECORDS};
	s.f.flush.flush_now = flush_now;
	s.f.flush.ctx = &s;
	for (unsigned n = 0; n < rounds; n++)
		one(&s, live);
	printf("%s%s: %u mapped, %u undone, %u failures, %u of journals, %u large pages, "
	       "seed %llu\n",
		format->name, live ? ", live" : "", s.mapped, s.undone, s.failures, s.overflows,
		s.large, (unsigned long long)seed);
	cr_assert(s.mapped > rounds / 2 && s.undone && s.existed && s.overflows && s.large &&
			  s.failures > rounds / 4,
		"not much of a test");
	s.f.flush.live = false;
	s.f.flush.journal = NULL;
	fixture_end(&s.f);
}

static void every_format(bool live)
{
	static const struct pw_format *const formats[] = {&pw_format_ept_4, &pw_format_ept_5,
		&pw_format_x86_64, &pw_format_x86_pae, &pw_format_npt_4, &pw_format_arm64_s2_4k};
	uint64_t seed = random_seed(20271129);

	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		play(formats[i], live, seed + 2 * i);
		play(formats[i], live, seed + 2 * i + 1);
	}
}

Test(map_typed, all_or_nothing_over_anything)
{
	every_format(false);
}

Test(map_typed, all_or_nothing_on_live_tables)
{
	every_format(true);
}

/* ---- By hand ---- */

/* The last of three pieces cannot be done, for want of a table: the first two are not either. */
Test(map_typed, the_last_piece_fails)
{
	static const struct pw_mtrr_range uc = {LARGE | PW_TYPE_UC, 0xffe00800};
	const struct pw_mtrr mtrr = {.def_type = 1 << 11 | PW_TYPE_WB,
		.variable = &uc,
		.variable_count = 1,
		.maxphyaddr = 32};
	static struct fixture f;
	uint8_t *copy;

	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_map(&f.space, 0, 8 * LARGE, 4 * LARGE, PW_R, NULL) == PW_OK);
	copy = test_memory_copy(&f.tm);
	f.tm.fail_at = f.tm.allocations;
	cr_assert(pw_map_typed(&f.space, 0, 0, 2 * LARGE + PAGE, PW_R | PW_REPLACE, &mtrr,
			  &f.flush) == PW_E_NO_TABLES);
	cr_assert(test_memory_equals(&f.tm, copy) && !f.flush.range_count);
	f.tm.fail_at = -1;
	cr_assert(pw_map_typed(&f.space, 0, 0, 2 * LARGE + PAGE, PW_R | PW_REPLACE, &mtrr,
			  &f.flush) == PW_OK);
	fixture_expect(&f, 0, 0, LARGE, PW_R);
	fixture_expect(&f, LARGE, LARGE, LARGE, PW_R);
	cr_assert(page_type(f.format, LARGE, fixture_entry(&f, LARGE)) == PW_TYPE_UC);
	fixture_expect(&f, 2 * LARGE, 2 * LARGE, PAGE, PW_R);
	fixture_expect(&f, 2 * LARGE + PAGE, 10 * LARGE + PAGE, PAGE, PW_R);
	free(copy);
	fixture_end(&f);
}

/* A large page gives way to a table where the new ones are of two types. */
Test(map_typed, a_large_page_becomes_two_types)
{
	static const struct pw_mtrr_range wt = {MIB | PW_TYPE_WT, 0xfff00800};
	const struct pw_mtrr mtrr = {.def_type = 1 << 11 | PW_TYPE_WB,
		.variable = &wt,
		.variable_count = 1,
		.maxphyaddr = 32};
	static struct fixture f;

	fixture_begin(&f, &pw_format_ept_4, true);
	f.flush.live = true;
	cr_assert(pw_map(&f.space, 0, GIB, LARGE, PW_R, &f.flush) == PW_OK);
	cr_assert(pw_map_typed(&f.space, 0, 0, LARGE, PW_R | PW_REPLACE, &mtrr, &f.flush) == PW_OK);
	for (pw_va va = 0; va < LARGE; va += PAGE) {
		fixture_expect(&f, va, va, PAGE, PW_R);
		cr_assert(page_type(f.format, PAGE, fixture_entry(&f, va)) ==
			  (va < MIB ? PW_TYPE_WB : PW_TYPE_WT));
	}
	cr_assert(f.flush.range_count == 1 && f.ranges[0].first == 0 &&
		  f.ranges[0].last == LARGE - 1);
	fixture_end(&f);
}

/* Nobody flushes between a page and what it becomes. */
Test(map_typed, refusals)
{
	const struct pw_mtrr mtrr = {.def_type = 1 << 11 | PW_TYPE_WB};
	const struct pw_mtrr wc = {.def_type = 1 << 11 | PW_TYPE_WC};
	static struct fixture f;

	fixture_begin(&f, &pw_format_arm64_s2_4k, true);
	cr_assert(pw_map(&f.space, PAGE, GIB, PAGE, PW_R, NULL) == PW_OK);
	f.flush.live = true;
	cr_assert(pw_map_typed(&f.space, 0, 0, 2 * PAGE, PW_R | PW_REPLACE, &mtrr, &f.flush) ==
		  PW_E_UNSUPPORTED);
	cr_assert(pw_map_typed(&f.space, 0, 0, PAGE, PW_R | PW_REPLACE, &mtrr, &f.flush) == PW_OK);
	cr_assert(pw_map_typed(&f.space, 0, 0, PAGE, PW_R | PW_REPLACE | PW_MEM_WB, &mtrr,
			  &f.flush) == PW_E_ARGUMENT);
	f.flush.live = false;
	fixture_end(&f);
	/* A type that the format cannot say. */
	fixture_begin(&f, &pw_format_npt_4, true);
	cr_assert(pw_map_typed(&f.space, 0, 0, PAGE, PW_R | PW_X, &wc, &f.flush) == PW_E_RIGHTS);
	fixture_end(&f);
}
