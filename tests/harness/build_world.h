/* SPDX-License-Identifier: MIT */
/*
 * A space in a small memory, the flat model of a part of it, and everything that must be true of
 * the two after an operation.
 */
#ifndef HARNESS_BUILD_WORLD_H
#define HARNESS_BUILD_WORLD_H

#include "flat_map.h"
#include "page_attributes.h"
#include "random.h"
#include "slow_walk.h"
#include "test_memory.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define WORLD_MEMORY_BASE UINT64_C(0x100000)
#define WORLD_RANGES      8
#define WORLD_FREED       16
#define WORLD_FLUSHED     64
#define WORLD_RETAINED    12

/* How large a world is, and how closely it is looked at. */
struct world_kind {
	uint64_t memory_bytes;
	uint64_t page_cells; /* the largest page has no more cells, if any has less */
	unsigned base;       /* the level whose pages are the cells */
	unsigned samples;    /* cells looked at after each operation, beside those around its ends,
				and again as many of its own */
	unsigned small;      /* of 4 + small ranges 1 + small are of a few cells */
	unsigned whole_once_in;  /* one range in so many is the whole world; 0: none */
	uint64_t allocated;      /* most cells allocated at once */
	unsigned tables_once_in; /* tables are counted after one operation in so many */
	bool windows;
	bool groups;  /* mappings may ask for groups of entries */
	bool retains; /* tables are kept for splits */
};

struct world {
	struct random random;
	const struct pw_format *format;
	struct world_kind kind;
	struct test_memory tm;
	struct pw_space space;
	struct flat_map model, before; /* the cells before the operation */
	uint8_t *copy;                 /* and the tables */
	struct slow_config config;
	struct slow_memory memory;
	struct pw_flush flush;
	struct pw_flush_range ranges[WORLD_RANGES];
	struct pw_freed_table freed[WORLD_FREED];
	unsigned top_page; /* the highest level whose pages the model can hold */
	/* The cells of the last operation, and those that changed, as one range. */
	uint64_t from, count;
	/* Flushed by world_flush_now() while the operation ran. */
	struct pw_flush_range flushed[WORLD_FLUSHED];
	size_t flushed_count;
	bool flushed_everything;
	unsigned exists, failed, done;
	uint64_t merged, joined; /* pages; pages and groups where those were asked for */
	struct pw_retained kept[WORLD_RETAINED];
	struct pw_retention retention; /* used if the flush list says so */
	unsigned retained;
	uint64_t grouped; /* cells of such groups that were looked at */
	bool marks;       /* the model keeps Accessed and Dirty */
};

/* ---- The twin's answer against the model's ---- */

static inline unsigned world_letters(struct slow_rights rights)
{
	return (rights.read ? PW_R : 0) | (rights.write ? PW_W : 0) | (rights.execute ? PW_X : 0);
}

static inline struct slow_result world_look(const struct world *w, pw_va va)
{
	static const struct slow_access any = {.op = SLOW_OP_NONE};
	struct slow_result result;

	slow_walk(&w->config, &w->memory, va, &any, &result);
	return result;
}

static inline bool world_rights_are(const struct slow_result *r, unsigned rights)
{
	if (rights & PW_U)
		return world_letters(r->user) == (rights & 7);
	return world_letters(r->supervisor) == (rights & 7) &&
	       (!r->has_user_notion || world_letters(r->user) == 0);
}

static inline const char *world_difference(
	const struct world *w, const struct flat_cell *cell, const struct slow_result *r)
{
	if (!cell->mapped)
		return r->status == SLOW_NOT_PRESENT ? NULL : "a hole";
	if (r->status != SLOW_MAPPED)
		return "a page";
	if (r->pa != cell->pa)
		return "pa";
	if (!world_rights_are(r, cell->rights))
		return "rights";
	if (r->global != !!(cell->rights & PW_GLOBAL))
		return "global";
	if (page_software(w->format, r->entry) != cell->software)
		return "software value";
	if (page_type(w->format, r->page_size, r->entry) != cell->type)
		return "memory type";
	if (w->format->family != PW_FAMILY_X86 && w->format->family != PW_FAMILY_EPT &&
		w->format->family != PW_FAMILY_NPT)
		return NULL;
	if (r->accessed != cell->accessed)
		return "accessed";
	return r->dirty == cell->dirty ? NULL : "dirty";
}

/* Cells that one TLB entry may hold with this one. */
static inline uint64_t world_group_cells(const struct world *w, const struct slow_result *r)
{
	const struct pw_level *row = &w->format->level[r->level];

	if (r->page_size != pw_level_page_size(row))
		return r->page_size / w->model.page;
	return (r->entry & row->page.hint ? UINT64_C(1) << row->page.hint_log2 : r->page_size) /
	       w->model.page;
}

/* All of a group says the same, so that it is no matter which entry the hardware takes. */
static inline void world_check_group(struct world *w, uint64_t cell, const struct slow_result *r)
{
	uint64_t cells = world_group_cells(w, r), others[3], first;
	const struct flat_cell *here = &w->model.cells[cell];

	if (cells == pw_level_page_size(&w->format->level[r->level]) / w->model.page)
		return;
	w->grouped++;
	first = flat_map_va(&w->model, cell) / w->model.page % cells;
	first = cell - first; /* may lie before the model */
	others[0] = first;
	others[1] = first + cells - 1;
	others[2] = first + random_below(&w->random, cells);
	for (unsigned i = 0; i < 3; i++) {
		const struct flat_cell *there = &w->model.cells[others[i]];

		if (others[i] >= w->model.count)
			continue;
		if (!there->mapped || there->rights != here->rights ||
			there->pa - here->pa != (others[i] - cell) * w->model.page)
			cr_assert_fail("%s: a group of entries that differ at %#llx",
				w->format->name,
				(unsigned long long)flat_map_va(&w->model, others[i]));
	}
}

static inline void world_check_cell(struct world *w, uint64_t cell, const char *after)
{
	pw_va va = flat_map_va(&w->model, cell);
	struct slow_result r = world_look(w, va);
	const char *what = world_difference(w, &w->model.cells[cell], &r);

	if (what)
		cr_assert_fail("%s after %s: at va %#llx the model has another %s (pa %#llx rights "
			       "%#x); the "
			       "tables have %s, entry %#llx at level %d",
			w->format->name, after, (unsigned long long)va, what,
			(unsigned long long)w->model.cells[cell].pa, w->model.cells[cell].rights,
			slow_status_name(r.status), (unsigned long long)r.entry, r.level);
	if (r.status == SLOW_MAPPED)
		world_check_group(w, cell, &r);
}

/* Around both ends of the operation, and here and there. */
static inline void world_check_some(struct world *w, const char *after)
{
	uint64_t ends[] = {w->from, w->from + w->count};

	for (unsigned i = 0; i < 2; i++) {
		for (uint64_t j = 0; j < 6; j++) {
			uint64_t cell = ends[i] + j - 3;

			if (cell < w->model.count)
				world_check_cell(w, cell, after);
		}
	}
	for (unsigned i = 0; i < w->kind.samples; i++) {
		world_check_cell(w, random_below(&w->random, w->model.count), after);
		if (w->count)
			world_check_cell(w, w->from + random_below(&w->random, w->count), after);
	}
}

/* ---- Tables: each is linked once or waits in the list ---- */

static inline uint64_t world_count_tables(const struct world *w, pw_pa table, unsigned level)
{
	const struct pw_level *row = &w->format->level[level];
	unsigned bytes = w->format->entry_bytes;
	uint64_t tables = 1, entries = pw_level_entries(row);
	bool used = level + 1u == w->format->levels;

	for (uint64_t i = 0; i < entries && (level || !used); i++) {
		uint64_t entry = test_memory_load(&w->tm, table + i * bytes, bytes);
		enum pw_kind kind;

		used |= entry != 0;
		kind = pw_entry_kind(w->format, level, entry);
		if (kind == PW_BAD)
			cr_assert_fail("%s: a BAD entry", w->format->name);
		if (kind == PW_TABLE)
			tables += world_count_tables(
				w, pw_entry_address(w->format, level, entry), level - 1);
	}
	cr_assert(used, "%s: an empty table is kept", w->format->name);
	return tables;
}

static inline void world_check_tables(const struct world *w)
{
	uint64_t linked = world_count_tables(w, w->space.root, w->format->levels - 1u);

	cr_assert(linked + w->flush.freed_count + w->retention.count == w->tm.tables_out,
		"%s: %llu tables linked, %llu waiting, %llu out", w->format->name,
		(unsigned long long)linked, (unsigned long long)w->flush.freed_count,
		(unsigned long long)w->tm.tables_out);
	cr_assert(w->tm.faults == 0, "%s: %llu faults", w->format->name,
		(unsigned long long)w->tm.faults);
}

/* ---- The flush list ---- */

static inline bool world_is_in(const struct pw_flush_range *ranges, size_t count, pw_va va)
{
	for (size_t i = 0; i < count; i++) {
		if (va >= ranges[i].first && va <= ranges[i].last)
			return true;
	}
	return false;
}

/* In the list, or flushed while the operation ran. */
static inline bool world_is_listed(const struct world *w, pw_va va)
{
	return w->flush.everything || w->flushed_everything ||
	       world_is_in(w->flush.ranges, w->flush.range_count, va) ||
	       world_is_in(w->flushed, w->flushed_count, va);
}

static inline void world_check_listed(const struct world *w)
{
	for (uint64_t i = w->from; i < w->from + w->count; i++) {
		const struct flat_cell *now = &w->model.cells[i], *old = &w->before.cells[i];

		if (old->mapped &&
			(!now->mapped || now->pa != old->pa || now->rights != old->rights ||
				now->type != old->type) &&
			!world_is_listed(w, flat_map_va(&w->model, i)))
			cr_assert_fail("%s: a stale translation is not in the flush list",
				w->format->name);
	}
	for (size_t i = 1; i < w->flush.range_count; i++)
		cr_assert(w->flush.ranges[i].last + 1 != w->flush.ranges[i - 1].first &&
			  w->flush.ranges[i].first != w->flush.ranges[i - 1].last + 1);
}

static inline void world_flush_now(void *ctx, struct pw_flush *flush)
{
	struct world *w = ctx;

	w->flushed_everything |= flush->everything;
	for (size_t i = 0; i < flush->range_count; i++) {
		if (w->flushed_count < WORLD_FLUSHED)
			w->flushed[w->flushed_count++] = flush->ranges[i];
		else
			w->flushed_everything = true;
	}
}

static inline uint64_t world_block_cells(const struct world *w, unsigned level)
{
	return UINT64_C(1) << (w->format->level[level].shift -
			       w->format->level[w->kind.base].shift);
}

/* ---- The world ---- */

/* A range that holds a few of the largest pages, and crosses the level above. */
static inline void world_begin_model(struct world *w)
{
	const struct pw_format *f = w->format;
	unsigned level = w->kind.base, shift = f->level[level].shift;
	uint64_t block, first, above;

	while (level + 1u < f->levels && f->level[level + 1].page.size_log2 &&
		world_block_cells(w, level + 1) <= w->kind.page_cells)
		level++;
	w->top_page = level;
	block = world_block_cells(w, level) << shift;
	above = block << f->level[level].index_bits;
	first = above < UINT64_C(1) << (f->va_bits - 1) ? above - block - block / 2 : 0;
	first &= ~((UINT64_C(1) << shift) - 1);
	first = pw_format_extend(f, first);
	flat_map_begin(&w->model, first, UINT64_C(1) << shift, 3 * world_block_cells(w, level));
	flat_map_begin(&w->before, first, w->model.page, w->model.count);
	w->model.ordinary = (uint8_t)page_ordinary_type(f);
}

static inline void world_begin(struct world *w, const struct pw_format *format,
	const struct world_kind *kind, uint64_t seed)
{
	const struct pw_rules rules = {.riscv_napot = kind->groups};
	pw_pa root;

	*w = (struct world){.format = format, .kind = *kind, .random = random_from(seed)};
	test_memory_begin(&w->tm, WORLD_MEMORY_BASE, kind->memory_bytes, kind->windows);
	w->copy = malloc(kind->memory_bytes + kind->memory_bytes / TEST_GRAIN);
	cr_assert(w->copy != NULL, "no memory for a copy");
	cr_assert(pw_root_create(format, &w->tm.memory, &root) == PW_OK);
	cr_assert(pw_space_init_rules(&w->space, format, root, &w->tm.memory, &rules) == PW_OK);
	cr_assert(slow_config_tables(&w->config, format->name, root));
	w->config.ept_ad = true;
	w->config.riscv_svnapot = kind->groups;
	w->memory = (struct slow_memory){w->tm.bytes, w->tm.base, w->tm.size, false, NULL};
	w->marks = format->family == PW_FAMILY_X86 || format->family == PW_FAMILY_EPT ||
		   format->family == PW_FAMILY_NPT;
	world_begin_model(w);
	w->retention = (struct pw_retention){w->kept, WORLD_RETAINED, 0};
	w->flush = (struct pw_flush){.ranges = w->ranges,
		.range_max = WORLD_RANGES,
		.freed = w->freed,
		.freed_max = WORLD_FREED,
		.flush_now = world_flush_now,
		.ctx = w};
}

#endif
