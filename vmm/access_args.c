/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "args.h"
#include "space_args.h"

enum {
	KEY_ACCESS = 0x3000,
	KEY_USER,
};

static const struct argp_option access_options[] = {
	{NULL, 0, NULL, 0, "The access (without: rights are reported, not enforced):", 3},
	{"access", KEY_ACCESS, "r|w|x", 0, "Read, write or fetch an instruction", 3},
	{"user", KEY_USER, NULL, 0, "From user mode; alone: a user read", 3},
	{0},
};

static error_t parse_access(int key, char *arg, struct argp_state *state)
{
	struct access_args *args = state->input;

	switch (key) {
	case KEY_ACCESS:
		if (strcmp(arg, "r") == 0)
			args->kind = PW_ACCESS_READ;
		else if (strcmp(arg, "w") == 0)
			args->kind = PW_ACCESS_WRITE;
		else if (strcmp(arg, "x") == 0)
			args->kind = PW_ACCESS_FETCH;
		else
			return args_wrong("--access '%s' is not r, w or x", arg);
		return 0;
	case KEY_USER:
		args->user = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp access_argp = {.options = access_options, .parser = parse_access};

pw_access access_args_resolve(const struct access_args *args, const struct space_args *space)
{
	/* Whatever format the registers of an x86 CPU select, it has users. */
	const struct pw_format *format = space->format;
	pw_access kind = args->kind;

	if (kind == 0 && !args->user)
		return PW_ACCESS_ANY;
	if (!args->user)
		return kind;
	if (format != NULL && !format->has_user) {
		(void)args_wrong("--user: %s does not tell user from supervisor", format->name);
		return 0;
	}
	return (kind != 0 ? kind : PW_ACCESS_READ) | PW_ACCESS_USER;
}
