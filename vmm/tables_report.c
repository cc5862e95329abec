/* SPDX-License-Identifier: MIT */
#include "tables_report.h"

#include <inttypes.h>

#include <pagewalk/pagewalk.h>

#include "fields.h"
#include "output.h"

#define PAGE_SIZES 3

struct statistics {
	uint64_t tables, pages[PAGE_SIZES];
};

static int count_entry(void *ctx, const struct pw_visit *visit)
{
	struct statistics *statistics = ctx;

	if (visit->kind == PW_TABLE)
		statistics->tables++;
	else if (visit->kind == PW_PAGE && visit->level < PAGE_SIZES)
		statistics->pages[visit->level]++;
	return 0;
}

static struct statistics count(const struct tables_report *report)
{
	struct statistics statistics = {.tables = 1}; /* the root */
	struct pw_walker walker = {.handle_pte = count_entry, .ctx = &statistics};

	(void)!pw_walk(report->space, 0, UINT64_MAX, &walker);
	return statistics;
}

static uint64_t eptp_of(const struct tables_report *report)
{
	const uint64_t capabilities = PW_EPT_CAP_4_LEVELS | PW_EPT_CAP_5_LEVELS | PW_EPT_CAP_WB |
				      PW_EPT_CAP_ACCESSED_DIRTY;
	uint64_t eptp = 0;

	(void)!pw_eptp_make(report->space->format, report->space->root, capabilities,
		report->space->pa_bits, report->eptp_options, &eptp);
	return eptp;
}

static void put_left(json_t *record, const struct shadow_left *left)
{
	json_t *counts = json_object();

	field_number(counts, "tables", left->tables);
	field_number(counts, "device", left->device);
	field_number(counts, "rights", left->rights);
	field_number(counts, "lost", left->lost);
	field_value(record, "left", counts);
}

static void print_left(const struct shadow_left *left)
{
	const struct {
		uint64_t count;
		const char *why;
	} rows[] = {
		{left->tables, "hold tables of the guest, and cannot be written"},
		{left->device, "lie where the map has no memory"},
		{left->rights, "cannot be read by the map's rights"},
		{left->lost, "are behind tables that are not in the source"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].count > 0)
			output_text(
				"left    %" PRIu64 " of 4 KiB %s\n", rows[i].count, rows[i].why);
}

static void print_record(const struct tables_report *report, const struct statistics *statistics)
{
	json_t *record = json_object(), *pages = json_array();

	field_string(record, "format", report->space->format->name);
	field_address(record, "root", report->space->root);
	if (report->has_eptp)
		field_address(record, "eptp", eptp_of(report));
	field_address(record, "base", report->base);
	field_number(record, "bytes", report->bytes);
	field_number(record, "tables", statistics->tables);
	for (unsigned i = 0; i < PAGE_SIZES; i++) {
		json_t *row = json_object();

		field_number(
			row, "page_size", pw_level_page_size(&report->space->format->level[i]));
		field_number(row, "count", statistics->pages[i]);
		if (json_array_append_new(pages, row) != 0)
			output_out_of_memory();
	}
	field_value(record, "pages", pages);
	if (report->left != NULL)
		put_left(record, report->left);
	output_record(record);
}

static void print_text(const struct tables_report *report, const struct statistics *statistics)
{
	output_text("format  %s\nroot    0x%" PRIx64 "\n", report->space->format->name,
		report->space->root);
	if (report->has_eptp)
		output_text("EPTP    0x%" PRIx64 "\n", eptp_of(report));
	output_text("tables  %" PRIu64 ", %" PRIu64 " bytes from 0x%" PRIx64 " on\n",
		statistics->tables, report->bytes, report->base);
	for (unsigned i = PAGE_SIZES; i-- > 0;)
		output_text("pages   %" PRIu64 " of %s\n", statistics->pages[i],
			pw_size_name(pw_level_page_size(&report->space->format->level[i])));
	if (report->left != NULL)
		print_left(report->left);
}

void tables_report_print(const struct tables_report *report, bool json)
{
	struct statistics statistics = count(report);

	if (json)
		print_record(report, &statistics);
	else
		print_text(report, &statistics);
}
