/* SPDX-License-Identifier: MIT */
/*
 * enumerate/WORKLOAD/WHO: everything that is mapped, in order, as merged regions with folded
 * rights. The item is a page of the tables. `limit` is the AVX-512 one, `limit-batch-scalar` the
 * plain C one.
 *
 * enumerate-pages/N/WHO: N pages one after the other, by page. enumerate-tables/N/WHO: N tables,
 * with one page in each of the last ones, by table.
 */
#include "bench.h"
#include "enumerator.h"
#include "kinds.h"
#include "x86.h"

#include <stdio.h>
#include <unistd.h>

static const struct enumerator *const enumerators[] = {
	&enumerator_limit,
	&enumerator_limit_scalar,
	&enumerator_pagewalk,
	&enumerator_pagewalk_scalar,
};

#define ENUMERATORS (sizeof enumerators / sizeof enumerators[0])

void sink_take(struct sink *sink)
{
	size_t ends = sink->ends;

	for (size_t i = 0; sink->sum && i < ends; i++)
		regions_add(sink->sum, sink->first[i], sink->last[i], sink->key[i]);
	sink->count += ends;
	if (sink->starts > ends) {
		sink->first[0] = sink->first[ends];
		sink->key[0] = sink->key[ends];
	}
	sink->starts -= ends;
	sink->ends = 0;
}

enum growth {
	GROWTH_NONE,
	GROWTH_PAGES,
	GROWTH_TABLES,
};

static const struct workload *workload_of(const struct bench *bench)
{
	if (bench->variant == GROWTH_PAGES)
		return workload_pages(bench->what);
	if (bench->variant == GROWTH_TABLES)
		return workload_tables(bench->what);
	return workload_get((enum workload_id)bench->what, false);
}

static void open_enumerate(struct bench *bench)
{
	const struct enumerator *e = bench->who;
	const struct workload *w = workload_of(bench);
	struct regions wanted, got = {0, 0};
	uint64_t count;

	workload_regions(w, &wanted);
	bench->state = e->open(w);
	count = e->run(bench->state, &got);
	if (count != wanted.count || got.count != wanted.count || got.hash != wanted.hash)
		bench_die("%llu regions, hash %#llx, where there are %llu, hash %#llx",
			(unsigned long long)got.count, (unsigned long long)got.hash,
			(unsigned long long)wanted.count, (unsigned long long)wanted.hash);
	bench->size = wanted.count;
	bench->items = bench->variant == GROWTH_TABLES ? w->tables : w->leaves;
}

static void run_enumerate(struct bench *bench)
{
	const struct enumerator *e = bench->who;

	if (e->run(bench->state, NULL) != bench->size)
		bench_die("another number of regions than before");
}

static void close_enumerate(struct bench *bench)
{
	const struct enumerator *e = bench->who;

	if (bench->state)
		e->close(bench->state);
}

static const struct bench_kind enumerate_kind = {
	.open = open_enumerate,
	.run = run_enumerate,
	.close = close_enumerate,
};

static void add_all(const char *section, const char *column, enum growth growth, unsigned what)
{
	for (size_t i = 0; i < ENUMERATORS; i++) {
		const struct enumerator *e = enumerators[i];
		struct bench *bench;

		if (e->missing && e->missing()) {
			bench_left_out(e->who, e->missing());
			continue;
		}
		bench = bench_add(&enumerate_kind, "%s/%s/%s", section, column, e->who);
		bench->who = e;
		bench->variant = growth;
		bench->what = what;
	}
}

/* By steps of ten; what is verified alone stays small. */
static void add_growth(const char *section, enum growth growth, unsigned first, unsigned last)
{
	char column[16];

	for (unsigned n = first; n <= (bench_is_small() ? 10 * first : last); n *= 10) {
		snprintf(column, sizeof column, "%u", n);
		add_all(section, column, growth, n);
	}
}

/* The largest needs tables of 0.8 GB. */
static bool has_memory(void)
{
	return sysconf(_SC_PHYS_PAGES) >= (long)((UINT64_C(3) << 30) / TABLE_BYTES);
}

void enumerate_add(void)
{
	for (unsigned id = 0; id < WORKLOADS; id++)
		add_all("enumerate", workload_name((enum workload_id)id), GROWTH_NONE, id);
	add_growth("enumerate-pages", GROWTH_PAGES, 1000, has_memory() ? 100000000 : 10000000);
	add_growth("enumerate-tables", GROWTH_TABLES, 100, 100000);
}
