/* SPDX-License-Identifier: MIT */
/* The options that choose a second stage: --nested and its rules. */
#ifndef PAGEWALK_NESTED_ARGS_H
#define PAGEWALK_NESTED_ARGS_H

#include <argp.h>
#include <pagewalk/space.h>

#include "space_args.h"

/* Input of nested_argp, which is a child of a command's parser. */
struct nested_args {
	const struct pw_format *format; /* or NULL: there is no second stage */
	uint64_t root;
	struct pw_rules rules;
	const char *ept_option, *npt_option, *riscv_option; /* the last that only this one has */
	const char *rule_option;                            /* the last of all rules */
};
extern const struct argp nested_argp;

/* Both stages are of one architecture; otherwise complains. True if there is one stage alone. */
bool nested_args_fit(const struct nested_args *args, const struct space_args *space);

/*
 * The second stage over the machine's memory; only if there is one. EXIT_DATA, or EXIT_USAGE after
 * a complaint.
 */
int nested_args_make(
	const struct nested_args *args, const struct pw_memory *memory, struct pw_space *stage2);

#endif
