/* SPDX-License-Identifier: MIT */
#include "ept_report.h"

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

static struct statistics count(const struct ept_report *report)
{
	struct statistics statistics = {.tables = 1}; /* the root */
	struct pw_walker walker = {.handle_pte = count_entry, .ctx = &statistics};

	(void)!pw_walk(report->space, 0, UINT64_MAX, &walker);
	return statistics;
}

static uint64_t eptp_of(const struct ept_report *report)
{
	const uint64_t capabilities = PW_EPT_CAP_4_LEVELS | PW_EPT_CAP_5_LEVELS | PW_EPT_CAP_WB |
				      PW_EPT_CAP_ACCESSED_DIRTY;
	uint64_t eptp = 0;

	(void)!pw_eptp_make(report->space->format, report->space->root, capabilities,
		report->space->pa_bits, report->eptp_options, &eptp);
	return eptp;
}

static void print_record(const struct ept_report *report, const struct statistics *statistics)
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
	output_record(record);
}

static void print_text(const struct ept_report *report, const struct statistics *statistics)
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
}

void ept_report_print(const struct ept_report *report, bool json)
{
	struct statistics statistics = count(report);

	if (json)
		print_record(report, &statistics);
	else
		print_text(report, &statistics);
}
