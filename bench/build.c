/* SPDX-License-Identifier: MIT */
/*
 * build/map|protect|unmap/WHO and build-live/protect|unmap/WHO: 4 GiB in pages of 4 KiB, in one
 * call. The item is an entry of a last table. Tables come from a pool that is warm in the caches as
 * far as it fits; the pages' addresses are such that no larger page is possible.
 *
 * build-pages/PAGES/pagewalk: the same for other sizes.
 */
#include "bench.h"
#include "builder.h"
#include "kinds.h"
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define SIZE       (UINT64_C(4) << 30)
#define SIZE_SMALL (UINT64_C(64) << 20)
#define COMPARED   (X86_ADDRESS | X86_P | X86_W | X86_U | X86_PS | X86_NX)

enum op {
	OP_MAP,
	OP_PROTECT,
	OP_UNMAP,
	OPS,
};

struct state {
	struct ground ground;
	bool writable;
};

uint64_t ground_take(struct ground *ground)
{
	if (!ground->free)
		bench_die("the pool of %zu tables is empty", ground->tables);
	return ground->pool[--ground->free];
}

void ground_give(struct ground *ground, uint64_t table)
{
	if (ground->free == ground->tables)
		bench_die("a table was given back twice");
	ground->pool[ground->free++] = table;
}

static void make_ground(struct ground *g, uint64_t size, bool live)
{
	g->tables = (size >> SHIFT(1)) + (size >> SHIFT(2)) + 8;
	image_open(&g->image, g->tables + 1, 0, false);
	memset(g->image.bytes, 0xff, g->image.size); /* what a pool's pages hold is not known */
	g->root = image_take(&g->image);
	g->pool = calloc(g->tables, sizeof *g->pool);
	if (!g->pool)
		bench_die("no memory");
	g->va = UINT64_C(0x0000400000000000);
	g->pa = (UINT64_C(1) << 38) + TABLE_BYTES;
	g->size = size;
	g->live = live;
	g->bytes = ((size >> SHIFT(1)) + (size >> SHIFT(2)) + 1) * TABLE_BYTES;
}

void ground_clear(struct ground *g)
{
	memset(g->image.bytes + g->root, 0, TABLE_BYTES);
	g->free = g->tables;
	for (size_t i = 0; i < g->tables; i++)
		g->pool[i] = g->root + (g->tables - i) * TABLE_BYTES;
}

static uint64_t find(const struct ground *g, uint64_t va)
{
	uint64_t entry = g->root | X86_P;

	for (unsigned level = LEVELS; level-- > 0 && (entry & X86_P);)
		entry = x86_load(g->image.bytes, (entry & X86_ADDRESS) + SLOT(va, level));
	return entry;
}

static void verify_mapped(const struct ground *g, bool writable)
{
	uint64_t bits = X86_P | X86_U | X86_NX | (writable ? X86_W : 0);

	for (uint64_t at = 0; at < g->size; at += TABLE_BYTES) {
		uint64_t entry = find(g, g->va + at);

		if ((entry & COMPARED) != ((g->pa + at) | bits))
			bench_die("%#llx: the entry is %#llx", (unsigned long long)(g->va + at),
				(unsigned long long)entry);
	}
	if ((find(g, g->va - 1) | find(g, g->va + g->size)) & X86_P)
		bench_die("something is mapped beside the range");
}

static void verify_empty(const struct ground *g)
{
	for (size_t i = 0; i < TABLE_ENTRIES; i++) {
		if (x86_load(g->image.bytes, g->root + i * 8))
			bench_die("the root is not empty");
	}
	if (g->free != g->tables)
		bench_die("%zu of %zu tables are not back", g->tables - g->free, g->tables);
}

static void verify(struct ground *g, const struct builder *b)
{
	ground_clear(g);
	b->map(g);
	verify_mapped(g, true);
	b->protect(g, false);
	verify_mapped(g, false);
	b->protect(g, true);
	verify_mapped(g, true);
	b->unmap(g);
	verify_empty(g);
}

static void open_build(struct bench *bench)
{
	const struct builder *b = bench->who;
	struct state *state = calloc(1, sizeof *state);

	if (!state)
		bench_die("no memory");
	make_ground(&state->ground, bench->size, bench->variant);
	state->ground.own = b->open ? b->open(&state->ground) : NULL;
	if (b->unmap)
		verify(&state->ground, b);
	ground_clear(&state->ground);
	if (bench->what == OP_PROTECT)
		b->map(&state->ground);
	state->writable = true;
	bench->items = state->ground.size >> SHIFT(0);
	bench->state = state;
}

static void prepare_build(struct bench *bench)
{
	const struct builder *b = bench->who;
	struct state *state = bench->state;

	if (bench->what == OP_PROTECT)
		return;
	ground_clear(&state->ground);
	if (bench->what == OP_UNMAP)
		b->map(&state->ground);
}

static void run_build(struct bench *bench)
{
	const struct builder *b = bench->who;
	struct state *state = bench->state;

	if (bench->what == OP_MAP)
		b->map(&state->ground);
	else if (bench->what == OP_UNMAP)
		b->unmap(&state->ground);
	else
		b->protect(&state->ground, state->writable = !state->writable);
}

static void close_build(struct bench *bench)
{
	struct state *state = bench->state;

	if (!state)
		return;
	image_close(&state->ground.image);
	free(state->ground.pool);
	free(state->ground.own);
	free(state);
}

static const struct bench_kind build_kind = {
	.open = open_build,
	.prepare = prepare_build,
	.run = run_build,
	.close = close_build,
};

static void add(const char *family, enum op op, const struct builder *builder, bool live)
{
	static const char *const name[OPS] = {"map", "protect", "unmap"};
	struct bench *bench = bench_add(&build_kind, "%s/%s/%s", family, name[op], builder->who);

	bench->who = builder;
	bench->what = op;
	bench->variant = live;
	bench->size = bench_is_small() ? SIZE_SMALL : SIZE;
}

static void add_pages(uint64_t pages)
{
	struct bench *bench =
		bench_add(&build_kind, "build-pages/%llu/pagewalk", (unsigned long long)pages);

	bench->who = &builder_pagewalk;
	bench->what = OP_MAP;
	bench->size = pages << SHIFT(0);
}

void build_add(void)
{
	add("build", OP_MAP, &builder_memset, false);
	for (unsigned op = 0; op < OPS; op++) {
		add("build", (enum op)op, &builder_limit, false);
		add("build", (enum op)op, &builder_pagewalk, false);
		add("build", (enum op)op, &builder_pagewalk_scalar, false);
	}
	for (unsigned op = OP_PROTECT; op < OPS; op++) {
		add("build-live", (enum op)op, &builder_limit, true);
		add("build-live", (enum op)op, &builder_pagewalk, true);
	}
	for (uint64_t pages = 1000; pages <= (bench_is_small() ? 10000 : 10000000); pages *= 10)
		add_pages(pages);
	build_large_add();
}
