/* SPDX-License-Identifier: MIT */
/* pagewalk walk: one address, level by level. */
#include <stdlib.h>

#include "args.h"
#include "nested_answer.h"
#include "nested_args.h"
#include "nested_lines.h"
#include "output.h"
#include "target.h"
#include "walk_lines.h"

#define SUMMARY "Show the walk of one virtual address, level by level"

struct walk_args {
	struct common_args common;
	struct space_args space;
	struct access_args access;
	struct nested_args nested;
	const char *source;
	const char *address;
	uint64_t va;
};

static error_t take_argument(struct walk_args *args, const char *arg)
{
	if (args->source == NULL)
		args->source = arg;
	else if (args->address == NULL)
		args->address = arg;
	else
		return args_wrong("'%s' is too much: only one address can be walked", arg);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct walk_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->space;
		state->child_inputs[1] = &args->access;
		state->child_inputs[2] = &args->nested;
		state->child_inputs[3] = &args->common;
		return 0;
	case ARGP_KEY_ARG:
		return take_argument(args, arg);
	case ARGP_KEY_END:
		if (args->address == NULL)
			return args_wrong("SOURCE and the address are missing");
		return args_number("the address", args->address, &args->va);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&space_argp, 0, NULL, 0}, {&access_argp, 0, NULL, 0},
	{&nested_argp, 0, NULL, 0}, {&common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.parser = parse,
	.args_doc = "SOURCE VA",
	.doc = SUMMARY
	", with the names of the bits that are set."
	"\vSOURCE is FILE or FILE@BASE. The entry that decided the answer is marked.",
	.children = children,
};

static void print(const struct translation *translation, bool json)
{
	char text[TRANSLATION_TEXT_BYTES];

	if (json) {
		walk_print_records(translation);
		return;
	}
	walk_print_steps(translation, "");
	output_text("%s\n", translation_text(translation, text, sizeof text));
}

static int answer(const struct target *target, pw_va va, pw_access access, bool json)
{
	struct translation translation;

	translation_make(&translation, &target->space, va, access);
	print(&translation, json);
	return translation.result.status == PW_OK ? EXIT_DATA : EXIT_REASON;
}

static int answer_nested(const struct target *target, pw_va va, pw_access access, bool json)
{
	char text[NESTED_TEXT_BYTES];
	struct nested_walk walk;

	nested_walk_make(&walk, &target->space, target->stage2, va, access);
	if (json) {
		nested_walk_print_records(&walk);
	} else {
		nested_walk_print_steps(&walk);
		output_text("%s\n",
			nested_text(walk.stage1, walk.stage2, &walk.result, text, sizeof text));
	}
	return walk.result.status == PW_OK ? EXIT_DATA : EXIT_REASON;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct walk_args args = {0};
	struct target target;
	pw_access access;
	int status = args_parse(cmd, argc, argv, &args);

	if (status != ARGS_RUN)
		return status;
	access = access_args_resolve(&args.access, &args.space);
	if (access == 0)
		return EXIT_USAGE;
	status = target_open(&target, &args.space, &args.nested, args.source);
	if (status != EXIT_DATA)
		return status;
	status = target.stage2 != NULL ? answer_nested(&target, args.va, access, args.common.json)
				       : answer(&target, args.va, access, args.common.json);
	target_close(&target);
	return status;
}

const struct cmd cmd_walk = {"walk", SUMMARY, &argp, run};
