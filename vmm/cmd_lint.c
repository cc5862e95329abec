/* SPDX-License-Identifier: MIT */
/* pagewalk lint: what the hardware would refuse in tables, and what looks unsafe. */
#include <inttypes.h>
#include <stdlib.h>

#include <pagewalk/lint.h>

#include "args.h"
#include "fields.h"
#include "output.h"
#include "target.h"

#define SUMMARY "Explain what is wrong with page tables"

#define TABLE_BYTES     4096
#define ROLES_PER_TABLE 16
#define TABLES_MAX      (UINT64_C(1) << 21)

enum {
	KEY_QUIET = 'q',
};

struct lint_args {
	struct common_args common;
	struct space_args space;
	const char *source;
	bool quiet;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct lint_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->space;
		state->child_inputs[1] = &args->common;
		return 0;
	case KEY_QUIET:
		args->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (args->source != NULL)
			return args_wrong("'%s' is too much", arg);
		args->source = arg;
		return 0;
	case ARGP_KEY_END:
		return args->source == NULL ? args_wrong("SOURCE is missing") : 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{"quiet", KEY_QUIET, NULL, 0, "Errors only: no notes on what is legal", 0}, {0}};
static const struct argp_child children[] = {
	{&space_argp, 0, NULL, 0}, {&common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "SOURCE",
	.doc = SUMMARY ", entry by entry: what the hardware would refuse, tables out of memory or "
		       "that contain themselves, and as notes what is legal but worth a look."
		       "\vSOURCE is FILE or FILE@BASE. The exit status is 1 if there are errors.",
	.children = children,
};

static void print(const struct lint_args *args, const struct pw_space *space,
	const struct pw_finding *finding)
{
	enum pw_lint_kind kind = (enum pw_lint_kind)finding->kind;
	const char *severity = pw_lint_is_error(kind) ? "error" : "note";
	char words[160];
	json_t *record;

	(void)pw_finding_text(space, finding, words, sizeof words);
	if (!args->common.json) {
		output_text("%s: 0x%" PRIx64 "-0x%" PRIx64 ": the entry 0x%" PRIx64 " at 0x%" PRIx64
			    ", level %u: %s\n",
			severity, finding->first, finding->last, finding->entry, finding->entry_pa,
			(unsigned)finding->level, words);
		return;
	}
	record = json_object();
	field_string(record, "severity", severity);
	field_string(record, "kind", pw_lint_kind_name(kind));
	field_address(record, "first", finding->first);
	field_address(record, "last", finding->last);
	field_number(record, "level", finding->level);
	field_address(record, "entry", finding->entry);
	field_address(record, "entry_pa", finding->entry_pa);
	if (kind == PW_LINT_RESERVED)
		field_address(record, "bits", finding->bits);
	if (kind == PW_LINT_LOOP || kind == PW_LINT_SHARED || kind == PW_LINT_WRITABLE_TABLE)
		field_address(record, "table", finding->table);
	field_string(record, "reason", words);
	output_record(record);
}

static int end_early(const struct lint_args *args, const struct pw_lint *lint)
{
	if (!args->common.json) {
		output_text("not complete: %s at 0x%" PRIx64 "\n", pw_status_name(lint->status),
			lint->position);
		return EXIT_REASON;
	}
	json_t *record = json_object();

	field_bool(record, "complete", false);
	field_string(record, "reason", pw_status_name(lint->status));
	output_record(record);
	return EXIT_REASON;
}

static int report(const struct lint_args *args, const struct target *target)
{
	uint64_t tables = (target->source.last - target->source.base) / TABLE_BYTES + 1;
	size_t bytes = PW_REGIONS_SCRATCH(
		tables > TABLES_MAX / ROLES_PER_TABLE ? TABLES_MAX : tables * ROLES_PER_TABLE);
	void *scratch = malloc(bytes);
	struct pw_finding finding;
	struct pw_lint lint;
	int status = EXIT_DATA;

	if (scratch == NULL) {
		output_out_of_memory();
		return EXIT_SOURCE;
	}
	pw_lint_begin(&lint, &target->space, 0, UINT64_MAX, scratch, bytes);
	while (!output_failed() && pw_lint_next(&lint, &finding)) {
		bool error = pw_lint_is_error((enum pw_lint_kind)finding.kind);

		if (error)
			status = EXIT_REASON;
		if (error || !args->quiet)
			print(args, &target->space, &finding);
	}
	if (lint.status != PW_OK)
		status = end_early(args, &lint);
	free(scratch);
	return status;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct lint_args args = {0};
	struct target target;
	int status = args_parse(cmd, argc, argv, &args);

	if (status != ARGS_RUN)
		return status;
	status = target_open(&target, &args.space, NULL, args.source);
	if (status != EXIT_DATA)
		return status;
	status = report(&args, &target);
	target_close(&target);
	return status;
}

const struct cmd cmd_lint = {"lint", SUMMARY, &argp, run};
