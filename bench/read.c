/* SPDX-License-Identifier: MIT */
/*
 * read/4k|2m/WHO: 64 MiB of guest-virtual memory, mapped by pages of 4 KiB or 2 MiB to shuffled
 * frames, copied out in one call. The item is 4 KiB. memcpy: the same frames, their places known.
 * The two take turns and only one is timed: a neighbour's traffic slows both alike.
 */
#include "bench.h"
#include "kinds.h"
#include "pagewalk.h"
#include "x86.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static void by_pagewalk(const struct read *r)
{
	enum pw_status status = pw_read(&r->pagewalk.space, VA, r->to, bytes());

	if (status != PW_OK)
		bench_die("%s", pw_status_name(status));
}

static void by_memcpy(const struct read *r)
{
	for (size_t i = 0; i < r->pages; i++)
		memcpy(r->to + i * r->page_bytes, r->page[i], r->page_bytes);
}

static void (*const reader[])(const struct read *r) = {by_memcpy, by_pagewalk};

static double nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double clocked(struct bench *bench)
{
	struct read *r = bench->state;
	double start;

	reader[bench->variant ^ 1](r);
	start = nanoseconds();
	reader[bench->variant](r);
	return nanoseconds() - start;
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
	reader[bench->variant](r);
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

static const struct bench_kind read_kind = {
	.open = open_read,
	.clocked = clocked,
	.close = close_read,
};

void read_add(void)
{
	static const char *const size[] = {"4k", "2m"}, *const who[] = {"memcpy", "pagewalk"};

	for (unsigned level = 0; level < 2; level++) {
		for (unsigned i = 0; i < 2; i++) {
			struct bench *bench =
				bench_add(&read_kind, "read/%s/%s", size[level], who[i]);

			bench->what = level;
			bench->variant = i;
		}
	}
}
