/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of map, protect, unmap, allocate and free, in every format, against the flat
 * model. After every operation: the tables say what the model says (by the slow twin), the flush
 * list covers what changed, no table is lost. Now and then an allocation fails.
 */
#include "flat_map.h"
#include "random.h"
#include "slow_walk.h"
#include "test_memory.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_BASE  UINT64_C(0x100000)
#define MEMORY_BYTES (UINT64_C(6) << 20)
#define RANGES       8
#define FREED        16
#define FLUSHED      64
#define CELLS_MAX    (UINT64_C(1) << 18)

struct world {
	struct random random;
	const struct pw_format *format;
	struct test_memory tm;
	struct pw_space space;
	struct flat_map model, before; /* the cells before the operation */
	uint8_t *copy;                 /* and the memory */
	struct slow_config config;
	struct slow_memory memory;
	struct pw_flush flush;
	struct pw_flush_range ranges[RANGES];
	struct pw_freed_table freed[FREED];
	unsigned top_page; /* the highest level whose pages the model can hold */
	uint64_t software; /* a bit of page entries that is the software's */
	/* The cells of the last operation, and those that changed, as one range. */
	uint64_t from, count;
	/* Flushed by flush_now() while the operation ran. */
	struct pw_flush_range flushed[FLUSHED];
	size_t flushed_count;
	bool flushed_everything;
	unsigned exists, failed, done;
};

/* ---- The twin's answer against the model's ---- */

static unsigned letters(struct slow_rights rights)
{
	return (rights.read ? PW_R : 0) | (rights.write ? PW_W : 0) | (rights.execute ? PW_X : 0);
}

static struct slow_result look(const struct world *w, pw_va va)
{
	static const struct slow_access any = {.op = SLOW_OP_NONE};
	struct slow_result result;

	slow_walk(&w->config, &w->memory, va, &any, &result);
	return result;
}

static bool rights_are(const struct slow_result *r, unsigned rights)
{
	if (rights & PW_U)
		return letters(r->user) == (rights & 7);
	return letters(r->supervisor) == (rights & 7) &&
	       (!r->has_user_notion || letters(r->user) == 0);
}

static const char *difference(
	const struct world *w, const struct flat_cell *cell, const struct slow_result *r)
{
	if (!cell->mapped)
		return r->status == SLOW_NOT_PRESENT ? NULL : "a hole";
	if (r->status != SLOW_MAPPED)
		return "a page";
	if (r->pa != cell->pa)
		return "pa";
	if (!rights_are(r, cell->rights))
		return "rights";
	if (r->global != !!(cell->rights & PW_GLOBAL))
		return "global";
	if (w->software && !!(r->entry & w->software) != cell->software)
		return "software bit";
	if (w->format->family != PW_FAMILY_X86 && w->format->family != PW_FAMILY_EPT)
		return NULL;
	if (r->accessed != cell->accessed)
		return "accessed";
	return r->dirty == cell->dirty ? NULL : "dirty";
}

static void check_cell(const struct world *w, uint64_t cell, const char *after)
{
	pw_va va = flat_map_va(&w->model, cell);
	struct slow_result r = look(w, va);
	const char *what = difference(w, &w->model.cells[cell], &r);

	cr_assert(what == NULL,
		"%s after %s: at va %#llx the model has another %s (pa %#llx rights %#x); the "
		"tables have %s, entry %#llx at level %d",
		w->format->name, after, (unsigned long long)va, what,
		(unsigned long long)w->model.cells[cell].pa, w->model.cells[cell].rights,
		slow_status_name(r.status), (unsigned long long)r.entry, r.level);
}

/* Around both ends of the operation, and here and there. */
static void check_some(struct world *w, const char *after)
{
	uint64_t ends[] = {w->from, w->from + w->count};

	for (unsigned i = 0; i < 2; i++) {
		for (uint64_t j = 0; j < 6; j++) {
			uint64_t cell = ends[i] + j - 3;

			if (cell < w->model.count)
				check_cell(w, cell, after);
		}
	}
	for (unsigned i = 0; i < 40; i++) {
		check_cell(w, random_below(&w->random, w->model.count), after);
		if (w->count)
			check_cell(w, w->from + random_below(&w->random, w->count), after);
	}
}

/* ---- Tables: each is linked once or waits in the list ---- */

static uint64_t count_tables(const struct world *w, pw_pa table, unsigned level)
{
	const struct pw_level *row = &w->format->level[level];
	unsigned bytes = w->format->entry_bytes;
	uint64_t tables = 1, entries = pw_level_entries(row);
	bool used = level + 1u == w->format->levels;

	for (uint64_t i = 0; i < entries && (level || !used); i++) {
		uint64_t entry = test_memory_load(&w->tm, table + i * bytes, bytes);

		used |= entry != 0;

		cr_assert(pw_entry_kind(w->format, level, entry) != PW_BAD, "%s: a BAD entry",
			w->format->name);
		if (pw_entry_kind(w->format, level, entry) == PW_TABLE)
			tables += count_tables(
				w, pw_entry_address(w->format, level, entry), level - 1);
	}
	cr_assert(used, "%s: an empty table is kept", w->format->name);
	return tables;
}

static void check_tables(const struct world *w)
{
	uint64_t linked = count_tables(w, w->space.root, w->format->levels - 1u);

	cr_assert(linked + w->flush.freed_count == w->tm.tables_out,
		"%s: %llu tables linked, %llu waiting, %llu out", w->format->name,
		(unsigned long long)linked, (unsigned long long)w->flush.freed_count,
		(unsigned long long)w->tm.tables_out);
	cr_assert(w->tm.faults == 0, "%s: %llu faults", w->format->name,
		(unsigned long long)w->tm.faults);
}

/* ---- The flush list ---- */

static bool is_in(const struct pw_flush_range *ranges, size_t count, pw_va va)
{
	for (size_t i = 0; i < count; i++) {
		if (va >= ranges[i].first && va <= ranges[i].last)
			return true;
	}
	return false;
}

/* In the list, or flushed while the operation ran. */
static bool is_listed(const struct world *w, pw_va va)
{
	return w->flush.everything || w->flushed_everything ||
	       is_in(w->flush.ranges, w->flush.range_count, va) ||
	       is_in(w->flushed, w->flushed_count, va);
}

static void check_listed(const struct world *w)
{
	for (uint64_t i = w->from; i < w->from + w->count; i++) {
		const struct flat_cell *now = &w->model.cells[i], *old = &w->before.cells[i];

		if (old->mapped && (!now->mapped || now->rights != old->rights))
			cr_assert(is_listed(w, flat_map_va(&w->model, i)),
				"%s: a stale translation is not in the flush list",
				w->format->name);
	}
	for (size_t i = 1; i < w->flush.range_count; i++)
		cr_assert(w->flush.ranges[i].last + 1 != w->flush.ranges[i - 1].first &&
			  w->flush.ranges[i].first != w->flush.ranges[i - 1].last + 1);
}

static void flush_now(void *ctx, struct pw_flush *flush)
{
	struct world *w = ctx;

	w->flushed_everything |= flush->everything;
	for (size_t i = 0; i < flush->range_count; i++) {
		if (w->flushed_count < FLUSHED)
			w->flushed[w->flushed_count++] = flush->ranges[i];
		else
			w->flushed_everything = true;
	}
}

/* ---- Operations ---- */

static pw_rights random_rights(struct world *w)
{
	for (;;) {
		pw_rights rights = (pw_rights)random_below(&w->random, 16);

		if (w->format->encode[rights] == PW_CANNOT)
			continue;
		if ((w->format->level[0].page.global || w->format->level[0].page.global_clear) &&
			random_once_in(&w->random, 3))
			rights |= PW_GLOBAL;
		return rights;
	}
}

static uint64_t block_cells(const struct world *w, unsigned level)
{
	return UINT64_C(1) << (w->format->level[level].shift - w->format->level[0].shift);
}

/* Ranges of all sizes, often such that they begin or end where a larger page does. */
static void random_range(struct world *w)
{
	uint64_t all = w->model.count, align = block_cells(w, w->top_page), skew;

	if (random_once_in(&w->random, 3))
		align = block_cells(w, (unsigned)random_below(&w->random, w->top_page + 1));
	w->from = random_below(&w->random, all);
	w->count = 1 + random_below(&w->random, random_once_in(&w->random, 3) ? all : 2 * align);
	skew = flat_map_va(&w->model, w->from) / w->model.page % align;
	switch (random_below(&w->random, 4)) {
	case 0: /* anywhere */
		break;
	case 1: /* a small piece */
		w->count = 1 + random_below(&w->random, 20);
		break;
	default: /* whole larger pages */
		w->from = skew > w->from ? w->from + align - skew : w->from - skew;
		w->count = (w->count + align - 1) / align * align;
		break;
	}
	if (w->from >= all)
		w->from = 0;
	if (w->count > all - w->from)
		w->count = all - w->from;
}

/* Most often such that large pages fit. */
static pw_pa random_pa(struct world *w)
{
	uint64_t bits = w->format->pa_bits, size = w->count * w->model.page, big, pa;
	pw_va va = flat_map_va(&w->model, w->from);

	if (w->format->entry_bytes == 4 && bits > 32)
		bits = 32;
	if (bits > 46)
		bits = 46;
	pa = random_next(&w->random) & ((UINT64_C(1) << bits) - 1);
	big = block_cells(w, w->top_page) * w->model.page;
	if (random_once_in(&w->random, 4))
		big = w->model.page;
	pa = (pa & ~(big - 1)) | (va & (big - 1));
	return (pa + (size - 1)) >> bits ? va & (big - 1) : pa;
}

static enum pw_status do_map(struct world *w)
{
	pw_pa pa = random_pa(w);
	pw_rights rights = random_rights(w);
	enum pw_status status = pw_map(&w->space, flat_map_va(&w->model, w->from), pa,
		w->count * w->model.page, rights, &w->flush);
	bool empty = flat_map_is_empty(&w->model, w->from, w->count);

	cr_assert((status == PW_E_EXISTS) == !empty, "%s: map of %s cells: %s", w->format->name,
		empty ? "empty" : "mapped", pw_status_name(status));
	w->exists += status == PW_E_EXISTS;
	if (status == PW_OK)
		flat_map_map(&w->model, w->from, w->count, pa, rights);
	return status;
}

static enum pw_status do_protect(struct world *w)
{
	pw_rights rights = random_rights(w);
	enum pw_status status = pw_protect(&w->space, flat_map_va(&w->model, w->from),
		w->count * w->model.page, rights, &w->flush);

	if (status == PW_OK)
		flat_map_protect(&w->model, w->from, w->count, rights);
	return status;
}

static enum pw_status do_unmap(struct world *w)
{
	enum pw_status status = pw_unmap(
		&w->space, flat_map_va(&w->model, w->from), w->count * w->model.page, &w->flush);

	if (status == PW_OK)
		flat_map_unmap(&w->model, w->from, w->count);
	return status;
}

/* Pages that are given back must have been given out: only what was allocated may be freed. */
static enum pw_status do_allocate(struct world *w)
{
	pw_va va;
	uint64_t size;
	pw_rights rights = random_rights(w);
	enum pw_status status;

	if (w->count > 3000)
		w->count = 3000;
	va = flat_map_va(&w->model, w->from);
	size = w->count * w->model.page;
	w->tm.largest_page = w->model.page << random_below(&w->random, 12);
	status = pw_allocate(&w->space, va, size, rights, &w->flush);
	cr_assert(status == PW_OK || status == PW_E_EXISTS || status == PW_E_NO_TABLES);
	if (status != PW_OK) {
		cr_assert(w->tm.page_bytes_out == 0);
		return status;
	}
	cr_assert(w->tm.page_bytes_out == size);
	for (uint64_t i = 0; i < w->count; i++) {
		struct slow_result r = look(w, va + i * w->model.page);

		cr_assert(r.status == SLOW_MAPPED && rights_are(&r, rights));
	}
	/* In two pieces, so that a page may be cut. */
	size = random_below(&w->random, w->count) * w->model.page;
	if (size)
		cr_assert(pw_free(&w->space, va, size, &w->flush) == PW_OK);
	size = w->count * w->model.page - size;
	cr_assert(
		pw_free(&w->space, va + w->count * w->model.page - size, size, &w->flush) == PW_OK);
	cr_assert(w->tm.page_bytes_out == 0 && w->tm.page_count == 0);
	return PW_OK;
}

/* The hardware or the software sets bits in an entry: all cells of the page have them. */
static void touch(struct world *w)
{
	uint64_t cell = random_below(&w->random, w->model.count), bits = 0, pages, first;
	pw_va base;
	struct slow_result r = look(w, flat_map_va(&w->model, cell));
	const struct pw_page *shape;

	if (r.status != SLOW_MAPPED)
		return;
	shape = &w->format->level[r.level].page;
	if (w->format->family == PW_FAMILY_X86 || w->format->family == PW_FAMILY_EPT)
		bits = shape->accessed | (random_once_in(&w->random, 2) ? shape->dirty : 0);
	bits |= random_once_in(&w->random, 2) ? w->software : 0;
	test_memory_store(&w->tm, r.entry_pa, w->format->entry_bytes, r.entry | bits);
	pages = r.page_size / w->model.page;
	first = cell < pages ? 0 : cell - pages;
	base = flat_map_va(&w->model, cell) & ~(r.page_size - 1);
	for (uint64_t i = first; i < w->model.count && i < cell + pages; i++) {
		struct flat_cell *c = &w->model.cells[i];

		if (!c->mapped || (flat_map_va(&w->model, i) & ~(r.page_size - 1)) != base)
			continue;
		c->accessed |= (bits & shape->accessed) != 0;
		c->dirty |= shape->dirty && (bits & shape->dirty) == shape->dirty;
		c->software |= (bits & w->software) != 0;
	}
}

static void one_operation(struct world *w)
{
	static enum pw_status (*const operations[])(struct world *) = {
		do_map, do_map, do_map, do_protect, do_protect, do_unmap, do_allocate};
	static const char *const names[] = {
		"map", "map", "map", "protect", "protect", "unmap", "allocate and free"};
	unsigned which = (unsigned)random_below(&w->random, 7);
	bool failing = random_once_in(&w->random, 4);
	enum pw_status status;

	random_range(w);
	w->flushed_count = 0;
	w->flushed_everything = false;
	if (failing) {
		w->tm.fail_at = w->tm.allocations + (int64_t)random_below(&w->random, 6);
		memcpy(w->copy, w->tm.bytes, MEMORY_BYTES);
	}
	memcpy(w->before.cells + w->from, w->model.cells + w->from,
		w->count * sizeof *w->before.cells);
	status = operations[which](w);
	w->done += status == PW_OK;
	cr_assert(status == PW_OK || status == PW_E_EXISTS || status == PW_E_NO_TABLES,
		"%s: %s: %s", w->format->name, names[which], pw_status_name(status));
	/* 6 MiB of tables may well run out; but not without the injected failure here. */
	cr_assert(status != PW_E_NO_TABLES || failing, "%s: %s: out of tables", w->format->name,
		names[which]);
	if (status == PW_E_NO_TABLES) {
		cr_assert(test_memory_equals(&w->tm, w->copy), "%s: %s failed but wrote",
			w->format->name, names[which]);
		w->failed++;
	}
	w->tm.fail_at = -1;
	check_some(w, names[which]);
	check_listed(w);
	if (random_once_in(&w->random, 3))
		pw_flush_done(&w->space, &w->flush);
	check_tables(w);
}

/* ---- The world ---- */

static uint64_t software_bit(const struct pw_format *format)
{
	switch (format->family) {
	case PW_FAMILY_X86:
		return UINT64_C(1) << 9;
	case PW_FAMILY_EPT:
		return UINT64_C(1) << 52;
	case PW_FAMILY_RISCV:
		return UINT64_C(1) << 8;
	default:
		return format->va_bits > 32 ? UINT64_C(1) << 55 : 0;
	}
}

/* A range that holds a few of the largest pages, and crosses the level above. */
static void begin_model(struct world *w)
{
	const struct pw_format *f = w->format;
	unsigned level = 0;
	uint64_t block, first, above;

	while (level + 1u < f->levels && f->level[level + 1].page.size_log2 &&
		block_cells(w, level + 1) <= CELLS_MAX)
		level++;
	w->top_page = level;
	block = block_cells(w, level) << f->level[0].shift;
	above = block << f->level[level].index_bits;
	first = above < UINT64_C(1) << (f->va_bits - 1) ? above - block - block / 2 : 0;
	first &= ~((UINT64_C(1) << f->level[0].shift) - 1);
	first = pw_format_extend(f, first);
	flat_map_begin(
		&w->model, first, UINT64_C(1) << f->level[0].shift, 3 * block_cells(w, level));
	flat_map_begin(&w->before, first, w->model.page, w->model.count);
}

static void begin(struct world *w, const struct pw_format *format, bool windows, uint64_t seed)
{
	pw_pa root;

	*w = (struct world){.format = format, .random = random_from(seed)};
	test_memory_begin(&w->tm, MEMORY_BASE, MEMORY_BYTES, windows);
	w->copy = test_memory_copy(&w->tm);
	cr_assert(pw_root_create(format, &w->tm.memory, &root) == PW_OK);
	cr_assert(pw_space_init(&w->space, format, root, &w->tm.memory) == PW_OK);
	cr_assert(slow_config_tables(&w->config, format->name, root));
	w->config.ept_ad = true;
	w->memory = (struct slow_memory){w->tm.bytes, w->tm.base, w->tm.size, false};
	w->software = software_bit(format);
	begin_model(w);
	w->flush = (struct pw_flush){.ranges = w->ranges,
		.range_max = RANGES,
		.freed = w->freed,
		.freed_max = FREED,
		.flush_now = flush_now,
		.ctx = w};
}

static void end(struct world *w, uint64_t *splits)
{
	for (uint64_t i = 0; i < w->model.count; i += 1 + w->model.count / 20000)
		check_cell(w, i, "all");
	w->from = 0;
	w->count = w->model.count;
	cr_assert(do_unmap(w) == PW_OK);
	pw_flush_done(&w->space, &w->flush);
	cr_assert(w->tm.tables_out == 1, "%s: %llu tables left", w->format->name,
		(unsigned long long)w->tm.tables_out);
	cr_assert(test_memory_is_sound(&w->tm), "%s: memory was written outside the tables",
		w->format->name);
	*splits += w->flush.splits;
	flat_map_end(&w->model);
	flat_map_end(&w->before);
	free(w->copy);
	test_memory_end(&w->tm);
}

static void every_format(bool windows, bool live, unsigned operations, uint64_t fixed_seed)
{
	static struct world w;
	uint64_t seed = random_seed(fixed_seed), splits = 0;
	const struct pw_format *format;
	unsigned failed = 0;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		/* A live Arm page is not split. */
		if (!format->levels || (live && format->family == PW_FAMILY_ARM))
			continue;
		begin(&w, format, windows, seed + i);
		w.flush.live = live;
		for (unsigned n = 0; n < operations; n++) {
			one_operation(&w);
			if (random_once_in(&w.random, 2))
				touch(&w);
		}
		failed += w.failed;
		end(&w, &splits);
	}
	cr_expect(splits > operations && failed > operations / 10,
		"%llu splits, %u failures: not much of a test", (unsigned long long)splits, failed);
	printf("seed %llu\n", (unsigned long long)seed);
}

Test(build_random, windows)
{
	every_format(true, false, 160, 20270101);
}

Test(build_random, callbacks)
{
	every_format(false, false, 80, 20270102);
}

Test(build_random, live_windows)
{
	every_format(true, true, 80, 20270103);
}

Test(build_random, live_callbacks)
{
	every_format(false, true, 60, 20270104);
}
