/* SPDX-License-Identifier: MIT */
#include "programs.h"

#include <inttypes.h>

static void print_region(const struct pw_region *r, FILE *out)
{
	pw_rights rights = pw_grant_rights(r->grant);

	fprintf(out, "%#" PRIx64 "-%#" PRIx64 " ", r->first, r->last);
	if (r->kind == PW_REGION_MAPPED)
		fprintf(out, "%#" PRIx64 " %s r%c%c%c\n", r->pa, pw_size_name(r->page_size),
			rights & PW_W ? 'w' : '-', rights & PW_X ? 'x' : '-',
			rights & PW_U ? 'u' : 's');
	else if (r->kind == PW_REGION_REPEATS)
		fprintf(out, "repeats %#" PRIx64 "\n", r->repeats);
	else
		fprintf(out, "%s, entry %#" PRIx64 "\n", r->kind == PW_REGION_BAD ? "bad" : "lost",
			r->entry);
}

bool enumerate(const struct pw_space *space, FILE *out)
{
	static uint64_t scratch[PW_REGIONS_SCRATCH(4096) / sizeof(uint64_t)];
	struct pw_regions it;
	struct pw_region r;

	pw_regions_begin(&it, space, 0, UINT64_MAX, scratch, sizeof scratch);
	while (pw_regions_next(&it, &r)) /* bad entries and lost tables come as regions */
		print_region(&r, out);
	if (it.status != PW_OK)
		fprintf(out, "incomplete from %#" PRIx64 ": %s\n", it.position,
			pw_status_name(it.status));
	return it.status == PW_OK;
}
