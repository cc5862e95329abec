/* SPDX-License-Identifier: MIT */
#include "walk_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "entry_bits.h"
#include "fields.h"
#include "output.h"

#define BITS_TEXT_BYTES 512

struct bits_text {
	char text[BITS_TEXT_BYTES];
	size_t length;
};

static void append_name(void *ctx, const char *name)
{
	struct bits_text *bits = ctx;
	size_t length = strlen(name);

	if (bits->length + length + 2 > sizeof bits->text)
		return;
	if (bits->length > 0)
		bits->text[bits->length++] = ' ';
	memcpy(bits->text + bits->length, name, length + 1);
	bits->length += length;
}

static void append_string(void *ctx, const char *name)
{
	if (json_array_append_new(ctx, json_string(name)) != 0)
		output_out_of_memory();
}

static void print_step(const struct translation *t, size_t index, const char *indent)
{
	const struct pw_trace_step *step = &t->steps[index];
	struct bits_text bits = {.length = 0};
	char table[20], entry[20];

	entry_bits(t->space, step->level, step->entry, step->kind, append_name, &bits);
	(void)snprintf(table, sizeof table, "0x%" PRIx64, step->table);
	(void)snprintf(entry, sizeof entry, "0x%" PRIx64, step->entry);
	output_text("%s%5u  %-18s %5" PRIu32 "  %-18s  %-5s %s%s%s\n", indent,
		(unsigned)step->level, table, step->index, entry, pw_kind_name(step->kind),
		(int)index == translation_deciding_step(t) ? "* " : "  ", bits.text,
		bits.length == 0 ? "-" : "");
}

void walk_print_steps(const struct translation *t, const char *indent)
{
	if (t->step_count > 0)
		output_text("%s%5s  %-18s %5s  %-18s  %-5s   %s\n", indent, "LEVEL", "TABLE",
			"INDEX", "ENTRY", "KIND", "BITS");
	for (size_t i = 0; i < t->step_count; i++)
		print_step(t, i, indent);
}

json_t *walk_step_record(const struct translation *t, size_t index)
{
	const struct pw_trace_step *step = &t->steps[index];
	json_t *record = json_object();
	json_t *bits = json_array();

	entry_bits(t->space, step->level, step->entry, step->kind, append_string, bits);
	field_number(record, "level", step->level);
	field_address(record, "table", step->table);
	field_number(record, "index", step->index);
	field_address(record, "entry", step->entry);
	field_string(record, "kind", pw_kind_name(step->kind));
	field_value(record, "bits", bits);
	if ((int)index == translation_deciding_step(t))
		field_bool(record, "decides", true);
	return record;
}

void walk_print_records(const struct translation *t)
{
	for (size_t i = 0; i < t->step_count; i++)
		output_record(walk_step_record(t, i));
	output_record(translation_record(t));
}
