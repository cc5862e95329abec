/* SPDX-License-Identifier: MIT */
#include "listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cmd.h"
#include "fields.h"
#include "output.h"

#define TABLE_BYTES 4096

/*
 * A table can be met at every level and under several combinations of rights. Beyond the limit
 * tables are visited more than once, and the library's budget bounds that.
 */
#define ROLES_PER_TABLE 16
#define TABLES_MAX      (UINT64_C(1) << 21)

/*
 * Everything listed in full is a line for each page in the worst case: tables that lead to
 * themselves would fill disks. Otherwise the library's own budget holds.
 */
#define EXPAND_BUDGET (UINT64_C(1) << 24)

/* How many regions go by between two looks at the clock. */
#define PROGRESS_STRIDE 4096

static size_t scratch_bytes(uint64_t memory_bytes)
{
	uint64_t tables = memory_bytes / TABLE_BYTES + 1;

	if (tables > TABLES_MAX / ROLES_PER_TABLE)
		return PW_REGIONS_SCRATCH(TABLES_MAX);
	return PW_REGIONS_SCRATCH(tables * ROLES_PER_TABLE);
}

/* Regions of one stage or of both, as those of both; with one stage, `stage` and `gpa` are 0. */
struct source_of_regions {
	const struct listing *listing;
	struct pw_regions single;
	struct pw_nested_regions nested;
};

static void begin(
	struct source_of_regions *from, const struct listing *l, void *scratch, size_t bytes)
{
	from->listing = l;
	if (l->stage2 != NULL) {
		pw_nested_regions_begin(&from->nested, l->space, l->stage2, l->first, l->last, true,
			scratch, bytes);
		from->nested.expand = l->expand;
		if (l->expand)
			from->nested.budget = EXPAND_BUDGET;
		return;
	}
	pw_regions_begin(&from->single, l->space, l->first, l->last, scratch, bytes);
	from->single.expand = l->expand;
	if (l->expand)
		from->single.budget = EXPAND_BUDGET;
}

static bool next(struct source_of_regions *from, struct pw_nested_region *region)
{
	struct pw_region r;

	if (from->listing->stage2 != NULL)
		return pw_nested_regions_next(&from->nested, region);
	if (!pw_regions_next(&from->single, &r))
		return false;
	*region = (struct pw_nested_region){
		.first = r.first,
		.last = r.last,
		.kind = r.kind,
		.level = r.level,
		.grant = r.grant,
		.pa = r.pa,
		.page_size = r.page_size,
		.entry = r.entry,
		.repeats = r.repeats,
	};
	return true;
}

static const char *reason_of(const struct pw_nested_region *region)
{
	return pw_status_name(region->kind == PW_REGION_BAD ? PW_RESERVED : PW_NO_MEMORY);
}

static void print_rights(const struct pw_format *format, pw_grant grant)
{
	char rights[RIGHTS_BYTES], user[RIGHTS_BYTES], supervisor[RIGHTS_BYTES];

	output_text(",\"rights\":\"%s\"", rights_text(pw_grant_rights(grant), format, rights));
	if (format->has_user)
		output_text(",\"user\":\"%s\",\"supervisor\":\"%s\"",
			rwx_text(pw_grant_user(grant), user),
			rwx_text(pw_grant_supervisor(grant), supervisor));
}

/* Stage 1 has mapped it. */
static bool has_gpa(const struct listing *listing, const struct pw_nested_region *region)
{
	return listing->stage2 != NULL && region->kind != PW_REGION_REPEATS && region->stage != 1;
}

/* Not by way of a json_t: there can be millions of these, and nothing in them needs quoting. */
static void print_record(const struct listing *listing, const struct pw_nested_region *region)
{
	output_text("{%s\"first\":\"0x%" PRIx64 "\",\"last\":\"0x%" PRIx64 "\"",
		listing->is_event ? "\"event\":\"region\"," : "", region->first, region->last);
	switch (region->kind) {
	case PW_REGION_MAPPED:
		output_text(",\"pa\":\"0x%" PRIx64 "\",\"page_size\":%" PRIu64, region->pa,
			region->page_size);
		print_rights(listing->space->format, region->grant);
		break;
	case PW_REGION_REPEATS:
		output_text(",\"repeats\":\"0x%" PRIx64 "\"", region->repeats);
		break;
	case PW_REGION_UNBACKED:
		output_text(",\"unbacked\":true");
		break;
	default:
		output_text(",\"status\":\"%s\",\"level\":%u,\"entry\":\"0x%" PRIx64 "\"",
			reason_of(region), (unsigned)region->level, region->entry);
		if (region->stage != 0)
			output_text(",\"stage\":%u", (unsigned)region->stage);
	}
	if (has_gpa(listing, region))
		output_text(",\"gpa\":\"0x%" PRIx64 "\"", region->gpa);
	output_text("}\n");
}

static int address_digits(const struct listing *listing)
{
	return listing->space->format->va_bits <= 32 ? 8 : 16;
}

/* "12K": exact, in the largest unit that is. The whole of 2^64 bytes is size 0. */
static const char *size_text(uint64_t bytes, char *text, size_t room)
{
	static const char units[] = "BKMGTPE";
	unsigned unit = 0;

	if (bytes == 0)
		return "16E";
	while (bytes % 1024 == 0 && units[unit + 1] != '\0') {
		bytes /= 1024;
		unit++;
	}
	(void)snprintf(text, room, "%" PRIu64 "%c", bytes, units[unit]);
	return text;
}

static void print_line(const struct listing *listing, const struct pw_nested_region *region)
{
	static const char *const stage_text[] = {"", " of stage 1", " of stage 2"};
	int digits = address_digits(listing);
	char size[24], pa[20], rights[RIGHTS_BYTES];

	output_text("%s0x%0*" PRIx64 " 0x%0*" PRIx64 " %6s  ", listing->indent, digits,
		region->first, digits, region->last,
		size_text(region->last - region->first + 1, size, sizeof size));
	if (has_gpa(listing, region))
		output_text("0x%-12" PRIx64 " ", region->gpa);
	switch (region->kind) {
	case PW_REGION_MAPPED:
		(void)snprintf(pa, sizeof pa, "0x%" PRIx64, region->pa);
		output_text("%-14s %-7s %s\n", pa, pw_size_name(region->page_size),
			rights_text(
				pw_grant_rights(region->grant), listing->space->format, rights));
		break;
	case PW_REGION_REPEATS:
		output_text("repeats 0x%" PRIx64 "\n", region->repeats);
		break;
	case PW_REGION_UNBACKED:
		output_text("not in stage 2\n");
		break;
	default:
		output_text("%s at level %u%s, entry 0x%" PRIx64 "\n", reason_of(region),
			(unsigned)region->level, stage_text[region->stage], region->entry);
	}
}

static void print_heading(const struct listing *listing)
{
	int width = address_digits(listing) + 2;

	output_text("%s%-*s %-*s %6s  %s%-14s %-7s %s\n", listing->indent, width, "FIRST", width,
		"LAST", "SIZE", listing->stage2 != NULL ? "GPA            " : "", "PA", "PAGE",
		"RIGHTS");
}

static void print_shortfall(const struct listing *listing, uint64_t budget, pw_va position)
{
	json_t *record;
	char reason[160];

	(void)snprintf(reason, sizeof reason,
		"the budget of %" PRIu64 " entries is used up; the rest begins at 0x%" PRIx64,
		budget, position);
	if (!listing->json) {
		output_text("%sincomplete: %s\n", listing->indent, reason);
		return;
	}
	record = json_object();
	if (listing->is_event)
		field_string(record, "event", "region");
	field_bool(record, "complete", false);
	field_string(record, "reason", reason);
	output_record(record);
}

/* Shows where a long list has got to, once a second. */
static void show_progress(uint64_t count, const struct pw_nested_region *region, time_t *shown)
{
	time_t now;

	if (count % PROGRESS_STRIDE != 0 || !output_progress_is_seen())
		return;
	now = time(NULL);
	if (now == *shown)
		return;
	if (*shown != 0)
		output_progress("%" PRIu64 " regions, at 0x%" PRIx64, count, region->first);
	*shown = now;
}

static int print_regions(const struct listing *listing, struct source_of_regions *from)
{
	bool nested = listing->stage2 != NULL;
	struct pw_nested_region region;
	int status = EXIT_DATA;
	uint64_t count = 0;
	time_t shown = 0;

	while (!output_failed() && next(from, &region)) {
		if (count == 0 && !listing->json)
			print_heading(listing);
		if (listing->json)
			print_record(listing, &region);
		else
			print_line(listing, &region);
		if (region.kind == PW_REGION_BAD || region.kind == PW_REGION_LOST)
			status = EXIT_REASON;
		show_progress(++count, &region, &shown);
	}
	if ((nested ? from->nested.status : from->single.status) == PW_E_BUDGET) {
		print_shortfall(listing, nested ? from->nested.budget : from->single.budget,
			nested ? from->nested.position : from->single.position);
		status = EXIT_REASON;
	}
	return status;
}

int listing_print(const struct listing *listing)
{
	size_t bytes = scratch_bytes(listing->memory_bytes);
	void *scratch = malloc(bytes);
	struct source_of_regions from;
	int status;

	if (scratch == NULL) {
		output_out_of_memory();
		return EXIT_SOURCE;
	}
	begin(&from, listing, scratch, bytes);
	status = print_regions(listing, &from);
	free(scratch);
	return status;
}
