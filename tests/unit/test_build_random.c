/* SPDX-License-Identifier: MIT */
/* Random sequences of operations on large worlds, up to 1 GiB pages beside 4 KiB pages, in every
 * format. See build_operations.h. */
#include "build_operations.h"
#include "share.h"
#include <stdio.h>

static void every_format(bool windows, bool live, const struct pw_kernels *kernels, unsigned all,
	uint64_t fixed_seed)
{
	const struct world_kind kind = {
		.memory_bytes = UINT64_C(8) << 20,
		.page_cells = UINT64_C(1) << 18,
		.samples = 24,
		.allocated = 3000,
		.tables_once_in = 1,
		.windows = windows,
		.groups = !kernels || live,
		.retains = kernels != NULL,
	};
	unsigned operations = share_of(all, 20);
	uint64_t seed = random_seed(fixed_seed);
	const struct pw_format *format;
	struct build_sum sum = {.operations = 0};

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (format->levels)
			build_world_run(format, &kind, live, kernels, seed + i, operations, &sum);
	}
	cr_expect(sum.splits > operations && sum.failed > operations / 10,
		"%llu splits, %llu failures: not much of a test", (unsigned long long)sum.splits,
		(unsigned long long)sum.failed);
	cr_expect(kind.groups == (sum.grouped > operations), "%llu cells of groups",
		(unsigned long long)sum.grouped);
	cr_expect(kind.groups == (sum.joined > operations / 8), "%llu groups formed",
		(unsigned long long)sum.joined);
	cr_expect(!kernels || sum.retained > operations);
	printf("seed %llu\n", (unsigned long long)seed);
}

Test(build_random, windows)
{
	every_format(true, false, NULL, 100, 20270101);
}

Test(build_random, windows_and_vector_code)
{
	every_format(true, false, pw_kernels_best(), 60, 20270105);
}

Test(build_random, callbacks)
{
	every_format(false, false, NULL, 50, 20270102);
}

Test(build_random, live_windows)
{
	every_format(true, true, pw_kernels_best(), 50, 20270103);
}

Test(build_random, live_callbacks)
{
	every_format(false, true, NULL, 40, 20270104);
}
