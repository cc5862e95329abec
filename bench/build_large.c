/* SPDX-License-Identifier: MIT */
/*
 * Larger pieces of work on tables, each in one call:
 *
 *   build/map-1tib/WHO      1 TiB in pages of 1 GiB; the item is a page
 *   build/split-1gib/WHO    one page of 1 GiB to pages of 4 KiB; the item is a 4 KiB page
 *   build/collapse-1gib/WHO and back
 *   build/harvest/WHO       which of 64 GiB of 4 KiB pages are dirty, as a bitmap, and clear that;
 *                           one in four is, at random; the item is a page
 *   build-live/harvest/WHO  the same with one atomic operation for each dirty entry
 *
 * memset: the bytes of the tables in question.
 */
#include "bench.h"
#include "builder.h"
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define GIB       (UINT64_C(1) << 30)
#define LARGE_VA  UINT64_C(0x0000400000000000)
#define LARGE_PA  (UINT64_C(1) << 40)
#define ONE_IN    4
#define ITEM_MASK (X86_ADDRESS | X86_P | X86_W | X86_U | X86_NX)

enum work {
	WORK_MAP,
	WORK_SPLIT,
	WORK_COLLAPSE,
	WORK_HARVEST,
};

struct state {
	struct ground ground;
	uint64_t *dirty; /* a bitmap of what is dirty, */
	uint64_t *found; /* and of what was found */
};

static uint64_t table_count(enum work work)
{
	switch (work) {
	case WORK_MAP:
		return 3; /* with the second half TiB's */
	case WORK_HARVEST:
		return 0;
	default:
		return TABLE_ENTRIES + 1;
	}
}

static void make_large_ground(struct ground *g, enum work work, bool live)
{
	uint64_t size = work == WORK_MAP ? 1024 * GIB : work == WORK_HARVEST ? 64 * GIB : GIB;

	if (work == WORK_HARVEST && bench_is_small())
		size = GIB / 8;
	g->tables = (work == WORK_HARVEST ? (size >> SHIFT(1)) + (size >> SHIFT(2)) : 0) +
		    TABLE_ENTRIES + 16;
	image_open(&g->image, g->tables + 1, 0, false);
	g->root = image_take(&g->image);
	g->pool = calloc(g->tables, sizeof *g->pool);
	if (!g->pool)
		bench_die("no memory");
	g->va = LARGE_VA;
	g->pa = LARGE_PA + (work == WORK_HARVEST ? TABLE_BYTES : 0);
	g->size = size;
	g->live = live;
	g->bytes = table_count(work) * TABLE_BYTES;
}

static uint64_t *slot(const struct ground *g, uint64_t va, unsigned *level)
{
	uint64_t *entry, table = g->root;

	for (*level = LEVELS - 1;; --*level) {
		entry = x86_table(g->image.bytes, table + SLOT(va, *level));
		if (!*level || !(*entry & X86_P) || *entry & X86_PS)
			return entry;
		table = *entry & X86_ADDRESS;
	}
}

static void expect_pages(const struct ground *g, unsigned level, uint64_t ignored)
{
	uint64_t step = UINT64_C(1) << SHIFT(level);

	for (uint64_t at = 0; at < g->size; at += step) {
		unsigned found;
		uint64_t entry = *slot(g, g->va + at, &found);

		if (found != level || ((entry & ITEM_MASK & ~ignored) !=
					      ((g->pa + at) | X86_P | X86_W | X86_U | X86_NX)))
			bench_die("%#llx: the entry is %#llx at level %u",
				(unsigned long long)(g->va + at), (unsigned long long)entry, found);
	}
}

static void mark_dirty(struct state *s)
{
	struct ground *g = &s->ground;

	for (uint64_t at = 0; at < g->size; at += UINT64_C(1) << SHIFT(1)) {
		unsigned level;
		uint64_t *entry = slot(g, g->va + at, &level), page = at >> SHIFT(0);

		for (unsigned i = 0; i < TABLE_ENTRIES; i++)
			entry[i] |= s->dirty[(page + i) / 64] >> (page + i) % 64 & 1 ? X86_D : 0;
	}
}

static void choose_dirty(struct state *s)
{
	uint64_t words = s->ground.size >> SHIFT(0) >> 6;
	struct rng rng = {7};

	s->dirty = calloc(words, 8);
	s->found = calloc(words, 8);
	if (!s->dirty || !s->found)
		bench_die("no memory");
	for (uint64_t i = 0; i < words * 64; i++)
		s->dirty[i / 64] |= (uint64_t)(rng_below(&rng, ONE_IN) == 0) << i % 64;
}

/* For the limit of a live space: the entries that are dirty, NULL after the last. */
static void *list_dirty(struct state *s)
{
	const struct ground *g = &s->ground;
	uint64_t pages = g->size >> SHIFT(0), **list = calloc(pages + 1, sizeof *list);
	size_t count = 0;
	unsigned level;

	if (!list)
		bench_die("no memory");
	for (uint64_t i = 0; i < pages; i++) {
		if (s->dirty[i / 64] >> i % 64 & 1)
			list[count++] = slot(g, g->va + (i << SHIFT(0)), &level);
	}
	return list;
}

static void verify_harvest(struct state *s, const struct builder *b)
{
	uint64_t bytes = s->ground.size >> SHIFT(0) >> 3;

	mark_dirty(s);
	b->harvest(&s->ground, s->found);
	if (memcmp(s->found, s->dirty, bytes) != 0)
		bench_die("not what is dirty");
	memset(s->found, 0, bytes);
	b->harvest(&s->ground, s->found);
	for (uint64_t i = 0; i < bytes / 8; i++) {
		if (s->found[i])
			bench_die("found twice");
	}
}

static void prepare_large(struct bench *bench)
{
	struct state *s = bench->state;
	const struct builder *b = bench->who;

	if (bench->what == WORK_HARVEST) {
		mark_dirty(s);
		return;
	}
	ground_clear(&s->ground);
	if (!b->unmap)
		return;
	if (bench->what != WORK_MAP)
		builder_pagewalk.map(&s->ground);
	if (bench->what == WORK_COLLAPSE)
		builder_pagewalk.split(&s->ground);
}

static void run_large(struct bench *bench)
{
	struct state *s = bench->state;
	const struct builder *b = bench->who;

	if (bench->what == WORK_HARVEST)
		b->harvest(&s->ground, s->found);
	else if (bench->what == WORK_SPLIT && b->split)
		b->split(&s->ground);
	else if (bench->what == WORK_COLLAPSE && b->collapse)
		b->collapse(&s->ground);
	else
		b->map(&s->ground);
}

static void open_large(struct bench *bench)
{
	const struct builder *b = bench->who;
	struct state *s = calloc(1, sizeof *s);

	if (!s)
		bench_die("no memory");
	bench->state = s;
	make_large_ground(&s->ground, bench->what, bench->variant);
	s->ground.own = builder_pagewalk.open(&s->ground);
	bench->items = s->ground.size >> SHIFT(bench->what == WORK_MAP ? 2 : 0);
	ground_clear(&s->ground);
	if (bench->what == WORK_HARVEST) {
		builder_pagewalk.map(&s->ground);
		choose_dirty(s);
		free(s->ground.own);
		s->ground.own = b->open ? b->open(&s->ground) : NULL;
		verify_harvest(s, b);
		if (b == &builder_limit && s->ground.live)
			s->ground.own = list_dirty(s);
	} else if (b->unmap) {
		prepare_large(bench);
		run_large(bench);
		expect_pages(&s->ground, bench->what == WORK_SPLIT ? 0 : 2, 0);
	}
}

static void close_large(struct bench *bench)
{
	struct state *s = bench->state;

	if (!s)
		return;
	image_close(&s->ground.image);
	free(s->ground.pool);
	free(s->ground.own);
	free(s->dirty);
	free(s->found);
	free(s);
}

static const struct bench_kind large_kind = {
	.open = open_large,
	.prepare = prepare_large,
	.run = run_large,
	.close = close_large,
};

static void add(const char *name, enum work work, const struct builder *builder, bool live)
{
	struct bench *bench = bench_add(&large_kind, "%s/%s", name, builder->who);

	bench->who = builder;
	bench->what = work;
	bench->variant = live;
}

void build_large_add(void)
{
	static const char *const name[] = {
		"build/map-1tib", "build/split-1gib", "build/collapse-1gib"};

	for (unsigned work = WORK_MAP; work <= WORK_COLLAPSE; work++) {
		add(name[work], work, &builder_memset, false);
		add(name[work], work, &builder_pagewalk, false);
	}
	add("build/harvest", WORK_HARVEST, &builder_limit, false);
	add("build/harvest", WORK_HARVEST, &builder_pagewalk, false);
	add("build/harvest", WORK_HARVEST, &builder_pagewalk_scalar, false);
	add("build-live/harvest", WORK_HARVEST, &builder_limit, true);
	add("build-live/harvest", WORK_HARVEST, &builder_pagewalk, true);
}
