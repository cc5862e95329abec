/* SPDX-License-Identifier: MIT */
/* pagewalk shadow: the tables that a CPU could run a guest on without a second level, as an image.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "args.h"
#include "output.h"
#include "shadow_build.h"
#include "source.h"
#include "space_args.h"
#include "whole_file.h"

#define SUMMARY "Build shadow tables of a guest for a memory map"

enum {
	KEY_OUTPUT = 'o',
	KEY_BASE = 0x6000,
	KEY_USER,
	KEY_LARGEST,
};

struct shadow_args {
	struct common_args common;
	struct space_args space;
	const char *source, *map, *output;
	uint64_t base, largest;
	bool user;
};

static error_t check(const struct shadow_args *args)
{
	error_t status;

	if (args->map == NULL)
		return args_wrong("SOURCE and MAP are needed: the guest's memory, and a file that "
				  "says where it lies in the machine");
	status = args_image_output(args->output);
	if (status != 0)
		return status;
	if (args->base % TABLE_IMAGE_ALIGN != 0 || args->base >> 52 != 0)
		return args_wrong("--base 0x%" PRIx64 " is not the address of a table", args->base);
	if (args->largest != UINT64_C(1) << 12 && args->largest != UINT64_C(1) << 21 &&
		args->largest != UINT64_C(1) << 30)
		return args_wrong("--largest is 4K, 2M or 1G");
	return 0;
}

static error_t take_argument(struct shadow_args *args, const char *arg)
{
	if (args->source == NULL)
		args->source = arg;
	else if (args->map == NULL)
		args->map = arg;
	else
		return args_wrong("'%s' is too much", arg);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct shadow_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->space;
		state->child_inputs[1] = &args->common;
		return 0;
	case KEY_OUTPUT:
		args->output = arg;
		return 0;
	case KEY_BASE:
		return args_number("--base", arg, &args->base);
	case KEY_USER:
		args->user = true;
		return 0;
	case KEY_LARGEST:
		return args_size("--largest", arg, &args->largest);
	case ARGP_KEY_ARG:
		return take_argument(args, arg);
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
	{"user", KEY_USER, NULL, 0, "For the guest's user mode, not its supervisor mode", 0},
	{"largest", KEY_LARGEST, "SIZE", 0, "The CPU's largest page: 4K, 2M or 1G (1G)", 0},
	{0},
};
static const struct argp_child children[] = {
	{&space_argp, 0, NULL, 0}, {&common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "SOURCE MAP",
	.doc = SUMMARY
	", as they are when the guest has touched each of its pages in each way that it may, and "
	"write them as a memory image; print its root and what is in it."
	"\vSOURCE is FILE or FILE@BASE, the guest's memory; it stays as it is. MAP holds one range "
	"a line: FIRST LAST [-> HOST] RIGHTS. FIRST and LAST are guest-physical and inclusive, "
	"HOST is where FIRST lies in the machine. # begins a comment.",
	.children = children,
};

static int write_and_report(const struct shadow_args *args, const struct shadow_build *build)
{
	const struct table_image *image = build->image;
	const struct tables_report report = {.space = &build->shadow,
		.base = image->window.base,
		.bytes = image->used,
		.left = &build->left};

	if (!whole_file_write(args->output, image->window.host, image->used))
		return EXIT_SOURCE;
	tables_report_print(&report, args->common.json);
	return build->left.lost > 0 ? EXIT_REASON : EXIT_DATA;
}

static int build_from(
	const struct shadow_args *args, const struct source *source, struct memory_map *map)
{
	struct pw_space guest;
	struct table_image image;
	struct shadow_build build = {.guest = &guest,
		.guest_bytes = source->last - source->base,
		.user = args->user,
		.largest = args->largest,
		.map = map,
		.image = &image};
	int status = space_args_make(&args->space, &source->memory, &guest);

	if (status != EXIT_DATA)
		return status;
	if (!table_image_begin(&image, args->base))
		return EXIT_SOURCE;
	status = shadow_build(&build);
	if (status == EXIT_DATA)
		status = write_and_report(args, &build);
	table_image_end(&image);
	return status;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct shadow_args args = {.base = TABLE_IMAGE_BASE, .largest = UINT64_C(1) << 30};
	struct memory_map map;
	struct source source;
	int status = args_parse(cmd, argc, argv, &args);

	if (status != ARGS_RUN)
		return status;
	status = memory_map_read(&map, args.map);
	if (status != EXIT_DATA)
		return status;
	status = source_open_copy(&source, args.source);
	if (status == EXIT_DATA) {
		status = build_from(&args, &source, &map);
		source_close(&source);
	}
	memory_map_free(&map);
	return status;
}

const struct cmd cmd_shadow = {"shadow", SUMMARY, &argp, run};
