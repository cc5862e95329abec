/* SPDX-License-Identifier: MIT */
/* The flat models: which page stands where, by arithmetic and bitmaps. */
#include "bench.h"
#include "workload.h"
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

/* Behind every image, and below what a virtual machine may have as physical address width. */
#define DATA (UINT64_C(1) << 37)

#define TABLE_BITS (X86_P | X86_W | X86_U | X86_A)

static void set_leaf(struct leaf *leaf, uint64_t pa, unsigned level, unsigned rights)
{
	leaf->pa = pa;
	leaf->level = level;
	leaf->rights = rights;
	leaf->table_bits = TABLE_BITS;
	leaf->entry = pa | X86_P | X86_A;
	leaf->entry |= level ? X86_PS : 0;
	leaf->entry |= rights & RIGHT_W ? X86_W | X86_D : 0;
	leaf->entry |= rights & RIGHT_U ? X86_U : X86_G;
	leaf->entry |= rights & RIGHT_X ? 0 : X86_NX;
}

static size_t tables_of(uint64_t first, uint64_t last)
{
	size_t tables = 1;

	for (unsigned level = 1; level < LEVELS; level++)
		tables += (last >> SHIFT(level)) - (first >> SHIFT(level)) + 1;
	return tables;
}

/* ---- W1 ---- */

static bool lookup_w1(const struct workload *w, uint64_t va, struct leaf *leaf)
{
	uint64_t offset = va - w->first;
	unsigned quarter = (unsigned)(offset / (w->span / 4));
	static const unsigned rights[4] = {
		RIGHT_R | RIGHT_X | RIGHT_U,
		RIGHT_R | RIGHT_U,
		RIGHT_R | RIGHT_W | RIGHT_U,
		RIGHT_R | RIGHT_W | RIGHT_U,
	};

	if (offset >= w->span)
		return false;
	leaf->va = va & ~LOW(SHIFT(0));
	set_leaf(leaf, DATA + (leaf->va - w->first), 0, rights[quarter]);
	return true;
}

void model_w1(struct workload *w)
{
	w->first = UINT64_C(0x00007f0000401000);
	w->span = MIB(64);
	w->leaves = w->span >> SHIFT(0);
	w->tables = tables_of(w->first, w->first + w->span - 1);
	w->lookup = lookup_w1;
}

/* ---- W2 and the sweep ---- */

/* A permutation of the numbers below 1 << bits. */
static uint64_t scatter(uint64_t x, unsigned bits)
{
	uint64_t low = LOW(bits);
	unsigned half = bits / 2 + 1;

	x = x * UINT64_C(0x9e3779b97f4a7c15) & low;
	x ^= x >> half;
	x = x * UINT64_C(0xbf58476d1ce4e5b9) & low;
	x ^= x >> half;
	return x * UINT64_C(0x94d049bb133111eb) & low;
}

static bool lookup_shuffled(const struct workload *w, uint64_t va, struct leaf *leaf)
{
	uint64_t page = (va - w->first) >> SHIFT(0);
	bool read_only = (page >> 9) % 8 == 7;
	unsigned rights = RIGHT_R | RIGHT_W | RIGHT_U;

	if (va - w->first >= w->span)
		return false;
	leaf->va = va & ~LOW(SHIFT(0));
	set_leaf(leaf, DATA + (scatter(page, w->frame_bits) << SHIFT(0)), 0, rights);
	if (read_only) { /* the page says W, the table above it does not */
		leaf->rights &= ~RIGHT_W;
		leaf->table_bits &= ~X86_W;
	}
	return true;
}

static void shuffled(struct workload *w, uint64_t first, uint64_t leaves)
{
	w->first = first;
	w->span = leaves << SHIFT(0);
	w->leaves = leaves;
	w->tables = tables_of(w->first, w->first + w->span - 1);
	w->lookup = lookup_shuffled;
	while (UINT64_C(1) << w->frame_bits < leaves)
		w->frame_bits++;
}

void model_w2(struct workload *w)
{
	uint64_t bytes = workload_is_small() ? MIB(256) : GIB(16);

	shuffled(w, UINT64_C(0x0000100000000000), bytes >> SHIFT(0));
}

#define GROWTH_FIRST UINT64_C(0x0000200000000000)

/* How many last tables there can be among `tables` that map one range. */
static uint64_t last_tables(uint64_t tables)
{
	uint64_t last = tables;

	while (tables_of(GROWTH_FIRST, GROWTH_FIRST + (last << SHIFT(1)) - 1) > tables)
		last--;
	return last;
}

void model_sweep(struct workload *w, uint64_t table_bytes)
{
	shuffled(w, GROWTH_FIRST, last_tables(table_bytes / TABLE_BYTES) * TABLE_ENTRIES);
}

void model_pages(struct workload *w, uint64_t pages)
{
	shuffled(w, GROWTH_FIRST, pages);
}

/* The first page of each last table, all in one run of frames. */
static bool lookup_first(const struct workload *w, uint64_t va, struct leaf *leaf)
{
	uint64_t offset = va - w->first;

	if (offset >= w->span || (offset & LOW(SHIFT(1))) >> SHIFT(0))
		return false;
	leaf->va = va & ~LOW(SHIFT(0));
	set_leaf(leaf, DATA + (offset >> SHIFT(1) << SHIFT(0)), 0, RIGHT_R | RIGHT_U);
	return true;
}

void model_tables(struct workload *w, uint64_t tables)
{
	w->leaves = last_tables(tables);
	w->first = GROWTH_FIRST;
	w->span = w->leaves << SHIFT(1);
	w->tables = tables_of(w->first, w->first + w->span - 1);
	w->lookup = lookup_first;
}

/* ---- W3 ---- */

/* Chosen so that 262,144 pages need 375,316 tables. */
#define W3_SEED 1032

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static size_t without_doubles(uint64_t *at, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (!i || at[i] != at[i - 1])
			at[kept++] = at[i];
	}
	return kept;
}

static size_t count_tables(const uint64_t *page, size_t count)
{
	size_t tables = 1;

	for (unsigned level = 1; level < LEVELS; level++) {
		for (size_t i = 0; i < count; i++)
			tables += !i || (page[i] ^ page[i - 1]) >> SHIFT(level) != 0;
	}
	return tables;
}

static bool lookup_w3(const struct workload *w, uint64_t va, struct leaf *leaf)
{
	uint64_t page = va & ~LOW(SHIFT(0));
	size_t low = 0, high = w->leaves;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->page[middle] < page)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == w->leaves || w->page[low] != page)
		return false;
	leaf->va = page;
	set_leaf(leaf, DATA + (low << SHIFT(0)), 0,
		RIGHT_R | RIGHT_W | RIGHT_U | (low % 4 ? 0 : RIGHT_X));
	return true;
}

void model_w3(struct workload *w)
{
	size_t wanted = workload_is_small() ? 4096 : 262144, count = 0;
	struct rng rng = {W3_SEED};

	w->span = UINT64_C(1) << 47;
	w->page = calloc(wanted, sizeof *w->page);
	if (!w->page)
		bench_die("no memory for %zu pages", wanted);
	while (count < wanted) {
		while (count < wanted)
			w->page[count++] = rng_next(&rng) >> 29 << SHIFT(0);
		qsort(w->page, count, sizeof *w->page, ascending);
		count = without_doubles(w->page, count);
	}
	w->leaves = count;
	w->tables = count_tables(w->page, count);
	w->lookup = lookup_w3;
}

/* ---- W4 ---- */

static bool bit(const uint8_t *bits, uint64_t n)
{
	return bits[n / 8] >> n % 8 & 1;
}

/* Sets exactly `wanted` of the bits whose `of` bit is set (of NULL: all), uniformly chosen. */
static void choose(uint8_t *bits, uint64_t count, const uint8_t *of, unsigned of_shift,
	uint64_t candidates, uint64_t wanted)
{
	struct rng rng = {count};

	for (uint64_t n = 0; n < count && wanted; n++) {
		if (of && !bit(of, n >> of_shift))
			continue;
		if (rng_below(&rng, candidates--) < wanted) {
			bits[n / 8] |= (uint8_t)(1 << n % 8);
			wanted--;
		}
	}
}

static bool lookup_w4(const struct workload *w, uint64_t va, struct leaf *leaf)
{
	uint64_t offset = va - w->first, slot = offset >> SHIFT(1);
	unsigned level = 2;

	if (offset >= w->span)
		return false;
	if (offset >> SHIFT(2) & 1)
		level = bit(w->broken, slot) ? 0 : 1;
	if (level == 0 && bit(w->holes, offset >> SHIFT(0)))
		return false;
	leaf->va = va & ~LOW(SHIFT(level));
	set_leaf(leaf, DATA + (leaf->va - w->first), level, RIGHT_R | RIGHT_W);
	leaf->table_bits &= ~X86_U;
	return true;
}

void model_w4(struct workload *w)
{
	uint64_t gib = workload_is_small() ? 4 : 64, slots = gib * 512, candidates = slots / 2;
	uint64_t broken = candidates / 8, pages = broken * 512;
	uint64_t holes = workload_is_small() ? pages / 8 : 131620;
	uint8_t *odd = calloc(slots / 8, 1);

	w->first = UINT64_C(0xffff888000000000);
	w->span = GIB(gib);
	w->large = true;
	w->broken = calloc(slots / 8, 1);
	w->holes = calloc(slots * 64, 1);
	if (!odd || !w->broken || !w->holes)
		bench_die("no memory for %llu GiB of W4", (unsigned long long)gib);
	for (uint64_t slot = 0; slot < slots; slot++)
		odd[slot / 8] |= (uint8_t)((slot >> 9 & 1) << slot % 8);
	choose(w->broken, slots, odd, 0, candidates, broken);
	choose(w->holes, slots * 512, w->broken, 9, pages, holes);
	free(odd);
	w->leaves = gib / 2 + candidates - broken + pages - holes;
	w->tables = 2 + gib / 2 + broken;
	w->lookup = lookup_w4;
}
