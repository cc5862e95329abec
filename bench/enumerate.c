/* SPDX-License-Identifier: MIT */
/*
 * enumerate/WORKLOAD/WHO: everything that is mapped, in order, as merged regions with folded
 * rights. The item is a page of the tables. `limit` is the AVX-512 one, `limit-batch-scalar` the
 * plain C one.
 */
#include "bench.h"
#include "enumerator.h"
#include "kinds.h"

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

static void open_enumerate(struct bench *bench)
{
	const struct enumerator *e = bench->who;
	const struct workload *w = workload_get((enum workload_id)bench->what, false);
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
	bench->items = w->leaves;
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

void enumerate_add(void)
{
	for (unsigned id = 0; id < WORKLOADS; id++) {
		for (size_t i = 0; i < ENUMERATORS; i++) {
			const struct enumerator *e = enumerators[i];
			struct bench *bench;

			if (e->missing && e->missing()) {
				bench_left_out(e->who, e->missing());
				continue;
			}
			bench = bench_add(&enumerate_kind, "enumerate/%s/%s",
				workload_name((enum workload_id)id), e->who);
			bench->who = e;
			bench->what = id;
		}
	}
}
