/* SPDX-License-Identifier: MIT */
/* pagewalk ept, pagewalk npt: second-stage tables for a described memory map, as an image. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pagewalk/pagewalk.h>

#include "args.h"
#include "memory_map.h"
#include "output.h"
#include "table_image.h"
#include "tables_report.h"
#include "whole_file.h"

#define EPT_SUMMARY "Build EPT tables for a memory map"
#define NPT_SUMMARY "Build NPT tables for a memory map"

#define PAGE_BYTES 4096

enum {
	KEY_OUTPUT = 'o',
	KEY_BASE = 0x5000,
	KEY_LEVELS,
	KEY_MAXPHYADDR,
	KEY_ACCESSED_DIRTY,
	KEY_NO_1G,
	KEY_NO_2M,
	KEY_NO_EXECUTE_ONLY,
};

struct ept_args {
	struct common_args common;
	bool npt;
	const char *map, *output;
	uint64_t base, levels, maxphyaddr;
	bool accessed_dirty, no_1g, no_2m, no_execute_only;
};

static error_t check(const struct ept_args *args)
{
	error_t status;

	if (args->map == NULL)
		return args_wrong("MAP is missing: a file that describes the guest's memory");
	status = args_image_output(args->output);
	if (status != 0)
		return status;
	if (args->levels != 4 && args->levels != 5)
		return args_wrong("--levels is 4 or 5");
	if (args->maxphyaddr < 32 || args->maxphyaddr > 52)
		return args_wrong("--maxphyaddr is 32 to 52");
	if (args->base % TABLE_IMAGE_ALIGN != 0 || args->base >> args->maxphyaddr != 0)
		return args_wrong("--base 0x%" PRIx64 " is not the address of a table", args->base);
	if (args->npt && args->accessed_dirty)
		return args_wrong("--accessed-dirty: NPT always has these flags");
	if (args->npt && args->no_2m)
		return args_wrong("--no-2m: NPT always has pages of 2 MiB");
	if (args->npt && args->no_execute_only)
		return args_wrong("--no-execute-only: NPT never has such entries");
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ept_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case KEY_OUTPUT:
		args->output = arg;
		return 0;
	case KEY_BASE:
		return args_number("--base", arg, &args->base);
	case KEY_LEVELS:
		return args_number("--levels", arg, &args->levels);
	case KEY_MAXPHYADDR:
		return args_number("--maxphyaddr", arg, &args->maxphyaddr);
	case KEY_ACCESSED_DIRTY:
		args->accessed_dirty = true;
		return 0;
	case KEY_NO_1G:
		args->no_1g = true;
		return 0;
	case KEY_NO_2M:
		args->no_2m = true;
		return 0;
	case KEY_NO_EXECUTE_ONLY:
		args->no_execute_only = true;
		return 0;
	case ARGP_KEY_ARG:
		if (args->map != NULL)
			return args_wrong("'%s' is too much", arg);
		args->map = arg;
		return 0;
	case ARGP_KEY_END:
		return check(args);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{"output", KEY_OUTPUT, "FILE", 0, "The image to write; it is replaced as a whole", 0},
	{"base", KEY_BASE, "PA", 0,
		"Physical address of the image's first byte, that is of the "
		"root table (0x1000)",
		0},
	{"levels", KEY_LEVELS, "N", 0, "4, or 5 levels of tables (4)", 0},
	{"maxphyaddr", KEY_MAXPHYADDR, "BITS", 0, "Width of physical addresses (52)", 0},
	{"accessed-dirty", KEY_ACCESSED_DIRTY, NULL, 0,
		"EPT: the EPTP enables Accessed and Dirty flags", 0},
	{"no-1g", KEY_NO_1G, NULL, 0, "The CPU has no pages of 1 GiB there", 0},
	{"no-2m", KEY_NO_2M, NULL, 0, "EPT: the CPU has none of 2 MiB", 0},
	{"no-execute-only", KEY_NO_EXECUTE_ONLY, NULL, 0,
		"EPT: the CPU has no execute-only entries", 0},
	{0},
};
static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {0}};
#define MAP_WORDS                                                                                  \
	"\vMAP holds one range a line: FIRST LAST [-> HOST] RIGHTS [TYPE]. FIRST and LAST are "    \
	"guest-physical and inclusive, HOST is where FIRST lies in the machine; RIGHTS are r, w, " \
	"x, or - for one that is missing; TYPE is uc, wc, wt, wp or wb. # begins a comment."
static const struct argp ept_argp = {
	.options = options,
	.parser = parse,
	.args_doc = "MAP",
	.doc = EPT_SUMMARY ", with the largest pages that it allows, and write them as a memory "
			   "image; print its root, its EPTP and what is in it." MAP_WORDS,
	.children = children,
};
static const struct argp npt_argp = {
	.options = options,
	.parser = parse,
	.args_doc = "MAP",
	.doc = NPT_SUMMARY ", with the largest pages that it allows, and write them as a memory "
			   "image; print its root and what is in it." MAP_WORDS,
	.children = children,
};

/* ---- Building ---- */

struct build {
	const struct ept_args *args;
	const struct pw_format *format;
	struct table_image image;
	struct pw_space space;
};

static int begin(struct build *build, const struct ept_args *args)
{
	const struct pw_rules rules = {.pa_bits = (uint8_t)args->maxphyaddr,
		.no_1g_pages = args->no_1g,
		.ept_no_2m_pages = args->no_2m,
		.ept_no_execute_only = args->no_execute_only};
	pw_pa root;

	if (!table_image_begin(&build->image, args->base))
		return EXIT_SOURCE;
	build->args = args;
	build->format = args->npt ? (args->levels == 4 ? &pw_format_npt_4 : &pw_format_npt_5)
				  : (args->levels == 4 ? &pw_format_ept_4 : &pw_format_ept_5);
	if (pw_root_create(build->format, &build->image.memory, &root) != PW_OK ||
		pw_space_init_rules(&build->space, build->format, root, &build->image.memory,
			&rules) != PW_OK) {
		output_complain("cannot make a root table at 0x%" PRIx64, args->base);
		return EXIT_USAGE;
	}
	return EXIT_DATA;
}

static uint64_t size_of(const struct memory_range *range)
{
	return range->last - range->first + 1;
}

/* Which of both ends of the mapping it is that cannot be so far up. */
static void explain_range(
	const struct build *build, const struct memory_range *range, char *text, size_t size)
{
	unsigned bits = build->format->va_bits;

	if (range->last >> bits != 0)
		(void)snprintf(text, size,
			"reaches beyond guest-physical addresses, which have %u bits", bits);
	else
		(void)snprintf(text, size,
			"reaches beyond physical addresses, which have %u bits, from HOST "
			"0x%" PRIx64 " on",
			(unsigned)build->args->maxphyaddr, range->host);
}

static void explain_alignment(const struct memory_range *range, char *text, size_t size)
{
	if ((range->first | size_of(range)) % PAGE_BYTES != 0)
		(void)snprintf(text, size, "does not begin and end at 4 KiB pages");
	else
		(void)snprintf(text, size, "has HOST 0x%" PRIx64 ", where no 4 KiB page begins",
			range->host);
}

/* Ranges of the map overlap, or there would be no entry in the way. */
static void explain_overlap(
	const struct memory_map *map, const struct memory_range *range, char *text, size_t size)
{
	const struct memory_range *other = map->ranges;

	while (other < range && (other->first > range->last || other->last < range->first))
		other++;
	(void)snprintf(text, size, "overlaps an earlier range, that of line %u", other->line);
}

static void explain_tables(const struct build *build, char *text, size_t size)
{
	if ((build->args->base + build->image.used - 1) >> build->args->maxphyaddr != 0)
		(void)snprintf(text, size,
			"takes tables beyond physical addresses, which have %u bits, from --base "
			"0x%" PRIx64 " on",
			(unsigned)build->args->maxphyaddr, build->args->base);
	else
		(void)snprintf(text, size, "takes more tables than an image can hold");
}

/* What pw_map() says, as a complaint about the line. */
static void explain(const struct build *build, const struct memory_map *map,
	const struct memory_range *range, enum pw_status status, char *text, size_t size)
{
	static const char words[] = "has rights or a type that cannot be had: ";
	const size_t length = sizeof words - 1;
	struct pw_refusal reason;

	switch (status) {
	case PW_E_EXISTS:
		explain_overlap(map, range, text, size);
		return;
	case PW_E_ALIGNMENT:
		explain_alignment(range, text, size);
		return;
	case PW_E_RANGE:
		explain_range(build, range, text, size);
		return;
	case PW_E_NO_TABLES:
		explain_tables(build, text, size);
		return;
	default:
		(void)snprintf(text, size, "%s", pw_status_name(status));
	}
	if (pw_why_refused(&build->space, range->first, size_of(range), range->rights, &reason) !=
		PW_E_RIGHTS)
		return;
	memcpy(text, words, sizeof words);
	(void)pw_refusal_text(&build->space, &reason, text + length, size - length);
}

static int map_all(struct build *build, const struct memory_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct memory_range *range = &map->ranges[i];
		char text[200];
		uint64_t size = size_of(range);
		enum pw_status status = size ? pw_map(&build->space, range->first, range->host,
						       size, range->rights, NULL)
					     : PW_E_RANGE;

		if (status == PW_OK)
			continue;
		explain(build, map, range, status, text, sizeof text);
		memory_map_complain(map, range, "the range 0x%" PRIx64 " 0x%" PRIx64 " %s",
			range->first, range->last, text);
		return EXIT_USAGE;
	}
	return EXIT_DATA;
}

static int build_and_write(struct build *build, const struct memory_map *map)
{
	int status = map_all(build, map);
	struct tables_report report;

	if (status != EXIT_DATA)
		return status;
	if (!whole_file_write(build->args->output, build->image.window.host, build->image.used))
		return EXIT_SOURCE;
	report = (struct tables_report){.space = &build->space,
		.base = build->args->base,
		.bytes = build->image.used,
		.has_eptp = !build->args->npt,
		.eptp_options = build->args->accessed_dirty ? PW_EPTP_ACCESSED_DIRTY : 0};
	tables_report_print(&report, build->args->common.json);
	return EXIT_DATA;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct ept_args args = {
		.npt = cmd == &cmd_npt, .base = TABLE_IMAGE_BASE, .levels = 4, .maxphyaddr = 52};
	struct build build = {.args = NULL};
	struct memory_map map;
	int status = args_parse(cmd, argc, argv, &args);

	if (status != ARGS_RUN)
		return status;
	status = memory_map_read(&map, args.map);
	if (status != EXIT_DATA)
		return status;
	status = begin(&build, &args);
	if (status == EXIT_DATA)
		status = build_and_write(&build, &map);
	table_image_end(&build.image);
	memory_map_free(&map);
	return status;
}

const struct cmd cmd_ept = {"ept", EPT_SUMMARY, &ept_argp, run};
const struct cmd cmd_npt = {"npt", NPT_SUMMARY, &npt_argp, run};
