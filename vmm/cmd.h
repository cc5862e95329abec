/* SPDX-License-Identifier: MIT */
/* A command is a row and a file of its own. */
#ifndef PAGEWALK_CMD_H
#define PAGEWALK_CMD_H

#include <argp.h>

/* Exit statuses; `run` ends with the guest's code instead of the first. */
enum {
	EXIT_DATA = 0,   /* every answer is data */
	EXIT_REASON = 1, /* some answer is a reason why there are no data */
	EXIT_USAGE = 2,
	EXIT_SOURCE = 3, /* a source, a guest, /dev/kvm or the output cannot be used */
};

struct cmd {
	const char *name;
	const char *summary;
	const struct argp *argp;
	int (*run)(const struct cmd *cmd, int argc, char **argv); /* returns the exit status */
};

extern const struct cmd cmd_ept, cmd_formats, cmd_lint, cmd_maps, cmd_npt, cmd_read, cmd_run,
	cmd_shadow, cmd_translate, cmd_walk;

#endif
