/* SPDX-License-Identifier: MIT */
/*
 * A machine with random tables of two stages, and its spaces as the library has them and as the
 * slow twin has them.
 */
#ifndef HARNESS_NESTED_WORLD_H
#define HARNESS_NESTED_WORLD_H

#include "random_tables.h"
#include "slow_nested.h"
#include <pagewalk/pagewalk.h>

/*
 * The machine's memory begins with the guest's, of which stage 2 makes guest-physical addresses
 * from 0 on; behind it stand the tables of stage 2.
 */
#define NESTED_GUEST_BYTES  (UINT64_C(1) << 20)
#define NESTED_TABLES_BYTES (UINT64_C(2) << 20)

struct nested_world {
	struct random random;
	struct image guest, tables;
	struct slow_memory machine, guest_physical;
	struct pw_window window;
	struct pw_memory windows, callbacks;
	struct slow_pair pair;
	struct pw_space one, two, two_by_callbacks;
	uint64_t root; /* of the guest */
};

/* Zeroed memory from `base` on: 0, or a base that suits pages of 1 GiB. */
void nested_world_begin(struct nested_world *w, uint64_t seed, uint64_t base);
void nested_world_end(struct nested_world *w);

/* Spaces of these formats with random roots and rules. Stage 2 has no tables yet. */
void nested_world_rules(
	struct nested_world *w, const struct pw_format *one, const struct pw_format *two);

/* Every address that the guest's path for va asks of stage 2 gets a path there, or most do. */
void nested_world_map(struct nested_world *w, uint64_t va);

/* The first field in which the two differ, or NULL. */
const char *nested_world_difference(
	const struct pw_nested_result *r, const struct slow_nested_result *s);

#endif
