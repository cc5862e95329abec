/* SPDX-License-Identifier: MIT */
#include "programs.h"

struct tally {
	unsigned pages, holes;
};

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct tables *tables = ctx;

	if (pa / bytes >= tables->count)
		return false;
	*entry = tables->entries[pa / bytes];
	return true;
}

static int on_pte(void *ctx, const struct pw_visit *visit)
{
	struct tally *tally = ctx;

	tally->pages += visit->kind == PW_PAGE;
	return 0;
}

static int on_hole(void *ctx, const struct pw_visit *visit)
{
	struct tally *tally = ctx;

	(void)visit; /* visit->first and visit->last say where */
	tally->holes++;
	return 0;
}

enum pw_status count_entries(struct tables *tables, pw_pa root, pw_va first, pw_va last, FILE *out)
{
	struct tally tally = {0, 0};
	struct pw_memory memory = {.read_pte = read_pte, .ctx = tables};
	struct pw_walker count = {.handle_pte = on_pte, .handle_pte_hole = on_hole, .ctx = &tally};
	struct pw_space space;
	enum pw_status status = pw_space_init(&space, &pw_format_x86_64, root, &memory);

	if (status == PW_OK)
		status = pw_walk(&space, first, last, &count);
	fprintf(out, "%u pages, %u holes: %s\n", tally.pages, tally.holes, pw_status_name(status));
	return status;
}
