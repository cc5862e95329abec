/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "args.h"
#include "space_args.h"

enum {
	KEY_ACCESS = 0x3000,
	KEY_USER,
	KEY_IMPLICIT,
	KEY_SHADOW_STACK,
};

static const struct argp_option access_options[] = {
	{NULL, 0, NULL, 0, "The access (without: rights are reported, not enforced):", 3},
	{"access", KEY_ACCESS, "r|w|x", 0, "Read, write or fetch an instruction", 3},
	{"user", KEY_USER, NULL, 0, "From user mode; alone: a user read", 3},
	{"implicit", KEY_IMPLICIT, NULL, 0,
		"x86: by the CPU itself, of a descriptor table or TSS; alone: a read", 3},
	{"shadow-stack", KEY_SHADOW_STACK, NULL, 0, "x86: of a shadow stack; alone: a read", 3},
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
	case KEY_IMPLICIT:
		args->implicit = true;
		return 0;
	case KEY_SHADOW_STACK:
		args->shadow_stack = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp access_argp = {.options = access_options, .parser = parse_access};

/* What only x86 has. */
static error_t check_x86(const struct access_args *args, const struct space_args *space)
{
	const char *option = args->implicit ? "--implicit" : "--shadow-stack";

	if (space->format != NULL && space->format->family != PW_FAMILY_X86)
		return args_wrong("%s: %s has no such accesses", option, space->format->name);
	if (args->implicit && args->kind == PW_ACCESS_FETCH)
		return args_wrong("--implicit: the CPU reads and writes its tables, it fetches "
				  "nothing from them");
	if (!args->shadow_stack)
		return 0;
	if (space->format != NULL || !(space->state.cr4 & PW_CR4_CET))
		return args_wrong("--shadow-stack needs CR4.CET=1 (--cr4, bit 23)");
	if (args->kind == PW_ACCESS_FETCH)
		return args_wrong("--shadow-stack: nothing is fetched from such a page");
	return 0;
}

pw_access access_args_resolve(const struct access_args *args, const struct space_args *space)
{
	/* Whatever format the registers of an x86 CPU select, it has users. */
	const struct pw_format *format = space->format;
	pw_access access = args->kind != 0 ? args->kind : PW_ACCESS_READ;

	if (args->kind == 0 && !args->user && !args->implicit && !args->shadow_stack)
		return PW_ACCESS_ANY;
	if (args->user && format != NULL && !format->has_user) {
		(void)args_wrong("--user: %s does not tell user from supervisor", format->name);
		return 0;
	}
	if ((args->implicit || args->shadow_stack) && check_x86(args, space) != 0)
		return 0;
	return access | (args->user ? PW_ACCESS_USER : 0) |
	       (args->implicit ? PW_ACCESS_IMPLICIT : 0) |
	       (args->shadow_stack ? PW_ACCESS_SHADOW_STACK : 0);
}
