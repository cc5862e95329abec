/* SPDX-License-Identifier: MIT */
/* The world's memory and tables; what happens in it is in shadow_access.c. */
#include "shadow_world.h"
#include "shadow_access.h"
#include <criterion/criterion.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (KIB << 10)
#define GIB (MIB << 10)

/* ---- The guest's memory ---- */

void world_mirror(const struct world *w, uint8_t *bytes, pw_pa gpa)
{
	uint64_t page = gpa / 4096 * 4096, first = (uint64_t)w->alias * 4096;

	if (w->alias == WORLD_PAGES)
		return;
	if (page == first)
		memcpy(bytes + first + 4096, bytes + first, 4096);
	else if (page == first + 4096)
		memcpy(bytes + first, bytes + first + 4096, 4096);
}

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	const struct world *w = ctx;

	if (pa > WORLD_RAM - bytes)
		return false;
	*entry = 0;
	memcpy(entry, w->ram + pa, bytes);
	return true;
}

static bool exchange_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired)
{
	struct world *w = ctx;
	uint64_t there;

	if (!read_pte(ctx, pa, bytes, &there))
		return false;
	if (there != *expected) {
		*expected = there;
		return false;
	}
	memcpy(w->ram + pa, &desired, bytes);
	world_mirror(w, w->ram, pa);
	return true;
}

static bool find(void *ctx, pw_pa gpa, struct pw_shadow_block *block)
{
	const struct world *w = ctx;

	for (unsigned i = 0; i < w->block_count; i++) {
		if (gpa - w->blocks[i].gpa < w->blocks[i].bytes) {
			*block = w->blocks[i];
			return true;
		}
	}
	return false;
}

static void protect(void *ctx, pw_pa gpa, bool on)
{
	struct world *w = ctx;

	if (gpa % 4096 || gpa >= WORLD_RAM || w->protected[gpa / 4096] == on)
		w->protect_errors++;
	else
		w->protected[gpa / 4096] = on;
}

/* ---- The shadow's memory ---- */

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct world *w = ctx;

	for (unsigned i = 0; i < w->table_max && bytes == 4096; i++) {
		if (!w->taken[i]) {
			w->taken[i] = true;
			w->tables_out++;
			*pa = WORLD_POOL + 4096 * i;
			return true;
		}
	}
	return false;
}

static void free_table(void *ctx, pw_pa pa, uint64_t bytes)
{
	struct world *w = ctx;
	uint64_t i = (pa - WORLD_POOL) / 4096;

	if (bytes != 4096 || i >= w->table_max || !w->taken[i]) {
		w->pool_errors++;
		return;
	}
	w->taken[i] = false;
	w->tables_out--;
	memset(w->tables + 4096 * i, 0xa5, 4096);
}

static void flush_now(void *ctx, struct pw_flush *flush)
{
	struct world *w = ctx;

	(void)flush;
	w->flushes++;
	world_flush(w);
}

/* ---- What is where ---- */

static void add_block(struct world *w, pw_pa gpa, pw_pa hpa, uint64_t bytes, pw_rights rights)
{
	w->blocks[w->block_count++] = (struct pw_shadow_block){gpa, hpa, bytes, rights};
}

/* RAM in pieces, in an order of its own, some of it ROM; then data of all alignments. */
static void scatter(struct world *w)
{
	const pw_rights all = PW_R | PW_W | PW_X;
	pw_pa hpa = UINT64_C(0x100000000), gpa = 0;

	while (gpa < WORLD_RAM) {
		uint64_t pages = 1 + random_below(&w->random, 4);

		if (pages > (WORLD_RAM - gpa) / 4096)
			pages = (WORLD_RAM - gpa) / 4096;
		if (gpa / 4096 == w->alias || gpa / 4096 == w->alias + 1u)
			pages = 1;
		else if (gpa / 4096 < w->alias && gpa / 4096 + pages > w->alias)
			pages = w->alias - gpa / 4096;
		hpa += 4096 * random_below(&w->random, 5);
		if (gpa / 4096 == w->alias + 1u)
			add_block(w, gpa, w->blocks[w->block_count - 1].hpa, 4096, all);
		else
			add_block(w, gpa, hpa, 4096 * pages,
				random_once_in(&w->random, 8) ? PW_R | PW_X : all);
		gpa += 4096 * pages;
		hpa += 4096 * pages;
	}
	add_block(w, 256 * MIB, 64 * GIB + 256 * MIB, 256 * MIB, all);
	add_block(w, 512 * MIB, 128 * GIB + 4 * KIB, 512 * MIB, all);
	add_block(w, GIB, 256 * GIB, GIB, all);
	add_block(w, 2 * GIB, 512 * GIB + 2 * MIB, 512 * MIB, all);
	add_block(w, 2560 * MIB, 1024 * GIB + 512 * MIB, 64 * MIB, PW_R);
	add_block(w, 2624 * MIB, 1024 * GIB, 5 * MIB + 12 * KIB, PW_R | PW_W);
}

static pw_pa random_target(struct world *w, unsigned level)
{
	static const pw_pa data[] = {256 * MIB, 512 * MIB, GIB, 2 * GIB, 2560 * MIB, 2624 * MIB};

	if (level == 0 && random_once_in(&w->random, 2))
		return random_below(&w->random, WORLD_PAGES) * 4096;
	if (random_once_in(&w->random, 12)) /* a device */
		return UINT64_C(0xe0000000) + random_below(&w->random, 16) * 4096;
	if (level == 1 && random_once_in(&w->random, 8)) /* RAM, large */
		return 0;
	return data[random_below(&w->random, 6)] + random_below(&w->random, 1024) * 4096;
}

/* Levels of tables; with paging off the tables are only data. */
static unsigned levels(const struct world *w)
{
	static const unsigned of[] = {1, 2, 3, 4, 5};

	return of[w->mode];
}

/* Each page is meant for one level; one in 16 leads to any page all the same, itself included. */
pw_pa world_random_table(struct world *w, unsigned level)
{
	uint64_t pages = WORLD_PAGES / 2;

	if (random_once_in(&w->random, 16))
		return random_below(&w->random, WORLD_PAGES) * 4096;
	return (level + levels(w) * random_below(&w->random, pages / levels(w))) * 4096;
}

pw_pa world_random_root(struct world *w)
{
	return (levels(w) - 1 + levels(w) * random_below(&w->random, 3)) * 4096;
}

/* Entries that could stand in a table of `level`. */
static uint64_t random_entry(struct world *w, unsigned level)
{
	bool small = w->mode == WORLD_32;
	unsigned shift = level == 0 ? 12 : small ? 22 : 12 + 9 * level;
	uint64_t flags = 1 | (random_once_in(&w->random, 6) ? 0 : 2) |
			 (random_once_in(&w->random, 6) ? 0 : 4);
	uint64_t roll = random_below(&w->random, 100);

	if (roll < 8)
		return random_once_in(&w->random, 2) ? 0 : random_next(&w->random) & ~UINT64_C(1);
	if (roll < 10)
		return random_next(&w->random);
	if (roll < 12)
		return (random_next(&w->random) & UINT64_C(0xfffff000)) | flags;
	flags |= random_next(&w->random) & 0x178; /* PWT PCD A D G */
	if (!small && random_once_in(&w->random, 8))
		flags |= UINT64_C(1) << 63;
	if (w->mode >= WORLD_64)
		flags |= (random_next(&w->random) & 3) << 59;
	if (level > 0 && (level > 2 || (w->mode <= WORLD_PAE && level == 2) ||
				 !random_once_in(&w->random, level == 2 ? 12 : 5))) {
		if (w->mode <= WORLD_PAE && level == 2)
			flags = 1 | (flags & 0x18);
		return world_random_table(w, level - 1) | flags;
	}
	flags |= level > 0 ? 0x80 | (random_next(&w->random) & 0x1000)
			   : random_next(&w->random) & 0x80;
	return (random_target(w, level) >> shift << shift) | flags;
}

/* Indices are few, so that paths meet. */
static unsigned random_index(struct world *w, unsigned entries)
{
	static const unsigned near[] = {0, 1, 2, 3, 255, 256, 510, 511};

	return near[random_below(&w->random, 8)] * (entries / 512) +
	       (entries > 512 ? (unsigned)random_below(&w->random, 2) : 0);
}

pw_pa world_random_place(struct world *w, unsigned *level)
{
	unsigned bytes = w->mode == WORLD_32 ? 4 : 8;
	uint64_t page = random_below(&w->random, WORLD_PAGES / 2);

	*level = (unsigned)(page % levels(w));
	if (*level == 2 && w->mode <= WORLD_PAE)
		return page * 4096 + 8 * random_below(&w->random, 16);
	return page * 4096 + (uint64_t)random_index(w, 4096 / bytes) * bytes;
}

static void populate(struct world *w)
{
	unsigned level;

	for (unsigned i = 0; i < 600; i++) {
		pw_pa at = world_random_place(w, &level);
		uint64_t entry = random_entry(w, level);

		memcpy(w->ram + at, &entry, w->mode == WORLD_32 ? 4 : 8);
		world_mirror(w, w->ram, at);
	}
	memcpy(w->model, w->ram, sizeof w->model);
}

static pw_va random_va(struct world *w)
{
	pw_va va = random_below(&w->random, 512) * 8;
	unsigned bits = w->mode == WORLD_LA57 ? 57 : 48;

	if (w->mode == WORLD_32)
		return va | (pw_va)random_index(w, 1024) << 22 | (pw_va)random_index(w, 1024) << 12;
	if (w->mode == WORLD_NONE && random_once_in(&w->random, 2))
		return va | random_below(&w->random, WORLD_PAGES) * 4096;
	if (w->mode <= WORLD_PAE)
		return va | random_below(&w->random, 4) << 30 | (pw_va)random_index(w, 512) << 21 |
		       (pw_va)random_index(w, 512) << 12;
	for (unsigned level = 0; level < levels(w); level++)
		va |= (pw_va)random_index(w, 512) << (12 + 9 * level);
	va = (pw_va)((int64_t)(va << (64 - bits)) >> (64 - bits));
	return random_once_in(&w->random, 60) ? va ^ UINT64_C(1) << 62 : va;
}

void world_aim(struct world *w)
{
	pw_va *va = &w->vas[random_below(&w->random, WORLD_VAS)];

	for (unsigned tries = 0; tries < 30; tries++) {
		*va = random_va(w);
		if (world_maps(w, *va))
			break;
	}
}

void world_begin(struct world *w, enum world_mode mode, unsigned roots, unsigned uses,
	unsigned tables, bool below)
{
	struct random random = w->random;
	struct pw_shadow_config config;

	memset(w, 0, sizeof *w);
	w->random = random;
	w->mode = mode;
	w->below = below;
	w->alias = random_once_in(&w->random, 3) ? WORLD_PAGES
						 : (unsigned)random_below(&w->random, 30);
	w->memory =
		(struct pw_memory){.read_pte = read_pte, .exchange_pte = exchange_pte, .ctx = w};
	w->window =
		(struct pw_window){.base = WORLD_POOL, .size = sizeof w->tables, .host = w->tables};
	w->pool = (struct pw_memory){.windows = &w->window,
		.window_count = 1,
		.allocate_table = allocate_table,
		.free_table = free_table,
		.ctx = w};
	w->table_max = tables;
	w->flush.ranges = w->ranges;
	w->flush.range_max = random_below(&w->random, 5);
	w->flush.freed = w->freed;
	w->flush.freed_max = random_below(&w->random, 5);
	w->flush.flush_now = random_once_in(&w->random, 2) ? flush_now : NULL;
	w->flush.ctx = w;
	scatter(w);
	populate(w);
	for (unsigned i = 0; i < WORLD_VAS; i++)
		w->vas[i] = random_va(w);
	config = (struct pw_shadow_config){
		.format = mode == WORLD_LA57 ? &pw_format_x86_64_la57 : &pw_format_x86_64,
		.memory = &w->pool,
		.largest_page = UINT64_C(4096) << 9 * random_below(&w->random, 3),
		.roots = w->roots,
		.root_max = roots,
		.uses = w->uses,
		.use_max = uses,
		.find = find,
		.protect = protect,
		.protected_below = below,
		.ctx = w,
	};
	cr_assert(pw_shadow_begin(&w->shadow, &config) == PW_OK);
	world_load(w);
}

void world_end(struct world *w)
{
	pw_shadow_end(&w->shadow, &w->flush);
	pw_flush_done(&w->roots[0].shadow, &w->flush);
	cr_assert(w->tables_out == 0, "%u tables are left", w->tables_out);
	cr_assert(w->pool_errors == 0 && w->protect_errors == 0);
	for (unsigned i = 0; i < WORLD_PAGES; i++)
		cr_assert(!w->protected[i], "page %u is still protected", i);
}

void world_write_entry(struct world *w)
{
	unsigned level;
	pw_pa at = world_random_place(w, &level);
	uint64_t entry = random_entry(w, level);

	world_write(w, at, &entry, w->mode == WORLD_32 ? 4 : 8);
}

uint64_t world_random_entry(struct world *w)
{
	return random_entry(w, (unsigned)random_below(&w->random, levels(w)));
}
