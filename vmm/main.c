/* SPDX-License-Identifier: MIT */
/* Finds the command, runs it, turns what it returns into the exit status. Nothing else exits. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pagewalk/types.h>

#include "cmd.h"
#include "output.h"

#define TEXT(number)    TEXT_OF(number)
#define TEXT_OF(number) #number
#define VERSION         TEXT(PW_VERSION_MAJOR) "." TEXT(PW_VERSION_MINOR) "." TEXT(PW_VERSION_PATCH)

static const struct cmd *const cmds[] = {
	&cmd_run,
	&cmd_formats,
	&cmd_translate,
	&cmd_maps,
	&cmd_walk,
	&cmd_read,
	&cmd_lint,
	&cmd_ept,
	&cmd_npt,
	&cmd_shadow,
};

#define CMD_COUNT (sizeof cmds / sizeof cmds[0])

/* A source that shrinks while it is mapped. */
static void end_on_bus_error(int signal)
{
	static const char text[] = "pagewalk: the source became shorter while it was read\n";

	(void)signal;
	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	_exit(EXIT_SOURCE);
}

static int print_help(void)
{
	output_text("Usage: pagewalk COMMAND [OPTION...] [ARGUMENT...]\n"
		    "Explains the virtual memory of a guest: of a raw memory image, or of one that "
		    "it boots under KVM.\n\n");
	for (size_t i = 0; i < CMD_COUNT; i++)
		output_text("  %-10s %s\n", cmds[i]->name, cmds[i]->summary);
	output_text("\n`pagewalk COMMAND --help` says more, the manual page pagewalk(1) most.\n");
	return EXIT_DATA;
}

static int run(int argc, char **argv)
{
	if (argc < 2) {
		output_complain("a command is missing: `pagewalk --help` lists them");
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < CMD_COUNT; i++)
		if (strcmp(argv[1], cmds[i]->name) == 0)
			return cmds[i]->run(cmds[i], argc - 1, argv + 1);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0) {
		output_text("pagewalk " VERSION "\n");
		return EXIT_DATA;
	}
	output_complain("'%s' is not a command: `pagewalk --help` lists them", argv[1]);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct sigaction on_bus_error = {.sa_handler = end_on_bus_error};
	int status;

	output_begin();
	(void)sigaction(SIGBUS, &on_bus_error, NULL);
	status = run(argc, argv);
	if (!output_end())
		status = EXIT_SOURCE;
	return status;
}
