/* SPDX-License-Identifier: MIT */
/*
 * read/4k|2m/WHO: 64 MiB of guest-virtual memory, mapped by pages of 4 KiB or 2 MiB to shuffled
 * frames, copied out in one call. The item is 4 KiB. memcpy: the same frames, their places known.
 */
#include "bench.h"
#include "kinds.h"
#include "pagewalk.h"
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define BYTES       (UINT64_C(64) << 20)
#define BYTES_SMALL (UINT64_C(4) << 20)
#define VA          UINT64_C(0x00007f4000000000)
#define TABLES      64u

struct read {
	struct image image;
	struct pagewalk pagewalk;
	const uint8_t **page; /* by page, in the image */
	size_t pages, page_bytes;
	uint8_t *to;
};

static uint64_t bytes(void)
{
	return bench_is_small() ? BYTES_SMALL : BYTES;
}

static void *need(void *at)
{
	if (!at)
		bench_die("no memory");
	return at;
}

/* Frames of data are runs of small frames at the image's start; tables come behind them. */
static void lay_out(struct read *r, unsigned level)
{
	uint64_t root = bytes(), next_table = root + TABLE_BYTES;
	struct rng rng = {7};
	size_t *frame = need(calloc(r->pages, sizeof *frame));

	for (size_t i = 0; i < r->pages; i++) {
		size_t j = (size_t)rng_below(&rng, i + 1);

		frame[i] = frame[j];
		frame[j] = i;
	}
	/* Tables are taken in order from here on. */
	r->image.used = (size_t)(next_table / TABLE_BYTES);
	for (size_t i = 0; i < r->pages; i++) {
		uint64_t pa = frame[i] * r->page_bytes;

		r->page[i] = r->image.bytes + pa;
		image_map(&r->image, root, VA + i * r->page_bytes, level,
			pa | X86_P | X86_W | X86_U | X86_A | X86_D | (level ? X86_PS : 0),
			X86_P | X86_W | X86_U | X86_A);
	}
	pagewalk_open(&r->pagewalk, &r->image, root, DOOR_WINDOW);
	free(frame);
}

static void run_pagewalk(struct bench *bench)
{
	struct read *r = bench->state;
	enum pw_status status = pw_read(&r->pagewalk.space, VA, r->to, bytes());

	if (status != PW_OK)
		bench_die("%s", pw_status_name(status));
}

static void run_memcpy(struct bench *bench)
{
	struct read *r = bench->state;

	for (size_t i = 0; i < r->pages; i++)
		memcpy(r->to + i * r->page_bytes, r->page[i], r->page_bytes);
}

static void open_read(struct bench *bench)
{
	struct read *r = need(calloc(1, sizeof *r));
	uint64_t *data;

	r->page_bytes = (size_t)1 << SHIFT(bench->what);
	r->pages = bytes() / r->page_bytes;
	r->page = need(calloc(r->pages, sizeof *r->page));
	r->to = need(malloc(bytes()));
	memset(r->to, 0, bytes());
	image_open(&r->image, bytes() / TABLE_BYTES + TABLES, 0, false);
	data = x86_table(r->image.bytes, 0);
	for (uint64_t i = 0; i < bytes() / 8; i++)
		data[i] = i * UINT64_C(0x9e3779b97f4a7c15);
	lay_out(r, bench->what);
	bench->state = r;
	bench->items = bytes() / TABLE_BYTES;
	bench->item_bytes = TABLE_BYTES;
	bench->kind->run(bench);
	for (size_t i = 0; i < r->pages; i++) {
		if (memcmp(r->to + i * r->page_bytes, r->page[i], r->page_bytes) != 0)
			bench_die("page %zu is not what stands in its frame", i);
	}
}

static void close_read(struct bench *bench)
{
	struct read *r = bench->state;

	if (!r)
		return;
	image_close(&r->image);
	free(r->page);
	free(r->to);
	free(r);
}

static const struct bench_kind memcpy_kind = {
	.open = open_read,
	.run = run_memcpy,
	.close = close_read,
};

static const struct bench_kind pagewalk_kind = {
	.open = open_read,
	.run = run_pagewalk,
	.close = close_read,
};

void read_add(void)
{
	static const char *const size[] = {"4k", "2m"};

	for (unsigned level = 0; level < 2; level++) {
		bench_add(&memcpy_kind, "read/%s/memcpy", size[level])->what = level;
		bench_add(&pagewalk_kind, "read/%s/pagewalk", size[level])->what = level;
	}
}
