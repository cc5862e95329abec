/* SPDX-License-Identifier: MIT */
/* A two-stage walk entry by entry. */
#ifndef PAGEWALK_NESTED_LINES_H
#define PAGEWALK_NESTED_LINES_H

#include <pagewalk/nested.h>

/* A walk that was made. The spaces must stay. */
struct nested_walk {
	const struct pw_space *stage1, *stage2;
	pw_access access;
	struct pw_nested_result result;
	struct pw_nested_step steps[PW_NESTED_MAX_STEPS];
	unsigned step_count;
	int decider; /* the step whose entry decided the answer; -1: none did */
};

void nested_walk_make(struct nested_walk *walk, const struct pw_space *stage1,
	const struct pw_space *stage2, pw_va va, pw_access access);

/* A line for each step, and one before each walk of stage 2 that says what it is for. */
void nested_walk_print_steps(const struct nested_walk *walk);

/* One record for each step, then the translate record of two stages. */
void nested_walk_print_records(const struct nested_walk *walk);

#endif
