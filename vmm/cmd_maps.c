/* SPDX-License-Identifier: MIT */
/* pagewalk maps: the address space as merged regions. */
#include <stdlib.h>

#include "args.h"
#include "listing.h"
#include "nested_args.h"
#include "target.h"

#define SUMMARY "List an address space as merged regions"

enum {
	KEY_EXPAND = 0x4000,
};

struct maps_args {
	struct common_args common;
	struct space_args space;
	struct nested_args nested;
	const char *source;
	const char *first_text, *last_text;
	pw_va first, last;
	bool expand;
};

static error_t take_argument(struct maps_args *args, const char *arg)
{
	if (args->source == NULL)
		args->source = arg;
	else if (args->first_text == NULL)
		args->first_text = arg;
	else if (args->last_text == NULL)
		args->last_text = arg;
	else
		return args_wrong("'%s' is too much", arg);
	return 0;
}

static error_t check_range(struct maps_args *args)
{
	error_t status;

	if (args->source == NULL)
		return args_wrong("SOURCE is missing");
	args->first = 0;
	args->last = UINT64_MAX;
	if (args->first_text == NULL)
		return 0;
	if (args->last_text == NULL)
		return args_wrong("LAST is missing: a range is FIRST and LAST, both inclusive");
	status = args_number("FIRST", args->first_text, &args->first);
	if (status == 0)
		status = args_number("LAST", args->last_text, &args->last);
	if (status == 0 && args->first > args->last)
		return args_wrong("FIRST %s lies after LAST %s", args->first_text, args->last_text);
	return status;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct maps_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->space;
		state->child_inputs[1] = &args->nested;
		state->child_inputs[2] = &args->common;
		return 0;
	case KEY_EXPAND:
		args->expand = true;
		return 0;
	case ARGP_KEY_ARG:
		return take_argument(args, arg);
	case ARGP_KEY_END:
		return check_range(args);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{"expand", KEY_EXPAND, NULL, 0, "List repeated tables in full", 0}, {0}};
static const struct argp_child children[] = {
	{&space_argp, 0, NULL, 0}, {&nested_argp, 0, NULL, 0}, {&common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "SOURCE [FIRST LAST]",
	.doc = SUMMARY ": runs that are contiguous in virtual and in physical memory, with one "
		       "page size and the same rights."
		       "\vSOURCE is FILE or FILE@BASE. FIRST and LAST are inclusive.",
	.children = children,
};

static int list(const struct maps_args *args, const struct target *target)
{
	return listing_print(&(struct listing){
		.space = &target->space,
		.stage2 = target->stage2,
		.first = args->first,
		.last = args->last,
		.memory_bytes = target->source.last - target->source.base,
		.expand = args->expand,
		.json = args->common.json,
		.indent = "",
	});
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct maps_args args = {0};
	struct target target;
	int status = args_parse(cmd, argc, argv, &args);

	if (status != ARGS_RUN)
		return status;
	status = target_open(&target, &args.space, &args.nested, args.source);
	if (status != EXIT_DATA)
		return status;
	status = list(&args, &target);
	target_close(&target);
	return status;
}

const struct cmd cmd_maps = {"maps", SUMMARY, &argp, run};
