/* SPDX-License-Identifier: MIT */
/* limit-batch-scalar: level by level in plain C with prefetch, in groups of 128, without branches.
 */
#include "batch.h"
#include "bench.h"
#include "x86.h"

#include <stdlib.h>

#define GROUP 128u

struct group {
	uint64_t at[GROUP];    /* where the entry stands */
	uint64_t fold[GROUP];  /* AND of the entries, with NX turned round */
	uint64_t level[GROUP]; /* 0, or where the walk ended */
};

void *batch_open(const struct workload *w, enum order order)
{
	struct batch *batch = calloc(1, sizeof *batch);

	(void)order;
	if (!batch)
		bench_die("no memory");
	batch->image = w->image.bytes;
	batch->root = w->root;
	return batch;
}

void batch_answer(const void *self, size_t index, struct answer *answer)
{
	const struct batch *batch = self;
	unsigned info = batch->info[index];

	answer->mapped = !(info & INFO_HOLE);
	answer->pa = batch->pa[index];
	answer->level = info >> 4 & 3;
	answer->rights = info & 15;
}

/*
 * One level down. An address whose walk has ended stays where it is: the same entry is read and
 * folded once more, which changes nothing.
 */
static inline __attribute__((always_inline)) void step(
	const uint8_t *image, const uint64_t *va, size_t count, struct group *g, unsigned level)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t at = g->at[i], entry = x86_load(image, at);
		uint64_t below = (entry & X86_ADDRESS) + SLOT(va[i], level - 1);
		uint64_t goes_on = entry & X86_P & ~(level < 3 ? entry >> 7 : 0);

		at ^= (at ^ below) & -goes_on;
		g->at[i] = at;
		__builtin_prefetch(image + at);
		entry ^= X86_NX;
		g->fold[i] = level == 3 ? entry : g->fold[i] & entry;
		g->level[i] = (level == 3 ? 3 : g->level[i]) - goes_on;
	}
}

static inline __attribute__((always_inline)) void finish(const uint8_t *image, const uint64_t *va,
	size_t count, const struct group *g, uint64_t *pa, uint8_t *info)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t entry = x86_load(image, g->at[i]), level = g->level[i];
		uint64_t fold = g->fold[i] & (entry ^ X86_NX);
		uint64_t low = (UINT64_C(1) << 12 << 9 * level) - 1;

		/* bits 1, 2 and 63 to 1, 3 and 2; no P to 6 */
		info[i] = (uint8_t)(RIGHT_R | (fold & 2) | (fold & 4) << 1 | (fold >> 61 & 4) |
				    level << 4 | (~entry & 1) << 6);
		pa[i] = (entry & X86_ADDRESS & ~low) | (va[i] & low);
	}
}

static void run_group(struct batch *batch, const uint64_t *va, size_t first, size_t count)
{
	const uint8_t *image = batch->image;
	uint64_t root = batch->root;
	struct group g;

	for (size_t i = 0; i < count; i++)
		g.at[i] = root + SLOT(va[i], 3);
	step(image, va, count, &g, 3);
	step(image, va, count, &g, 2);
	step(image, va, count, &g, 1);
	finish(image, va, count, &g, batch->pa + first, batch->info + first);
}

static void run(void *self, const uint64_t *va, size_t count)
{
	for (size_t i = 0; i < count; i += GROUP)
		run_group(self, va + i, i, count - i < GROUP ? count - i : GROUP);
}

const struct translator translator_limit_batch_scalar = {
	.who = "limit-batch-scalar",
	.open = batch_open,
	.run = run,
	.answer = batch_answer,
	.close = free,
	.group = BATCH_MAX,
	.sweeps = true,
};
