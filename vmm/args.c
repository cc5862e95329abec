/* SPDX-License-Identifier: MIT */
#include "args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "numbers.h"
#include "output.h"

/* Only one command runs in a process: its name can stand here. */
static char full_name[32];

enum {
	KEY_JSON = 0x1000,
	KEY_USAGE,
};

static const struct argp_option common_options[] = {
	{"json", KEY_JSON, NULL, 0, "Print JSON, one object a line", -1},
	{"help", '?', NULL, 0, "Print this text", -1},
	{"usage", KEY_USAGE, NULL, 0, "Print a short summary of the options", -1},
	{0},
};

/* argp would exit for its own --help: these two end the parsing with ECANCELED instead. */
static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct common_args *args = state->input;

	(void)arg;
	switch (key) {
	case KEY_JSON:
		args->json = true;
		return 0;
	case '?':
		output_help(state, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK);
		return ECANCELED;
	case KEY_USAGE:
		output_help(state, ARGP_HELP_USAGE);
		return ECANCELED;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp common_argp = {.options = common_options, .parser = parse_common};

int args_parse(const struct cmd *cmd, int argc, char **argv, void *input)
{
	error_t status;

	(void)snprintf(full_name, sizeof full_name, "pagewalk %s", cmd->name);
	output_set_name(full_name);
	argv[0] = full_name;
	status = argp_parse(cmd->argp, argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP, NULL, input);
	if (status == 0)
		return ARGS_RUN;
	return status == ECANCELED ? EXIT_DATA : EXIT_USAGE;
}

error_t args_wrong(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	output_complain("%s", text);
	return EINVAL;
}

error_t args_number(const char *what, const char *text, uint64_t *value)
{
	if (!number_parse(text, value))
		return args_wrong("%s '%s' is not a number: 0x and hexadecimal digits, or decimal "
				  "digits, of at most 64 bits",
			what, text);
	return 0;
}

error_t args_size(const char *what, const char *text, uint64_t *bytes)
{
	if (!size_parse(text, bytes))
		return args_wrong("%s '%s' is not a size: a number of at most 64 bits, with K, M, "
				  "G or T behind it if you like",
			what, text);
	return 0;
}

error_t args_image_output(const char *output)
{
	if (output == NULL)
		return args_wrong("--output is missing: the image to write");
	if (strcmp(output, "-") == 0)
		return args_wrong(
			"--output '-': the image goes to a file; ./- is one of that name");
	return 0;
}
