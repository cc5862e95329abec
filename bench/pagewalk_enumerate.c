/* SPDX-License-Identifier: MIT */
#include "bench.h"
#include "enumerator.h"
#include "pagewalk.h"
#include "x86.h"

#include <stdlib.h>

struct list_all {
	struct pagewalk pagewalk;
	void *scratch;
	size_t scratch_bytes;
};

static void *open_all(const struct workload *w)
{
	struct list_all *all = calloc(1, sizeof *all);

	if (!all)
		bench_die("no memory");
	pagewalk_open(&all->pagewalk, &w->image, w->root, DOOR_WINDOW);
	/* A quarter more than the tables: the library keeps one quarter free. */
	all->scratch_bytes = PW_REGIONS_SCRATCH(w->tables + w->tables / 2);
	all->scratch = malloc(all->scratch_bytes);
	if (!all->scratch)
		bench_die("no memory");
	return all;
}

static unsigned level_of(uint64_t page_size)
{
	unsigned level = 0;

	while (UINT64_C(1) << SHIFT(level) < page_size)
		level++;
	return level;
}

static void add(struct regions *sum, const struct pw_region *region)
{
	unsigned rights = pagewalk_rights(pw_grant_rights(region->grant));

	if (region->kind != PW_REGION_MAPPED)
		bench_die("%#llx: a region that is not mapped", (unsigned long long)region->first);
	regions_add(sum, region->first, region->last,
		region_key(region->pa, level_of(region->page_size), rights));
}

static uint64_t run(void *self, struct regions *sum)
{
	struct list_all *all = self;
	struct pw_regions regions;
	struct pw_region region;
	uint64_t count = 0;

	pw_regions_begin(
		&regions, &all->pagewalk.space, 0, UINT64_MAX, all->scratch, all->scratch_bytes);
	regions.budget = UINT64_MAX;
	for (; pw_regions_next(&regions, &region); count++) {
		if (sum)
			add(sum, &region);
	}
	if (regions.status != PW_OK)
		bench_die("the enumeration ended early: %s", pw_status_name(regions.status));
	return count;
}

static void close_all(void *self)
{
	struct list_all *all = self;

	free(all->scratch);
	free(all);
}

const struct enumerator enumerator_pagewalk = {
	.who = "pagewalk",
	.open = open_all,
	.run = run,
	.close = close_all,
};
