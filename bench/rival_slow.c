/* SPDX-License-Identifier: MIT */
/* slow-twin: the walker of the tests, written for being obvious. */
#include "bench.h"
#include "translator.h"
#include "x86.h"

#include <slow_walk.h>

#include <stdlib.h>

struct slow {
	struct slow_config config;
	struct slow_memory memory;
	struct slow_result ring[RING];
};

static void *open_slow(const struct workload *w, enum order order)
{
	struct slow *slow = calloc(1, sizeof *slow);

	(void)order;
	if (!slow || !slow_config_tables(&slow->config, "x86-64", w->root))
		bench_die("the slow twin does not know x86-64");
	slow->memory = (struct slow_memory){.bytes = w->image.bytes, .size = w->image.size};
	return slow;
}

static void run(void *self, const uint64_t *va, size_t count)
{
	const struct slow_access read = {.op = SLOW_OP_READ};
	struct slow *slow = self;

	for (size_t i = 0; i < count; i++)
		slow_walk(&slow->config, &slow->memory, va[i], &read, &slow->ring[RING_AT(i)]);
}

static void answer(const void *self, size_t index, struct answer *answer)
{
	const struct slow_result *result = &((const struct slow *)self)->ring[index];
	bool user = result->user.read;
	struct slow_rights rights = user ? result->user : result->supervisor;

	answer->mapped = result->status == SLOW_MAPPED;
	answer->pa = result->pa;
	answer->level = result->level;
	answer->rights = (int)((rights.read ? RIGHT_R : 0) | (rights.write ? RIGHT_W : 0) |
			       (rights.execute ? RIGHT_X : 0) | (user ? RIGHT_U : 0));
}

const struct translator translator_slow = {
	.who = "slow-twin",
	.open = open_slow,
	.run = run,
	.answer = answer,
	.close = free,
	.group = RING,
	.verify_count = 1u << 17,
};
