/* SPDX-License-Identifier: MIT */
/* An address space in a source: what most commands look at. */
#ifndef PAGEWALK_TARGET_H
#define PAGEWALK_TARGET_H

#include "source.h"
#include "space_args.h"

/* It must stay where it is: the space points into it. */
struct target {
	struct source source;
	struct pw_space space;
};

/* EXIT_DATA, or another exit status after a complaint; then there is nothing to close. */
int target_open(struct target *target, const struct space_args *args, const char *source);
void target_close(struct target *target);

#endif
