/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of map, protect, unmap, allocate and free, split, collapse and harvest against
 * the flat model. After every operation: the tables say what the model says (by the slow twin), the
 * flush list covers what changed, no table is lost. Now and then an allocation fails; and now and
 * then everything is compared, and the lint has its say.
 */
#ifndef UNIT_BUILD_OPERATIONS_H
#define UNIT_BUILD_OPERATIONS_H

#include "build_world.h"

/* What came of the operations. */
struct build_sum {
	uint64_t operations, done, failed, exists, splits, merged, joined, grouped, retained;
};

/* A world of that kind, so many operations in it, and its end, at which no table is left but the
 * root. Adds to *sum. */
void build_world_run(const struct pw_format *format, const struct world_kind *kind, bool live,
	const struct pw_kernels *kernels, uint64_t seed, unsigned operations,
	struct build_sum *sum);

#endif
