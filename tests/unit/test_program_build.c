/* SPDX-License-Identifier: MIT */
/* The README's builder: an EPT for 4 GiB of guest memory with a code region made execute-only. */
#include "../programs/programs.h"
#include "test_memory.h"
#include <criterion/criterion.h>

#define GIB UINT64_C(0x40000000)

Test(program, builds_an_ept)
{
	static struct test_memory tm;
	struct pw_flush_range ranges[8];
	struct pw_freed_table freed[8];
	struct pw_flush flush = {.ranges = ranges, .range_max = 8, .freed = freed, .freed_max = 8};
	struct pw_result hit;
	struct pw_space ept;
	uint64_t eptp;

	test_memory_begin(&tm, 0x100000, 0x100000, true);
	cr_assert(build_ept(&tm.memory, 16 * GIB, GIB + 0x200000, 0x3000, &flush, &ept) == PW_OK);
	cr_assert(pw_eptp_make(ept.format, ept.root, PW_EPT_CAP_4_LEVELS | PW_EPT_CAP_WB, 0, 0,
			  &eptp) == PW_OK);
	cr_assert(eptp == (ept.root | 0x1e));

	cr_assert(pw_translate(&ept, 3 * GIB + 5, PW_ACCESS_WRITE, &hit) == PW_OK);
	cr_assert(hit.pa == 19 * GIB + 5 && hit.page_size == GIB && hit.rights == (PW_R | PW_W));
	cr_assert(pw_translate(&ept, GIB + 0x202fff, PW_ACCESS_FETCH, &hit) == PW_OK);
	cr_assert(hit.pa == 17 * GIB + 0x202fff && hit.page_size == 4096 && hit.rights == PW_X);
	cr_assert(pw_translate(&ept, GIB + 0x202fff, PW_ACCESS_READ, &hit) == PW_PROTECTION);
	cr_assert(pw_translate(&ept, GIB + 0x203000, PW_ACCESS_READ, &hit) == PW_OK);
	cr_assert(hit.page_size == 4096 && hit.rights == (PW_R | PW_W));
	cr_assert(pw_translate(&ept, GIB + 0x400000, PW_ACCESS_READ, &hit) == PW_OK);
	cr_assert(hit.page_size == 0x200000 && hit.memory_type == 6);
	cr_assert(flush.splits == 2 && (flush.range_count > 0 || flush.everything));
	for (size_t i = 0; i < flush.range_count; i++)
		cr_expect(ranges[i].first >= GIB && ranges[i].last < 2 * GIB);
	pw_flush_done(&ept, &flush);
	test_memory_end(&tm);
}
