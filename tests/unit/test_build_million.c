/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of operations on small worlds, in every format; with PW_EXHAUSTIVE a million for
 * each. See build_operations.h.
 */
#include "build_operations.h"
#include <stdio.h>

#define WORLDS     32
#define OPERATIONS (WORLDS * 20u)
#define MILLION    1000000u

/* How many levels can be the base of a world: those with a page, and one larger than it. */
static unsigned count_bases(const struct pw_format *format)
{
	unsigned count = 0;

	while (count + 1u < format->levels && format->level[count + 1].page.size_log2)
		count++;
	return count ? count : 1;
}

/* Tables in windows and behind callbacks, live and not, with and without vector code, cells of each
 * size in turn. */
static void one_small_world(const struct pw_format *format, unsigned n, uint64_t seed,
	unsigned operations, struct build_sum *sum)
{
	uint64_t root = pw_table_bytes(format, format->levels - 1u);
	uint64_t table = pw_table_bytes(format, 0);
	const struct world_kind kind = {
		.memory_bytes = 64 * (table > root ? table : root),
		.page_cells = UINT64_C(1) << 13,
		.base = n / 8 % count_bases(format),
		.samples = 2,
		.small = 4,
		.whole_once_in = 32,
		.allocated = 40,
		.tables_once_in = 16,
		.windows = n & 1,
		.groups = !(n & 4) || n & 2,
	};

	build_world_run(
		format, &kind, n & 2, n & 4 ? pw_kernels_best() : NULL, seed, operations, sum);
}

static void small_worlds(size_t first, size_t end)
{
	const char *text = getenv("PW_OPERATIONS");
	unsigned all = text                      ? (unsigned)strtoul(text, NULL, 0)
		       : getenv("PW_EXHAUSTIVE") ? MILLION
						 : OPERATIONS;
	unsigned operations = all / WORLDS;
	uint64_t seed = random_seed(20270106), failed = 0, done = 0;
	const struct pw_format *format;

	for (size_t i = first; i < end && (format = pw_format_at(i)); i++) {
		struct build_sum sum = {.operations = 0};

		if (!format->levels)
			continue;
		for (unsigned n = 0; n < WORLDS; n++)
			one_small_world(format, n, seed + i * WORLDS + n, operations, &sum);
		/* A few hundred operations may all have found a table. */
		cr_expect(sum.done > sum.operations / 2 &&
				  (sum.failed > sum.operations / 1000 || operations < 300),
			"%s: not much of a test", format->name);
		failed += sum.failed;
		done += sum.done;
		printf("%s: %llu operations: %llu done, %llu refused for what exists, %llu without "
		       "tables; %llu splits, %llu pages merged, %llu pages and groups where both "
		       "were asked for, %llu cells in groups; 0 tables lost; seed %llu\n",
			format->name, (unsigned long long)sum.operations,
			(unsigned long long)sum.done, (unsigned long long)sum.exists,
			(unsigned long long)sum.failed, (unsigned long long)sum.splits,
			(unsigned long long)sum.merged, (unsigned long long)sum.joined,
			(unsigned long long)sum.grouped, (unsigned long long)seed);
	}
	cr_expect(failed > done / 1000, "%llu without tables: not much of a test",
		(unsigned long long)failed);
}

/* In two parts, which run at the same time. */
Test(build_million, small_worlds_of_the_first_formats)
{
	small_worlds(0, 13);
}

Test(build_million, small_worlds_of_the_other_formats)
{
	small_worlds(13, SIZE_MAX);
}
