/* SPDX-License-Identifier: MIT */
/* Parsing a command's arguments with argp: what all commands share. */
#ifndef PAGEWALK_ARGS_H
#define PAGEWALK_ARGS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "cmd.h"

/* args_parse(): go on. Not an exit status. */
#define ARGS_RUN (-1)

/* Options of every command; input of common_argp, which is a child of each command's parser. */
struct common_args {
	bool json;
};
extern const struct argp common_argp;

/*
 * Parses into `input`. ARGS_RUN, or the exit status: help was printed, or a complaint.
 * Complaints name the command from here on.
 */
int args_parse(const struct cmd *cmd, int argc, char **argv, void *input);

/* Complains about wrong usage and returns what an argp parser has to return then. */
error_t args_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number; `what` names it in the complaint. */
error_t args_number(const char *what, const char *text, uint64_t *value);
error_t args_size(const char *what, const char *text, uint64_t *bytes);

/* What --output was given, or NULL: it has to be a file that an image can be written to. */
error_t args_image_output(const char *output);

#endif
