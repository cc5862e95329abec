/* SPDX-License-Identifier: MIT */
/* pagewalk read: guest-virtual memory. */
#include <inttypes.h>
#include <stdlib.h>

#include "args.h"
#include "hexdump.h"
#include "output.h"
#include "stretch.h"
#include "target.h"

#define SUMMARY "Read guest-virtual memory"

enum {
	KEY_PARTIAL = 0x5000,
};

/*
 * So many translations are made at most before anything is written: 16 GiB in the smallest pages, a
 * fraction of a second.
 */
#define BUDGET (UINT64_C(1) << 22)

struct read_args {
	struct common_args common;
	struct space_args space;
	struct nested_args nested;
	const char *source;
	const char *address, *length;
	pw_va va;
	uint64_t bytes;
	bool partial;
};

static error_t take_argument(struct read_args *args, const char *arg)
{
	if (args->source == NULL)
		args->source = arg;
	else if (args->address == NULL)
		args->address = arg;
	else if (args->length == NULL)
		args->length = arg;
	else
		return args_wrong("'%s' is too much", arg);
	return 0;
}

static error_t check_range(struct read_args *args)
{
	error_t status;

	if (args->length == NULL)
		return args_wrong("SOURCE, the address and LENGTH are all needed");
	status = args_number("the address", args->address, &args->va);
	if (status == 0)
		status = args_size("LENGTH", args->length, &args->bytes);
	if (status == 0 && args->bytes > 0 && args->bytes - 1 > UINT64_MAX - args->va)
		return args_wrong("%s bytes from %s on reach beyond the last address", args->length,
			args->address);
	return status;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct read_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->space;
		state->child_inputs[1] = &args->nested;
		state->child_inputs[2] = &args->common;
		return 0;
	case KEY_PARTIAL:
		args->partial = true;
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
	{"partial", KEY_PARTIAL, NULL, 0, "Print what can be read, and say what cannot", 0}, {0}};
static const struct argp_child children[] = {
	{&space_argp, 0, NULL, 0}, {&nested_argp, 0, NULL, 0}, {&common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "SOURCE VA LENGTH",
	.doc = SUMMARY ", whatever its rights: all of it or, if a part cannot be read, nothing."
		       "\vSOURCE is FILE or FILE@BASE. LENGTH is in bytes, or with K, M, G or T.",
	.children = children,
};

/* The whole range can be read; otherwise complains. */
static bool is_readable(const struct target *target, const struct read_args *args)
{
	struct stretch_walk walk = stretch_begin(target, args->va, args->bytes);
	struct stretch stretch;
	char text[STRETCH_TEXT_BYTES];

	for (uint64_t i = 0; stretch_next(&walk, &stretch); i++) {
		if (stretch.data == NULL) {
			output_complain("%s", stretch_text(&stretch, text, sizeof text));
			return false;
		}
		if (i == BUDGET) {
			output_complain("the range has more than %" PRIu64
					" pages: read it in parts",
				BUDGET);
			return false;
		}
	}
	return true;
}

static void print_gap(const struct stretch *gap, bool json)
{
	char text[STRETCH_TEXT_BYTES];

	if (json)
		output_record(stretch_record(gap));
	else
		output_text("%s\n", stretch_text(gap, text, sizeof text));
}

/* Consecutive stretches with data become one dump, each other one a line. */
static int print_range(const struct target *target, const struct read_args *args)
{
	struct stretch_walk walk = stretch_begin(target, args->va, args->bytes);
	struct hexdump dump = {.json = args->common.json};
	struct stretch stretch;
	int status = EXIT_DATA;

	if (args->bytes == 0)
		hexdump_begin(&dump, args->va);
	while (!output_failed() && stretch_next(&walk, &stretch)) {
		if (stretch.data != NULL) {
			hexdump_add(&dump, stretch.first, stretch.data, stretch.bytes);
			continue;
		}
		hexdump_end(&dump);
		print_gap(&stretch, args->common.json);
		status = EXIT_REASON;
	}
	hexdump_end(&dump);
	return status;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct read_args args = {0};
	struct target target;
	int status = args_parse(cmd, argc, argv, &args);

	if (status != ARGS_RUN)
		return status;
	status = target_open(&target, &args.space, &args.nested, args.source);
	if (status != EXIT_DATA)
		return status;
	if (args.partial || is_readable(&target, &args))
		status = print_range(&target, &args);
	else
		status = EXIT_REASON;
	target_close(&target);
	return status;
}

const struct cmd cmd_read = {"read", SUMMARY, &argp, run};
