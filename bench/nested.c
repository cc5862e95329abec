/* SPDX-License-Identifier: MIT */
/*
 * nested/random/W2/WHO: W2's tables as a guest's, under an EPT of 2 MiB pages. `single` is the same
 * list through the guest's tables alone. The batches take it in lists of so many. The limits are in
 * limit_nested.c.
 */
#include "nested.h"
#include "bench.h"
#include "kinds.h"
#include "pagewalk.h"
#include "workload.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS 4096u
#define RING  NESTED_RING
#define PAGE  UINT64_C(0x200000)

/* The machine's memory: EPT tables first, then the guest's image, which the guest sees at 0. */
#define EPT_BYTES (4 * PAGE)

struct nested {
	uint8_t *bytes;
	uint64_t used; /* of the EPT's part */
	struct pw_window window;
	struct pw_memory memory;
	struct pw_space guest, ept;
	const struct list *list;
	size_t position;
	struct pw_nested_result ring[RING];
	struct pw_result single[RING];
	struct pw_nested_hit hits[ITEMS];
	struct pw_hit single_hits[ITEMS];
	struct nested_limit *limit;
};

enum who {
	NESTED,
	SINGLE,
	NESTED_BATCH,
	SINGLE_BATCH,
	LIMIT,
	LIMIT_CALLED
};

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct nested *n = ctx;

	if (n->used + bytes > EPT_BYTES)
		return false;
	*pa = n->used;
	n->used += bytes;
	return true;
}

/* A mapping in 2 MiB pages only: one call for each, since a longer one would take 1 GiB pages. */
static void map_guest(struct nested *n, uint64_t bytes)
{
	for (uint64_t gpa = 0; gpa < bytes; gpa += PAGE)
		if (pw_map(&n->ept, gpa, gpa + EPT_BYTES, PAGE, PW_R | PW_W | PW_X | PW_MEM_WB,
			    NULL) != PW_OK)
			bench_die("the library does not map %#llx", (unsigned long long)gpa);
}

static void begin(struct nested *n, const struct workload *w)
{
	uint64_t image = (w->image.size + PAGE - 1) & ~(PAGE - 1), top = image;
	pw_pa root;

	n->list = workload_list(w, ORDER_RANDOM);
	n->bytes = aligned_alloc(PAGE, EPT_BYTES + image);
	if (!n->bytes)
		bench_die("no memory");
	memset(n->bytes, 0, EPT_BYTES);
	memcpy(n->bytes + EPT_BYTES, w->image.bytes, w->image.size);
	n->window = (struct pw_window){.size = EPT_BYTES + image, .host = n->bytes};
	n->memory = (struct pw_memory){.windows = &n->window,
		.window_count = 1,
		.allocate_table = allocate_table,
		.ctx = n};
	if (pw_root_create(&pw_format_ept_4, &n->memory, &root) != PW_OK ||
		pw_space_init(&n->ept, &pw_format_ept_4, root, &n->memory) != PW_OK)
		bench_die("the library refuses the EPT");
	for (size_t i = 0; i < n->list->count; i++)
		if (n->list->pa[i] >= top)
			top = (n->list->pa[i] | (PAGE - 1)) + 1;
	map_guest(n, top);
}

static void run_nested(struct nested *n, enum who who, const uint64_t *va, size_t count)
{
	if (who == NESTED_BATCH)
		(void)!pw_nested_translate_batch(
			&n->guest, &n->ept, va, count, PW_ACCESS_READ, n->hits);
	if (who == SINGLE_BATCH)
		(void)!pw_translate_batch(&n->guest, va, count, PW_ACCESS_READ, n->single_hits);
	if (who == LIMIT)
		nested_limit_run(n->limit, va, count);
	if (who == LIMIT_CALLED)
		nested_limit_run_called(n->limit, va, count);
	if (who != NESTED && who != SINGLE)
		return;
	for (size_t i = 0; i < count; i++) {
		if (who == NESTED)
			(void)!pw_nested_translate(&n->guest, &n->ept, va[i], PW_ACCESS_READ,
				&n->ring[i & (RING - 1)]);
		else
			(void)!pw_translate(
				&n->guest, va[i], PW_ACCESS_READ, &n->single[i & (RING - 1)]);
	}
}

/* What the last run said about its item i: the guest-physical address. */
static uint64_t answer(const struct nested *n, enum who who, size_t i)
{
	const struct pw_nested_result *r = &n->ring[i & (RING - 1)];

	switch (who) {
	case LIMIT:
	case LIMIT_CALLED:
		r = nested_limit_result(n->limit, i);
		/* fall through */
	case NESTED:
		return r->status == PW_OK && r->stage2.page_size == PAGE &&
				       r->pa == r->gpa + EPT_BYTES
			       ? r->gpa
			       : UINT64_MAX;
	case SINGLE:
		return n->single[i & (RING - 1)].pa;
	case NESTED_BATCH:
		return n->hits[i].status == PW_OK && n->hits[i].pa == n->hits[i].gpa + EPT_BYTES
			       ? n->hits[i].gpa
			       : UINT64_MAX;
	default:
		return n->single_hits[i].pa;
	}
}

static void verify(struct nested *n, enum who who)
{
	for (size_t at = 0; at < n->list->count; at += RING) {
		run_nested(n, who, n->list->va + at, RING);
		for (size_t i = 0; i < RING; i++)
			if (answer(n, who, i) != n->list->pa[at + i])
				bench_die("%#llx: pa is %#llx",
					(unsigned long long)n->list->va[at + i],
					(unsigned long long)answer(n, who, i));
	}
}

static void open_nested(struct bench *bench)
{
	const struct workload *w = workload_get((enum workload_id)bench->size, false);
	struct nested *n = calloc(1, sizeof *n);

	if (!n)
		bench_die("no memory");
	begin(n, w);
	/* The guest alone is walked in the same copy, as if it were the machine's. */
	if (bench->what == SINGLE || bench->what == SINGLE_BATCH) {
		n->window.host = n->bytes + EPT_BYTES;
		n->window.size -= EPT_BYTES;
	}
	if (pw_space_init(&n->guest, &pw_format_x86_64, w->root, &n->memory) != PW_OK)
		bench_die("the library refuses the guest");
	if (bench->what == LIMIT || bench->what == LIMIT_CALLED)
		n->limit = nested_limit_open(&n->guest, &n->ept, &n->window);
	bench->state = n;
	verify(n, (enum who)bench->what);
}

static void run(struct bench *bench)
{
	struct nested *n = bench->state;

	run_nested(n, (enum who)bench->what, n->list->va + n->position, ITEMS);
	n->position = (n->position + ITEMS) & (n->list->count - 1);
}

static void close_nested(struct bench *bench)
{
	struct nested *n = bench->state;

	if (n) {
		free(n->limit);
		free(n->bytes);
	}
	free(n);
}

static const struct bench_kind nested_kind = {
	.open = open_nested,
	.run = run,
	.close = close_nested,
};

void nested_add(void)
{
	static const char *const who[] = {
		[NESTED] = "pagewalk",
		[SINGLE] = "single",
		[NESTED_BATCH] = "pagewalk-batch",
		[SINGLE_BATCH] = "single-batch",
		[LIMIT] = "limit-checked",
		[LIMIT_CALLED] = "limit-checked-called",
	};

	for (unsigned i = 0; i < sizeof who / sizeof who[0]; i++) {
		struct bench *bench =
			bench_add(&nested_kind, "nested/random/%s/%s", workload_name(W2), who[i]);

		bench->what = i;
		bench->size = W2;
		bench->items = ITEMS;
	}
}
