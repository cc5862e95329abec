/* SPDX-License-Identifier: MIT */
/*
 * levels/FORMAT-LEVELS/pagewalk: one by one, random, 16 MiB in 4 KiB pages, by the number of
 * levels. x86's and RISC-V's; the tables fit the second-level cache and differ by a few pages only.
 * The formats are copies: so all are walked by the same code, which reads the row, and not one of
 * them by code that was made for it.
 */
#include "bench.h"
#include "kinds.h"
#include "pagewalk.h"
#include "x86.h"

#include <stdlib.h>

#define VA     UINT64_C(0x10000000)
#define PAGES  4096u /* 16 MiB */
#define TABLES 32u
#define DATA   UINT64_C(0x20000000)
#define LIST   4096u
#define SEED   2

static const struct row {
	const char *name;
	const struct pw_format *format;
} rows[] = {
	{"x86-2", &pw_format_x86_32},
	{"x86-3", &pw_format_x86_pae},
	{"x86-4", &pw_format_x86_64},
	{"x86-5", &pw_format_x86_64_la57},
	{"riscv-2", &pw_format_riscv_sv32},
	{"riscv-3", &pw_format_riscv_sv39},
	{"riscv-4", &pw_format_riscv_sv48},
	{"riscv-5", &pw_format_riscv_sv57},
};

struct levels {
	struct image image;
	struct pw_format format;
	struct pw_window window;
	struct pw_memory memory;
	struct pw_space space;
	pw_va va[LIST];
	struct pw_result result[64];
	unsigned refused;
};

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct levels *l = ctx;

	if (bytes > TABLE_BYTES || l->image.used == l->image.frames)
		return false;
	*pa = image_take(&l->image);
	return true;
}

static void want(enum pw_status status)
{
	if (status != PW_OK)
		bench_die("%s", pw_status_name(status));
}

/* Page by page, in the shuffled order of a permutation, so that no two make a larger page. */
static void map_all(struct levels *l)
{
	for (uint64_t i = 0; i < PAGES; i++)
		want(pw_map(&l->space, VA + i * TABLE_BYTES,
			DATA + (i * 1237 + 5) % PAGES * TABLE_BYTES, TABLE_BYTES,
			PW_R | PW_W | PW_X | PW_U, NULL));
}

static void verify(struct levels *l)
{
	for (unsigned i = 0; i < LIST; i++) {
		uint64_t page = (l->va[i] - VA) / TABLE_BYTES;
		uint64_t pa =
			DATA + (page * 1237 + 5) % PAGES * TABLE_BYTES + l->va[i] % TABLE_BYTES;
		struct pw_result *r = &l->result[0];

		want(pw_translate(&l->space, l->va[i], PW_ACCESS_READ | PW_ACCESS_USER, r));
		if (r->pa != pa || r->page_size != TABLE_BYTES)
			bench_die("%#llx: pa is %#llx, not %#llx", (unsigned long long)l->va[i],
				(unsigned long long)r->pa, (unsigned long long)pa);
	}
}

static void open_levels(struct bench *bench)
{
	const struct row *row = bench->who;
	struct levels *l = calloc(1, sizeof *l);
	struct rng rng = {SEED};

	if (!l)
		bench_die("no memory");
	image_open(&l->image, TABLES, SEED, false);
	l->window = (struct pw_window){.size = l->image.size, .host = l->image.bytes};
	l->memory.windows = &l->window;
	l->memory.window_count = 1;
	l->memory.allocate_table = allocate_table;
	l->memory.ctx = l;
	l->format = *row->format;
	want(pw_space_init(&l->space, &l->format, image_take(&l->image), &l->memory));
	map_all(l);
	for (unsigned i = 0; i < LIST; i++)
		l->va[i] = VA + rng_below(&rng, PAGES) * TABLE_BYTES + (rng_next(&rng) & 0xff8);
	verify(l);
	bench->items = LIST;
	bench->state = l;
}

static void run_levels(struct bench *bench)
{
	struct levels *l = bench->state;

	for (unsigned i = 0; i < LIST; i++)
		l->refused += pw_translate(&l->space, l->va[i], PW_ACCESS_READ | PW_ACCESS_USER,
				      &l->result[i % 64]) != PW_OK;
	if (l->refused)
		bench_die("%u addresses were refused", l->refused);
}

static void close_levels(struct bench *bench)
{
	struct levels *l = bench->state;

	if (l)
		image_close(&l->image);
	free(l);
}

static const struct bench_kind levels_kind = {
	.open = open_levels,
	.run = run_levels,
	.close = close_levels,
};

void levels_add(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		bench_add(&levels_kind, "levels/%s/pagewalk", rows[i].name)->who = &rows[i];
}
