/* SPDX-License-Identifier: MIT */
/*
 * Every operation with the allocation number 0, 1, 2, ... failing, until it passes: each failure
 * leaves every byte of the memory, every counter and the flush list as they were.
 */
#include "build_fixture.h"
#include <stdlib.h>

struct operation {
	const char *name;
	enum pw_status (*run)(struct fixture *f);
	int64_t at_least; /* allocations on x86-64 */
};

static uint64_t page_of(const struct fixture *f)
{
	return pw_level_page_size(&f->format->level[0]);
}

/* The largest page whose half can be made of smaller ones, in the middle of the space. */
static uint64_t large_of(const struct fixture *f)
{
	uint64_t size = page_of(f);

	for (unsigned i = 1; i < f->format->levels && i < 3; i++) {
		const struct pw_page *page = &f->format->level[i].page;

		if (page->size_log2 && UINT64_C(1) << page->size_log2 <= GIB)
			size = UINT64_C(1) << page->size_log2;
	}
	return size;
}

static pw_rights rights_of(const struct fixture *f, bool write)
{
	pw_rights rights = write ? PW_R | PW_W : PW_R;

	return f->format->encode[rights] == PW_CANNOT ? rights | PW_X : rights;
}

static pw_va base_of(const struct fixture *f)
{
	return pw_format_extend(f->format, UINT64_C(1) << (f->format->va_bits - 1));
}

static enum pw_status map_new(struct fixture *f)
{
	return pw_map(&f->space, base_of(f) + page_of(f), page_of(f), large_of(f) + page_of(f),
		rights_of(f, true), &f->flush);
}

static enum pw_status protect_both_ends(struct fixture *f)
{
	return pw_protect(&f->space, large_of(f) + page_of(f), large_of(f) - 2 * page_of(f),
		rights_of(f, false), &f->flush);
}

static enum pw_status unmap_middle(struct fixture *f)
{
	return pw_unmap(&f->space, large_of(f) + large_of(f) / 2, page_of(f), &f->flush);
}

/* The one page that prepare() has allocated. */
static enum pw_status free_page(struct fixture *f)
{
	return pw_free(&f->space, 0, page_of(f), &f->flush);
}

/* Some of it into a table that is there, more than the notes that need no memory, some into new. */
static enum pw_status allocate_across(struct fixture *f)
{
	return pw_allocate(
		&f->space, 2 * page_of(f), 120 * page_of(f), rights_of(f, true), &f->flush);
}

static enum pw_status allocate_new(struct fixture *f)
{
	return pw_allocate(&f->space, base_of(f), 2 * page_of(f), rights_of(f, true), &f->flush);
}

static const struct operation operations[] = {
	{"map", map_new, 5},
	{"protect", protect_both_ends, 3},
	{"unmap", unmap_middle, 2},
	{"free", free_page, 0},
	{"allocate across", allocate_across, 120},
	{"allocate", allocate_new, 5},
};

static void prepare(struct fixture *f, const struct pw_format *format, bool windows)
{
	uint64_t large;

	fixture_begin(f, format, windows);
	large = large_of(f);
	f->tm.largest_page = page_of(f);
	cr_assert(pw_map(&f->space, large, 0, large, rights_of(f, true), NULL) == PW_OK, "%s",
		format->name);
	cr_assert(pw_allocate(&f->space, 0, page_of(f), rights_of(f, true), NULL) == PW_OK);
	memset(&f->flush.entries_written, 0, 4 * sizeof f->flush.entries_written);
	f->tm.allocations = 0;
}

static void finish(struct fixture *f)
{
	f->tm.fail_at = -1;
	cr_assert(!f->tm.page_count || pw_free(&f->space, 0, page_of(f), NULL) == PW_OK);
	fixture_end(f);
}

/* True if the operation passed with allocation number n failing, if it comes to that. */
static bool try(const struct operation *op, const struct pw_format *format, bool windows, int64_t n)
{
	static struct fixture f;
	struct test_memory before;
	enum pw_status status;
	uint8_t *copy;

	prepare(&f, format, windows);
	before = f.tm;
	copy = test_memory_copy(&f.tm);
	f.tm.fail_at = n;
	status = op->run(&f);
	if (f.tm.allocations <= n) {
		cr_assert(status == PW_OK || status == PW_E_UNSUPPORTED || status == PW_E_ARGUMENT,
			"%s: %s: %s", format->name, op->name, pw_status_name(status));
		if (format == &pw_format_x86_64)
			cr_assert(n >= op->at_least, "%s: only %lld allocations", op->name,
				(long long)n);
	} else {
		cr_assert(status == PW_E_NO_TABLES, "%s: %s with allocation %lld failing: %s",
			format->name, op->name, (long long)n, pw_status_name(status));
		cr_assert(test_memory_equals(&f.tm, copy), "%s: %s wrote before it failed",
			format->name, op->name);
		cr_assert(f.tm.tables_out == before.tables_out &&
				  f.tm.page_bytes_out == before.page_bytes_out && !f.tm.faults,
			"%s: %s lost something", format->name, op->name);
		cr_assert(f.flush.range_count == 0 && !f.flush.everything &&
			  f.flush.freed_count == 0 && f.flush.entries_written == 0 &&
			  f.flush.tables_allocated == 0 && f.flush.tables_freed == 0);
	}
	free(copy);
	finish(&f);
	return status != PW_E_NO_TABLES;
}

static void every_operation(bool windows)
{
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		for (size_t j = 0; j < sizeof operations / sizeof operations[0]; j++) {
			int64_t step = 1;

			/* The first ones each, then fewer and fewer. */
			for (int64_t n = 0; format->levels; n += step) {
				if (try(&operations[j], format, windows, n))
					break;
				step = n < 6 ? 1 : n / 2;
			}
		}
	}
}

Test(build_alloc_fail, windows)
{
	every_operation(true);
}

Test(build_alloc_fail, callbacks)
{
	every_operation(false);
}

/* Each single one of them for one format. */
Test(build_alloc_fail, every_allocation_of_x86_64)
{
	for (size_t j = 0; j < sizeof operations / sizeof operations[0]; j++) {
		for (int64_t n = 0; !try(&operations[j], &pw_format_x86_64, true, n); n++)
			;
	}
}

/* Tables that cannot be used count as none: misaligned, beyond the width, not writable. */
static pw_pa given;
static uint64_t given_back;

static bool give(void *ctx, uint64_t bytes, pw_pa *pa)
{
	(void)ctx;
	(void)bytes;
	*pa = given;
	return true;
}

static void take(void *ctx, pw_pa pa, uint64_t bytes)
{
	(void)ctx;
	given_back += pa == given && bytes == 4096;
}

Test(build_alloc_fail, tables_that_cannot_be_used)
{
	static const pw_pa bad[] = {FIXTURE_BASE + 0x800, UINT64_C(1) << 52, UINT64_C(1) << 45,
		FIXTURE_BASE + FIXTURE_BYTES};
	static struct fixture f;
	struct pw_memory memory;
	struct pw_space space;

	fixture_begin(&f, &pw_format_x86_64, true);
	memory = f.tm.memory;
	memory.allocate_table = give;
	memory.free_table = take;
	cr_assert(pw_space_init(&space, f.format, f.space.root, &memory) == PW_OK);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		given = bad[i];
		cr_assert(pw_map(&space, 0, 0, 4096, PW_R, NULL) == PW_E_NO_TABLES);
		cr_assert(given_back == i + 1, "what cannot be used goes back");
	}
	memory.allocate_table = NULL;
	cr_assert(pw_map(&space, 0, 0, 4096, PW_R, NULL) == PW_E_NO_TABLES);
	fixture_end(&f);
}
