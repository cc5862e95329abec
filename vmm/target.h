/* SPDX-License-Identifier: MIT */
/* An address space in a source, perhaps under a second stage: what most commands look at. */
#ifndef PAGEWALK_TARGET_H
#define PAGEWALK_TARGET_H

#include "nested_args.h"
#include "source.h"
#include "space_args.h"

/* It must stay where it is: the space points into it. */
struct target {
	struct source source;
	struct pw_space space;
	const struct pw_space *stage2; /* NULL: the space is over the source itself */
	struct pw_space stage2_space;
};

/*
 * `nested` may be NULL: the command knows one stage only. EXIT_DATA, or another exit status after a
 * complaint; then there is nothing to close.
 */
int target_open(struct target *target, const struct space_args *space,
	const struct nested_args *nested, const char *source);
void target_close(struct target *target);

#endif
