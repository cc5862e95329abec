/* SPDX-License-Identifier: MIT */
#include "walk_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "entry_bits.h"
#include "fields.h"
#include "output.h"

struct bits_text {
	char *text;
	size_t length;
};

static void append_name(void *ctx, const char *name)
{
	struct bits_text *bits = ctx;
	size_t length = strlen(name);

	if (bits->length + length + 2 > WALK_BITS_BYTES)
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

const char *walk_bits_text(const struct pw_space *space, unsigned level, uint64_t entry,
	enum pw_kind kind, char text[WALK_BITS_BYTES])
{
	struct bits_text bits = {.text = text};

	text[0] = '\0';
	entry_bits(space, level, entry, kind, append_name, &bits);
	return bits.length == 0 ? "-" : text;
}

json_t *walk_bits_array(
	const struct pw_space *space, unsigned level, uint64_t entry, enum pw_kind kind)
{
	json_t *bits = json_array();

	entry_bits(space, level, entry, kind, append_string, bits);
	return bits;
}

static void print_step(const struct translation *t, size_t index, const char *indent)
{
	const struct pw_trace_step *step = &t->steps[index];
	char table[20], entry[20], bits[WALK_BITS_BYTES];

	(void)snprintf(table, sizeof table, "0x%" PRIx64, step->table);
	(void)snprintf(entry, sizeof entry, "0x%" PRIx64, step->entry);
	output_text("%s%5u  %-18s %5" PRIu32 "  %-18s  %-5s %s%s\n", indent, (unsigned)step->level,
		table, step->index, entry, pw_kind_name(step->kind),
		(int)index == translation_deciding_step(t) ? "* " : "  ",
		walk_bits_text(t->space, step->level, step->entry, step->kind, bits));
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

	field_number(record, "level", step->level);
	field_address(record, "table", step->table);
	field_number(record, "index", step->index);
	field_address(record, "entry", step->entry);
	field_string(record, "kind", pw_kind_name(step->kind));
	field_value(
		record, "bits", walk_bits_array(t->space, step->level, step->entry, step->kind));
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
