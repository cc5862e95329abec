/* SPDX-License-Identifier: MIT */
#include "workload.h"
#include "bench.h"
#include "x86.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_COUNT       (1u << 20)
#define LIST_COUNT_SMALL (1u << 13)
#define FRAME_SEED       0x7061676577616c6bu

static bool small;

void workload_be_small(void)
{
	small = true;
}

bool workload_is_small(void)
{
	return small;
}

/* ---- Tables ---- */

bool workload_next(const struct workload *w, struct cursor *cursor, struct leaf *leaf)
{
	if (w->page) {
		if (cursor->index == w->leaves)
			return false;
		return w->lookup(w, w->page[cursor->index++], leaf);
	}
	while (cursor->va < w->span) {
		bool found = w->lookup(w, w->first + cursor->va, leaf);

		cursor->va += found ? UINT64_C(1) << SHIFT(leaf->level) : 1 << SHIFT(0);
		if (found)
			return true;
	}
	return false;
}

static void build(struct workload *w, bool huge)
{
	struct cursor cursor = {0, 0};
	struct leaf leaf;
	uint64_t leaves = 0;

	image_open(&w->image, w->tables, FRAME_SEED, huge);
	w->root = image_take(&w->image);
	while (workload_next(w, &cursor, &leaf)) {
		image_map(&w->image, w->root, leaf.va, leaf.level, leaf.entry, leaf.table_bits);
		leaves++;
	}
	if (leaves != w->leaves || w->image.used != w->tables)
		bench_die("%s: %llu pages in %zu tables, not %llu in %llu", w->name,
			(unsigned long long)leaves, w->image.used, (unsigned long long)w->leaves,
			(unsigned long long)w->tables);
}

static void drop(struct workload *w)
{
	image_close(&w->image);
	for (unsigned i = 0; i < ORDERS; i++) {
		free(w->list[i].va);
		free(w->list[i].pa);
		free(w->list[i].level);
		free(w->list[i].rights);
	}
	free(w->page);
	free(w->broken);
	free(w->holes);
	*w = (struct workload){.leaves = 0};
}

static struct workload kept[WORKLOADS][2];

const char *workload_name(enum workload_id id)
{
	static const char *const names[WORKLOADS] = {
		[W1] = "W1", [W2] = "W2", [W3] = "W3", [W4] = "W4"};

	return names[id];
}

const struct workload *workload_get(enum workload_id id, bool huge)
{
	static void (*const model[WORKLOADS])(struct workload *) = {
		[W1] = model_w1, [W2] = model_w2, [W3] = model_w3, [W4] = model_w4};
	struct workload *w = &kept[id][huge];

	if (!w->leaves) {
		snprintf(w->name, sizeof w->name, "%s", workload_name(id));
		model[id](w);
		build(w, huge);
	}
	return w;
}

/* The workload of that size by that model: the last one is kept. */
static const struct workload *last_of(
	void (*model)(struct workload *w, uint64_t size), uint64_t size, uint64_t number)
{
	static struct workload w;
	static void (*made)(struct workload * w, uint64_t size);
	static uint64_t made_size;

	if (made != model || made_size != size) {
		drop(&w);
		snprintf(w.name, sizeof w.name, "%llu", (unsigned long long)number);
		model(&w, size);
		build(&w, false);
		made = model;
		made_size = size;
	}
	return &w;
}

const struct workload *workload_sweep(uint64_t table_bytes)
{
	return last_of(model_sweep, table_bytes, table_bytes / 1024);
}

const struct workload *workload_pages(uint64_t pages)
{
	return last_of(model_pages, pages, pages);
}

const struct workload *workload_tables(uint64_t tables)
{
	return last_of(model_tables, tables, tables);
}

/* ---- Lists ---- */

static void *array(size_t count, size_t size)
{
	void *at = calloc(count, size);

	if (!at)
		bench_die("no memory for %zu addresses", count);
	return at;
}

static void note(struct list *list, uint64_t va, const struct leaf *leaf)
{
	uint64_t low = LOW(SHIFT(leaf->level));

	list->va[list->count] = va;
	list->pa[list->count] = leaf->pa | (va & low);
	list->level[list->count] = (uint8_t)leaf->level;
	list->rights[list->count++] = (uint8_t)leaf->rights;
}

static uint64_t random_offset(struct rng *rng, uint64_t span)
{
	return rng_below(rng, span >> SHIFT(0)) << SHIFT(0) | (rng_next(rng) & 0xff8);
}

static void note_mapped(struct list *list, const struct workload *w, struct rng *rng)
{
	struct leaf leaf;
	uint64_t va;

	if (w->page) {
		va = w->page[rng_below(rng, w->leaves)] | (rng_next(rng) & 0xff8);
		if (w->lookup(w, va, &leaf))
			note(list, va, &leaf);
		return;
	}
	do {
		va = w->first + random_offset(rng, w->span);
	} while (!w->lookup(w, va, &leaf));
	note(list, va, &leaf);
}

/* A hole among the pages or in as large a range behind them. */
static void note_hole(struct list *list, const struct workload *w, struct rng *rng)
{
	uint64_t span = w->page ? w->span : 2 * w->span;
	struct leaf leaf;
	uint64_t va;

	do {
		va = w->first +
		     (w->page ? rng_next(rng) % span & ~UINT64_C(7) : random_offset(rng, span));
	} while (w->lookup(w, va, &leaf));
	list->va[list->count] = va;
	list->pa[list->count++] = LIST_HOLE;
}

static void note_sequence(struct list *list, const struct workload *w, size_t count)
{
	uint64_t units = w->page ? w->leaves : w->span >> SHIFT(0);
	struct leaf leaf;

	for (uint64_t i = 0; list->count < count; i = i + 1 == units ? 0 : i + 1) {
		uint64_t va = w->page ? w->page[i] : w->first + (i << SHIFT(0));

		if (w->lookup(w, va, &leaf))
			note(list, va, &leaf);
	}
}

static void make_list(struct list *list, const struct workload *w, enum order order)
{
	size_t count = small ? LIST_COUNT_SMALL : LIST_COUNT;
	struct rng rng = {order + 1};

	list->va = array(count, sizeof *list->va);
	list->pa = array(count, sizeof *list->pa);
	list->level = array(count, sizeof *list->level);
	list->rights = array(count, sizeof *list->rights);
	if (order == ORDER_SEQUENTIAL)
		note_sequence(list, w, count);
	while (list->count < count) {
		if (order == ORDER_UNMAPPED && rng_below(&rng, 10) == 0)
			note_hole(list, w, &rng);
		else
			note_mapped(list, w, &rng);
	}
}

const struct list *workload_list(const struct workload *w, enum order order)
{
	/* Lists are a cache: the workload is as it was. */
	struct list *list = (struct list *)(uintptr_t)&w->list[order];

	if (!list->count)
		make_list(list, w, order);
	return list;
}

/* ---- Regions ---- */

uint64_t region_key(uint64_t pa, unsigned level, unsigned rights)
{
	uint64_t key = pa | (uint64_t)SHIFT(level) << 3;

	key |= rights & RIGHT_W ? X86_W : 0;
	key |= rights & RIGHT_U ? X86_U : 0;
	key |= rights & RIGHT_X ? 0 : X86_NX;
	return key;
}

void regions_add(struct regions *regions, uint64_t first, uint64_t last, uint64_t key)
{
	uint64_t hash = regions->hash;

	hash = (hash ^ first) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 32 ^ last) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ hash >> 32 ^ key) * UINT64_C(0x94d049bb133111eb);
	regions->hash = hash;
	regions->count++;
}

void workload_regions(const struct workload *w, struct regions *regions)
{
	struct cursor cursor = {0, 0};
	uint64_t first = 0, next_va = 0, key = 0, next_key = 0;
	struct leaf leaf;

	*regions = (struct regions){0, 0};
	while (workload_next(w, &cursor, &leaf)) {
		uint64_t this = region_key(leaf.pa, leaf.level, leaf.rights);

		if (leaf.va != next_va || this != next_key) {
			if (key)
				regions_add(regions, first, next_va - 1, key);
			first = leaf.va;
			key = this;
		}
		next_va = leaf.va + (UINT64_C(1) << SHIFT(leaf.level));
		next_key = this + (UINT64_C(1) << SHIFT(leaf.level));
	}
	if (key)
		regions_add(regions, first, next_va - 1, key);
}
