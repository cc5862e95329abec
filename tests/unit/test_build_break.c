/* SPDX-License-Identifier: MIT */
/*
 * Live Arm tables: after each store of an operation the worst TLB holds nothing that differs from
 * them in memory type, address or size. What may differ are rights.
 */
#include "random.h"
#include "share.h"
#include "tlb_model.h"
#include <stdio.h>
#include <stdlib.h>

/* Cells below the boundary of a larger page, and above it: whole groups of entries. All of them are
 * looked at after each store. */
static uint64_t half(void)
{
	return share_of(80, 40);
}

struct watch {
	struct fixture f;
	struct tlb tlb;
	struct random random;
	struct pw_memory real; /* the fixture's */
	const char *during;
	uint64_t stores, flushes;
};

static bool write_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t entry)
{
	struct watch *w = ctx;
	bool done = w->real.write_pte(w->real.ctx, pa, bytes, entry);

	w->stores++;
	tlb_check_break(&w->tlb, w->during);
	return done;
}

static bool exchange_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired)
{
	struct watch *w = ctx;
	bool done = w->real.exchange_pte(w->real.ctx, pa, bytes, expected, desired);

	w->stores++;
	tlb_check_break(&w->tlb, w->during);
	return done;
}

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct watch *w = ctx;

	return w->real.read_pte(w->real.ctx, pa, bytes, entry);
}

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct watch *w = ctx;

	return w->real.allocate_table(w->real.ctx, bytes, pa);
}

static void free_table(void *ctx, pw_pa pa, uint64_t bytes)
{
	struct watch *w = ctx;

	w->real.free_table(w->real.ctx, pa, bytes);
}

static void flush_now(void *ctx, struct pw_flush *flush)
{
	struct watch *w = ctx;

	w->flushes++;
	tlb_flush(&w->tlb, flush);
}

static void begin(struct watch *w, const struct pw_format *format)
{
	pw_va boundary = pw_level_page_size(&format->level[1]);

	memset(w, 0, sizeof *w);
	fixture_begin(&w->f, format, false);
	w->real = w->f.tm.memory;
	w->f.tm.memory = (struct pw_memory){.read_pte = read_pte,
		.write_pte = write_pte,
		.exchange_pte = exchange_pte,
		.allocate_table = allocate_table,
		.free_table = free_table,
		.ctx = w};
	w->f.flush.live = true;
	w->f.flush.flush_now = flush_now;
	w->f.flush.ctx = w;
	w->during = "the beginning";
	tlb_fill(&w->tlb, &w->f, boundary - half() * pw_level_page_size(&format->level[0]),
		2 * half());
}

static void end(struct watch *w)
{
	w->f.tm.memory = w->real;
	w->f.flush.live = false;
	fixture_end(&w->f);
}

/* All translations of the cells are in the TLB; the operation; then its list is flushed. */
static void before(struct watch *w, const char *during)
{
	w->during = during;
	w->stores = w->flushes = 0;
	tlb_fill(&w->tlb, &w->f, w->tlb.first, w->tlb.cells);
}

static void after(struct watch *w)
{
	tlb_flush(&w->tlb, &w->f.flush);
	tlb_check(&w->tlb, w->during);
	pw_flush_done(&w->f.space, &w->f.flush);
}

static bool is_arm(const struct pw_format *format)
{
	return format->family == PW_FAMILY_ARM && format->levels > 1;
}

/* One of three memory types: by name, or by index where names say nothing (MAIR). */
static pw_rights type_of(const struct watch *w, unsigned which)
{
	static const pw_rights names[] = {PW_MEM_WB, PW_MEM_WC, PW_MEM_UC};
	pw_rights name = names[which];

	return w->f.format->encode_type[name >> PW_MEM_SHIFT] != PW_CANNOT ? name
									   : PW_MEM_INDEX(which);
}

/* ---- One change at a time ---- */

static void change_type(struct watch *w, pw_rights rights, pw_rights how)
{
	uint64_t page = w->tlb.page, count = 2 * half();
	pw_va first = w->tlb.first;
	enum pw_status status;

	status = pw_map(
		&w->f.space, first, first, count * page, rights | type_of(w, 0) | how, &w->f.flush);
	cr_assert(status == PW_OK, "%s: %s", w->f.format->name, pw_status_name(status));
	after(w);
	before(w, "protect");
	cr_assert(pw_protect(&w->f.space, first, count * page, rights | type_of(w, 1),
			  &w->f.flush) == PW_OK);
	cr_assert(w->flushes > 0, "%s: nothing is flushed in between", w->f.format->name);
	after(w);
	before(w, "modify");
	cr_assert(pw_modify(&w->f.space, first + page, (count - 2) * page, type_of(w, 2), 0,
			  &w->f.flush) == PW_OK);
	cr_assert(w->flushes > 0, "%s: nothing is flushed in between", w->f.format->name);
	after(w);
	/* The same once more, and rights alone, go straight. */
	before(w, "a protect that changes rights alone");
	cr_assert(pw_modify(&w->f.space, first + page, (count - 2) * page, type_of(w, 2), 0,
			  &w->f.flush) == PW_OK &&
		  !w->stores);
	if (w->f.format->encode[PW_R] != PW_CANNOT)
		cr_assert(pw_protect(&w->f.space, first + 20 * page, 40 * page, PW_R,
				  &w->f.flush) == PW_OK);
	if (!how)
		cr_assert(w->flushes == 0, "%s: rights alone", w->f.format->name);
	after(w);
	before(w, "unmap");
	cr_assert(pw_unmap(&w->f.space, first, count * page, &w->f.flush) == PW_OK);
	after(w);
}

Test(build_break, a_memory_type_goes_by_way_of_holes)
{
	const struct pw_format *format;
	static struct watch w;
	unsigned formats = 0;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (!is_arm(format))
			continue;
		begin(&w, format);
		change_type(&w, fixture_most(format), 0);
		change_type(&w, fixture_most(format), PW_CONTIGUOUS);
		end(&w);
		formats++;
	}
	cr_assert(formats > 5);
}

/* A page that becomes global beside translations that are not. */
Test(build_break, so_does_a_page_that_becomes_global)
{
	static struct watch w;
	pw_va va;

	begin(&w, &pw_format_arm64_4k);
	va = w.tlb.first;
	cr_assert(pw_map(&w.f.space, va, 0, 8 * w.tlb.page, PW_R, &w.f.flush) == PW_OK);
	before(&w, "protect");
	cr_assert(
		pw_protect(&w.f.space, va, 8 * w.tlb.page, PW_R | PW_GLOBAL, &w.f.flush) == PW_OK);
	cr_assert(w.flushes == 1);
	after(&w);
	before(&w, "protect back");
	cr_assert(pw_protect(&w.f.space, va, 8 * w.tlb.page, PW_R, &w.f.flush) == PW_OK);
	cr_assert(w.flushes == 0 && w.f.flush.range_count == 1);
	after(&w);
	end(&w);
}

/* Whatever else the pages of a table have in common, one that would have to break is found. */
Test(build_break, without_somebody_to_flush_it_is_refused)
{
	for (unsigned windows = 0; windows < 2; windows++) {
		static struct fixture f;
		uint8_t *copy;

		fixture_begin(&f, &pw_format_arm64_s2_4k, windows);
		cr_assert(pw_map(&f.space, 0, 0, 4 * KIB, PW_R | PW_MEM_WB, NULL) == PW_OK);
		cr_assert(pw_map(&f.space, 4 * KIB, 0, 4 * KIB, PW_R | PW_MEM_UC, NULL) == PW_OK);
		f.flush.live = true;
		copy = test_memory_copy(&f.tm);
		cr_assert(pw_protect(&f.space, 0, 8 * KIB, PW_R | PW_MEM_UC, &f.flush) ==
			  PW_E_UNSUPPORTED);
		cr_assert(pw_modify(&f.space, 0, 8 * KIB, PW_MEM_WB, 0, &f.flush) ==
			  PW_E_UNSUPPORTED);
		cr_assert(test_memory_equals(&f.tm, copy) && !f.flush.range_count);
		/* What keeps its type keeps its place. */
		cr_assert(pw_protect(&f.space, 4 * KIB, 4 * KIB, PW_R | PW_W | PW_MEM_UC,
				  &f.flush) == PW_OK);
		cr_assert(pw_protect(&f.space, 0, 8 * KIB, PW_R, &f.flush) == PW_OK);
		f.flush.live = false;
		free(copy);
		fixture_end(&f);
	}
}

/* ---- Anything, in any order ---- */

static pw_rights random_rights(struct watch *w)
{
	unsigned which = (unsigned)random_below(&w->random, 4);

	for (;;) {
		pw_rights rights = (pw_rights)random_below(&w->random, 16);

		if (w->f.format->encode[rights] != PW_CANNOT)
			return rights | (which < 3 ? type_of(w, which) : 0);
	}
}

static void one(struct watch *w)
{
	static const char *const names[] = {
		"unmap", "split", "protect", "modify", "collapse", "map"};
	uint64_t page = w->tlb.page, from = random_below(&w->random, w->tlb.cells);
	uint64_t size = (1 + random_below(&w->random, w->tlb.cells - from)) * page;
	unsigned which = (unsigned)random_below(&w->random, 10);
	pw_va va = w->tlb.first + from * page;
	const struct pw_space *space = &w->f.space;
	struct pw_flush *flush = &w->f.flush;

	which = which > 8 ? 4 : which > 5 ? 5 : which;
	before(w, names[which]);
	if (which == 0)
		(void)!pw_unmap(space, va, size, flush);
	else if (which == 1)
		(void)!pw_split(space, va, size, 0, flush);
	else if (which == 2)
		(void)!pw_protect(space, va, size, random_rights(w), flush);
	else if (which == 3)
		(void)!pw_modify(space, va, size, type_of(w, (unsigned)random_below(&w->random, 3)),
			0, flush);
	else if (which == 4)
		(void)!pw_collapse(space, va, size, 1 | PW_CONTIGUOUS, NULL, flush);
	else
		(void)!pw_map(space, va, va, size,
			random_rights(w) | PW_REPLACE |
				(random_once_in(&w->random, 2) ? PW_CONTIGUOUS : 0),
			flush);
	after(w);
}

Test(build_break, random_operations)
{
	uint64_t seed = random_seed(20271128);
	unsigned operations = getenv("PW_EXHAUSTIVE") ? 500 : share_of(15, 5);
	const struct pw_format *format;
	static struct watch w;

	printf("seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (!is_arm(format))
			continue;
		begin(&w, format);
		w.random = random_from(seed + i);
		for (unsigned n = 0; n < operations; n++)
			one(&w);
		end(&w);
	}
}
