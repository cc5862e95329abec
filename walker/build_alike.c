/* SPDX-License-Identifier: MIT */
/* Whether the entries of a whole table are consecutive pages of one kind. */
#include "build.h"
#include "kernels.h"

/* So many entries are compared before the differences are looked at. */
#define AT_ONCE 8

static bool compare_by_entries(const struct pw_build *b, const struct pw_table *table,
	uint64_t count, uint64_t keep, uint64_t expected, uint64_t stride, struct pw_common *common)
{
	for (uint64_t i = 0; i < count; i++, expected += stride) {
		uint64_t entry;

		if (!pw_peek_at(b, table, i, &entry) || (entry & keep) != expected)
			return false;
		common->all &= entry;
		common->some |= entry;
	}
	return true;
}

/* The same where the table is addressable and has a multiple of AT_ONCE entries. */
static bool compare_in_place(const struct pw_build *b, const char *at, uint64_t count,
	uint64_t keep, uint64_t expected, uint64_t stride, struct pw_common *common)
{
	const struct pw_format *format = b->format;

	for (uint64_t i = 0; i < count; i += AT_ONCE) {
		uint64_t different = 0;

#pragma GCC unroll 8
		for (uint64_t n = 0; n < AT_ONCE; n++, expected += stride) {
			uint64_t entry = pw_peek(format, at);

			different |= (entry & keep) ^ expected;
			common->all &= entry;
			common->some |= entry;
			at += format->entry_bytes;
		}
		if (different)
			return false;
	}
	return true;
}

bool pw_are_alike(const struct pw_build *b, unsigned level, const struct pw_table *table,
	const char *ahead, uint64_t keep, uint64_t first, struct pw_common *common)
{
	const struct pw_level *row = pw_row(b, level);
	const struct pw_kernels *kernels = b->memory->kernels;
	uint64_t stride = PW_BIT(row->shift) >> b->format->address_left, expected = first & keep;
	uint64_t count = pw_entry_count(row);

	*common = (struct pw_common){~(uint64_t)0, 0, true, true};
	if (table->host && kernels && !b->live && pw_is_plain(b->format))
		return kernels->alike((const void *)table->host,
			(const void *)(ahead ? ahead : table->host), count, keep, expected, stride,
			common);
	if (table->host && count % AT_ONCE == 0)
		return compare_in_place(b, table->host, count, keep, expected, stride, common);
	return compare_by_entries(b, table, count, keep, expected, stride, common);
}
