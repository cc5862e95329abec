/* SPDX-License-Identifier: MIT */
/* pagewalk formats: the formats that the library knows. */
#include <stdlib.h>

#include <pagewalk/format.h>

#include "args.h"
#include "fields.h"
#include "output.h"

#define SUMMARY "List the formats of page tables"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->input;
		return 0;
	case ARGP_KEY_ARG:
		return args_wrong("'%s' is too much: this command takes no arguments", arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {.parser = parse, .doc = SUMMARY ".", .children = children};

/* Each level has an ordinary page and one that spans several entries, at most. */
#define PAGE_SIZES_MAX (2 * PW_MAX_LEVELS)

/* What libpagewalk answers as the page size of x86-none. */
#define IDENTITY_PAGE 4096

/* Ascending: a span is larger than the page of its level and smaller than the next level's. */
static unsigned page_sizes(const struct pw_format *format, uint64_t sizes[PAGE_SIZES_MAX])
{
	unsigned count = 0;

	/* Without tables an address is its own translation, told page by page all the same. */
	if (format->levels == 0)
		sizes[count++] = IDENTITY_PAGE;
	for (unsigned i = 0; i < format->levels; i++) {
		const struct pw_level *level = &format->level[i];

		if (level->page.size_log2 != 0)
			sizes[count++] = UINT64_C(1) << level->page.size_log2;
		if (level->span.size_log2 != 0)
			sizes[count++] = UINT64_C(1) << level->span.size_log2;
	}
	return count;
}

static void print_record(const struct pw_format *format)
{
	uint64_t sizes[PAGE_SIZES_MAX];
	unsigned count = page_sizes(format, sizes);
	json_t *record = json_object();
	json_t *list = json_array();

	for (unsigned i = 0; i < count; i++)
		if (json_array_append_new(list, json_integer((json_int_t)sizes[i])) != 0)
			output_out_of_memory();
	field_string(record, "name", format->name);
	field_number(record, "levels", format->levels);
	field_number(record, "va_bits", format->va_bits);
	field_number(record, "pa_bits", format->pa_bits);
	field_number(record, "entry_bytes", format->entry_bytes);
	field_value(record, "page_sizes", list);
	field_string(record, "manual", format->manual);
	output_record(record);
}

static void print_row(const struct pw_format *format)
{
	uint64_t sizes[PAGE_SIZES_MAX];
	unsigned count = page_sizes(format, sizes);

	output_text("%-14s %6u %4u %4u  ", format->name, (unsigned)format->levels,
		(unsigned)format->va_bits, (unsigned)format->pa_bits);
	for (unsigned i = 0; i < count; i++)
		output_text("%s%s", i > 0 ? ", " : "", pw_size_name(sizes[i]));
	output_text("\n");
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct common_args args = {0};
	const struct pw_format *format;
	int status = args_parse(cmd, argc, argv, &args);

	if (status != ARGS_RUN)
		return status;
	if (!args.json)
		output_text("%-14s %6s %4s %4s  %s\n", "NAME", "LEVELS", "VA", "PA", "PAGES");
	for (size_t i = 0; (format = pw_format_at(i)) != NULL; i++) {
		if (args.json)
			print_record(format);
		else
			print_row(format);
	}
	return EXIT_DATA;
}

const struct cmd cmd_formats = {"formats", SUMMARY, &argp, run};
