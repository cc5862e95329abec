/* SPDX-License-Identifier: MIT */
/* pagewalk translate: addresses, one by one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "fields.h"
#include "nested_answer.h"
#include "nested_args.h"
#include "numbers.h"
#include "output.h"
#include "target.h"
#include "translation.h"

#define SUMMARY "Translate virtual addresses"

struct translate_args {
	struct common_args common;
	struct space_args space;
	struct access_args access;
	struct nested_args nested;
	const char *source;
	char *const *addresses;
	int address_count;
	bool from_stdin;
};

static error_t check_addresses(struct translate_args *args)
{
	args->from_stdin = args->address_count == 1 && strcmp(args->addresses[0], "-") == 0;
	if (args->from_stdin)
		return 0;
	for (int i = 0; i < args->address_count; i++) {
		uint64_t va;
		error_t status = args_number("the address", args->addresses[i], &va);

		if (status != 0)
			return status;
	}
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct translate_args *args = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->space;
		state->child_inputs[1] = &args->access;
		state->child_inputs[2] = &args->nested;
		state->child_inputs[3] = &args->common;
		return 0;
	case ARGP_KEY_ARGS:
		args->source = state->argv[state->next];
		args->addresses = state->argv + state->next + 1;
		args->address_count = state->argc - state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (args->source == NULL)
			return args_wrong("SOURCE and the addresses are missing");
		if (args->address_count == 0)
			return args_wrong("the addresses are missing (- reads them from stdin)");
		return check_addresses(args);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&space_argp, 0, NULL, 0}, {&access_argp, 0, NULL, 0},
	{&nested_argp, 0, NULL, 0}, {&common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.parser = parse,
	.args_doc = "SOURCE VA...\nSOURCE -",
	.doc = SUMMARY " by the page tables in a memory image."
		       "\vSOURCE is FILE or FILE@BASE. With - addresses are read from stdin, one a "
		       "line, and each gets exactly one line of output.",
	.children = children,
};

/* What the answers need. */
struct job {
	const struct pw_space *space;
	const struct pw_space *stage2; /* or NULL */
	pw_access access;
	bool json;
};

static int answer_nested(const struct job *job, pw_va va)
{
	struct pw_nested_result result;
	char text[NESTED_TEXT_BYTES];

	(void)!pw_nested_translate(job->space, job->stage2, va, job->access, &result);
	if (job->json)
		output_record(nested_record(job->space, job->stage2, &result));
	else
		output_text(
			"%s\n", nested_text(job->space, job->stage2, &result, text, sizeof text));
	return result.status == PW_OK ? EXIT_DATA : EXIT_REASON;
}

static int answer(const struct job *job, pw_va va)
{
	struct translation translation;
	char text[TRANSLATION_TEXT_BYTES];

	if (job->stage2 != NULL)
		return answer_nested(job, va);
	translation_make(&translation, job->space, va, job->access);
	if (job->json)
		output_record(translation_record(&translation));
	else
		output_text("%s\n", translation_text(&translation, text, sizeof text));
	return translation.result.status == PW_OK ? EXIT_DATA : EXIT_REASON;
}

static int refuse(const struct job *job, char *line, size_t length)
{
	if (job->json) {
		json_t *record = json_object();

		field_bytes(record, "input", line, length);
		field_string(record, "status", "unparsable");
		output_record(record);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == '\177')
			line[i] = '?';
	output_text("'%.*s': unparsable\n", (int)(length < 256 ? length : 256), line);
	return EXIT_USAGE;
}

static int answer_line(const struct job *job, char *line, size_t length)
{
	uint64_t va;

	if (length > 0 && line[length - 1] == '\n')
		line[--length] = '\0';
	if (strlen(line) == length && number_parse(line, &va))
		return answer(job, va);
	return refuse(job, line, length);
}

static bool stdin_is_file(void)
{
	struct stat about;

	return fstat(STDIN_FILENO, &about) == 0 && S_ISREG(about.st_mode);
}

static int answer_stdin(const struct job *job)
{
	bool flush = !stdin_is_file();
	int worst = EXIT_DATA;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	while (!output_failed() && (length = getline(&line, &room, stdin)) >= 0) {
		int status = answer_line(job, line, (size_t)length);

		worst = status > worst ? status : worst;
		if (flush)
			output_flush();
	}
	/* Also a line that memory does not hold, which is no error of the stream. */
	if (!feof(stdin) && !output_failed()) {
		output_complain("cannot read the addresses from stdin: %s", strerror(errno));
		worst = EXIT_SOURCE;
	}
	free(line);
	return worst;
}

static int answer_arguments(const struct job *job, const struct translate_args *args)
{
	int worst = EXIT_DATA;

	for (int i = 0; i < args->address_count && !output_failed(); i++) {
		uint64_t va = 0;
		int status;

		(void)number_parse(args->addresses[i], &va); /* it did when it was checked */
		status = answer(job, va);
		worst = status > worst ? status : worst;
	}
	return worst;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct translate_args args = {0};
	struct job job = {0};
	struct target target;
	int status = args_parse(cmd, argc, argv, &args);

	if (status != ARGS_RUN)
		return status;
	job = (struct job){.space = &target.space, .json = args.common.json};
	job.access = access_args_resolve(&args.access, &args.space);
	if (job.access == 0)
		return EXIT_USAGE;
	status = target_open(&target, &args.space, &args.nested, args.source);
	if (status != EXIT_DATA)
		return status;
	job.stage2 = target.stage2;
	status = args.from_stdin ? answer_stdin(&job) : answer_arguments(&job, &args);
	target_close(&target);
	return status;
}

const struct cmd cmd_translate = {"translate", SUMMARY, &argp, run};
