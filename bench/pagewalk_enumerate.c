/* SPDX-License-Identifier: MIT */
#include "bench.h"
#include "enumerator.h"
#include "pagewalk.h"
#include "x86.h"

#include <stdlib.h>
#include <string.h>

/* Enough to pay for the call, and 16 KiB: less than the first cache. */
#define AT_ONCE 256

struct list_all {
	struct pagewalk pagewalk;
	void *scratch;
	size_t scratch_bytes;
	_Alignas(64) struct pw_region region[AT_ONCE];
};

static struct list_all *open_all(const struct workload *w, const struct pw_kernels *kernels)
{
	struct list_all *all = aligned_alloc(_Alignof(struct list_all), sizeof *all);

	if (!all)
		bench_die("no memory");
	memset(all, 0, sizeof *all);
	pagewalk_open(&all->pagewalk, &w->image, w->root, DOOR_WINDOW);
	all->pagewalk.memory.kernels = kernels;
	/* A quarter more than the tables: the library keeps one quarter free. */
	all->scratch_bytes = PW_REGIONS_SCRATCH(w->tables + w->tables / 2);
	all->scratch = malloc(all->scratch_bytes);
	if (!all->scratch)
		bench_die("no memory");
	return all;
}

static void *open_best(const struct workload *w)
{
	return open_all(w, pw_kernels_best());
}

static void *open_plain(const struct workload *w)
{
	return open_all(w, NULL);
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
	uint64_t count = 0;
	size_t some;

	pw_regions_begin(
		&regions, &all->pagewalk.space, 0, UINT64_MAX, all->scratch, all->scratch_bytes);
	regions.budget = UINT64_MAX;
	while ((some = pw_regions_fill(&regions, all->region, AT_ONCE)) > 0) {
		count += some;
		for (size_t i = 0; sum && i < some; i++)
			add(sum, &all->region[i]);
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

/* With the best vector code for this processor. */
const struct enumerator enumerator_pagewalk = {
	.who = "pagewalk",
	.open = open_best,
	.run = run,
	.close = close_all,
};

/* In plain C. */
const struct enumerator enumerator_pagewalk_scalar = {
	.who = "pagewalk-scalar",
	.open = open_plain,
	.run = run,
	.close = close_all,
};
