/* SPDX-License-Identifier: MIT */
/* The hand-written two-stage walk; see limit_nested.c. */
#ifndef BENCH_NESTED_H
#define BENCH_NESTED_H

#include <pagewalk/pagewalk.h>

/* Results go round in a ring that stays in the first-level cache. */
#define NESTED_RING 64u

struct nested_limit;

/* Dies if it cannot walk these. Keeps what it is given. free() ends it. */
struct nested_limit *nested_limit_open(
	const struct pw_space *guest, const struct pw_space *ept, const struct pw_window *window);

void nested_limit_run(struct nested_limit *l, const uint64_t *va, size_t count);
void nested_limit_run_called(struct nested_limit *l, const uint64_t *va, size_t count);

/* Of item i of the last run. Dies if it is not the library's in every field. */
const struct pw_nested_result *nested_limit_result(const struct nested_limit *l, size_t i);

#endif
