/* SPDX-License-Identifier: MIT */
/*
 * enumerate/hostile/WHO: one table, all of whose entries lead to itself at every level: 2^36 ways
 * to a page. The item is the whole list. No limit stands beside it: who follows each way does not
 * come back.
 */
#include "bench.h"
#include "kinds.h"
#include "pagewalk.h"
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define TABLES_MET 16
#define LIST       4096
#define HALF       (UINT64_C(1) << 47)

struct hostile {
	_Alignas(TABLE_BYTES) uint64_t table[TABLE_ENTRIES];
	_Alignas(64) struct pw_region region[LIST];
	_Alignas(8) char scratch[PW_REGIONS_SCRATCH(TABLES_MET)];
	struct image image;
	struct pagewalk pagewalk;
};

static size_t list(struct hostile *h)
{
	struct pw_regions regions;
	size_t count = 0, some;

	pw_regions_begin(
		&regions, &h->pagewalk.space, 0, UINT64_MAX, h->scratch, sizeof h->scratch);
	while ((some = pw_regions_fill(&regions, h->region + count, LIST - count)) > 0)
		count += some;
	if (regions.status != PW_OK || count == LIST)
		bench_die("not complete: %s", pw_status_name(regions.status));
	return count;
}

/* Every address is listed once, and each maps the table itself, at last. */
static void verify(const struct hostile *h, size_t count)
{
	uint64_t next = 0;

	for (size_t i = 0; i < count; i++) {
		const struct pw_region *r = &h->region[i];

		if (r->first != next)
			bench_die("%#llx is not listed", (unsigned long long)next);
		if (r->kind == PW_REGION_REPEATS ? r->repeats + (r->last - r->first) >= r->first
						 : r->kind != PW_REGION_MAPPED || r->pa ||
							   r->last - r->first != TABLE_BYTES - 1)
			bench_die("%#llx is wrong", (unsigned long long)r->first);
		next = r->last == HALF - 1 ? ~(HALF - 1) : r->last + 1;
	}
	if (!count || next)
		bench_die("%#llx is not listed", (unsigned long long)next);
}

static void open_hostile(struct bench *bench)
{
	struct hostile *h = aligned_alloc(_Alignof(struct hostile), sizeof *h);

	if (!h)
		bench_die("no memory");
	memset(h, 0, sizeof *h);
	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		h->table[i] = X86_P | X86_W | X86_U;
	h->image.bytes = (uint8_t *)h->table;
	h->image.size = TABLE_BYTES;
	pagewalk_open(&h->pagewalk, &h->image, 0, DOOR_WINDOW);
	h->pagewalk.memory.kernels = bench->what ? pw_kernels_best() : NULL;
	bench->state = h;
	bench->size = list(h);
	verify(h, bench->size);
}

static void run_hostile(struct bench *bench)
{
	if (list(bench->state) != bench->size)
		bench_die("another number of regions than before");
}

static void close_hostile(struct bench *bench)
{
	free(bench->state);
}

static const struct bench_kind hostile_kind = {
	.open = open_hostile,
	.run = run_hostile,
	.close = close_hostile,
};

void enumerate_hostile_add(void)
{
	bench_add(&hostile_kind, "enumerate/hostile/pagewalk")->what = true;
	bench_add(&hostile_kind, "enumerate/hostile/pagewalk-scalar")->what = false;
}
