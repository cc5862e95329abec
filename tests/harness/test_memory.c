/* SPDX-License-Identifier: MIT */
#include "test_memory.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

void *test_memory_at(const struct test_memory *tm, pw_pa pa, uint64_t bytes)
{
	uint64_t offset = pa - tm->base;

	/* Criterion counts assertions in shared memory, which takes its time. */
	if (offset >= tm->size || tm->size - offset < bytes)
		cr_assert_fail("no memory at %#llx", (unsigned long long)pa);
	return tm->bytes + offset;
}

uint64_t test_memory_load(const struct test_memory *tm, pw_pa pa, unsigned bytes)
{
	const uint8_t *at = test_memory_at(tm, pa, bytes);
	uint64_t entry = 0;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	if (!tm->big_endian) {
		memcpy(&entry, at, bytes);
		return entry;
	}
#endif
	for (unsigned i = 0; i < bytes; i++)
		entry |= (uint64_t)at[i] << 8 * (tm->big_endian ? bytes - 1 - i : i);
	return entry;
}

void test_memory_store(struct test_memory *tm, pw_pa pa, unsigned bytes, uint64_t entry)
{
	uint8_t *at = test_memory_at(tm, pa, bytes);

	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(entry >> 8 * (tm->big_endian ? bytes - 1 - i : i));
}

static bool is_inside(const struct test_memory *tm, pw_pa pa, uint64_t bytes)
{
	uint64_t offset = pa - tm->base;

	return offset < tm->size && tm->size - offset >= bytes;
}

/* ---- Entries ---- */

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct test_memory *tm = ctx;

	tm->reads++;
	if (!is_inside(tm, pa, bytes))
		return false;
	*entry = test_memory_load(tm, pa, bytes);
	return true;
}

static void check_write(struct test_memory *tm, pw_pa pa, unsigned bytes, uint64_t entry)
{
	tm->faults += !tm->state[(pa - tm->base) / TEST_GRAIN];
	tm->faults += pa % bytes != 0;
	tm->faults += bytes == 4 && entry >> 32;
}

static bool write_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t entry)
{
	struct test_memory *tm = ctx;

	tm->writes++;
	if (!is_inside(tm, pa, bytes))
		return false;
	check_write(tm, pa, bytes, entry);
	test_memory_store(tm, pa, bytes, entry);
	return true;
}

static bool exchange_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired)
{
	struct test_memory *tm = ctx;
	uint64_t entry;

	tm->exchanges++;
	if (!is_inside(tm, pa, bytes))
		return false;
	entry = test_memory_load(tm, pa, bytes);
	if (tm->meddle) {
		entry |= tm->meddle;
		tm->meddle = 0;
		test_memory_store(tm, pa, bytes, entry);
	}
	if (entry != *expected) {
		*expected = entry;
		return false;
	}
	check_write(tm, pa, bytes, desired);
	test_memory_store(tm, pa, bytes, desired);
	return true;
}

/* ---- Tables ---- */

static bool may_allocate(struct test_memory *tm)
{
	return tm->allocations++ != tm->fail_at;
}

static bool is_free(const struct test_memory *tm, uint64_t grain, uint64_t grains)
{
	for (uint64_t i = grain; i < grain + grains; i++) {
		if (tm->state[i])
			return false;
	}
	return true;
}

static uint64_t grains_of(uint64_t bytes)
{
	return bytes <= TEST_GRAIN ? 1 : bytes / TEST_GRAIN;
}

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct test_memory *tm = ctx;
	uint64_t grains = grains_of(bytes), all = tm->size / TEST_GRAIN;

	if (!may_allocate(tm))
		return false;
	for (uint64_t tries = 0; tries < 2 * all; tries += grains) {
		uint64_t grain = (tm->next_grain + grains - 1) / grains * grains;

		if (grain + grains > all)
			grain = 0;
		tm->next_grain = grain + grains;
		if (!is_free(tm, grain, grains))
			continue;
		memset(tm->state + grain, 2, grains);
		tm->state[grain] = 1;
		tm->tables_out++;
		*pa = tm->base + grain * TEST_GRAIN;
		return true;
	}
	return false;
}

static void free_table(void *ctx, pw_pa pa, uint64_t bytes)
{
	struct test_memory *tm = ctx;
	uint64_t grain = (pa - tm->base) / TEST_GRAIN, grains = grains_of(bytes);

	if (!is_inside(tm, pa, bytes) || tm->state[grain] != 1 ||
		(grain + grains < tm->size / TEST_GRAIN && tm->state[grain + grains] == 2)) {
		tm->faults++;
		return;
	}
	memset(tm->state + grain, 0, grains);
	memset(tm->bytes + grain * TEST_GRAIN, TEST_POISON, grains * TEST_GRAIN);
	tm->tables_out--;
}

/* ---- Data pages ---- */

static bool allocate_page(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct test_memory *tm = ctx;

	if (bytes > tm->largest_page)
		return false;
	if (!may_allocate(tm) || tm->page_count == TEST_PAGES)
		return false;
	*pa = (tm->next_page + bytes - 1) & ~(bytes - 1);
	tm->next_page = *pa + bytes;
	tm->pages[tm->page_count++] = (struct test_page){*pa, bytes};
	tm->page_bytes_out += bytes;
	return true;
}

static void free_page(void *ctx, pw_pa pa, uint64_t bytes)
{
	struct test_memory *tm = ctx;

	for (size_t i = 0; i < tm->page_count; i++) {
		struct test_page whole = tm->pages[i];

		if (pa < whole.pa || pa + bytes > whole.pa + whole.bytes)
			continue;
		/* A part may come back; what is left of it stays out. */
		tm->pages[i] = tm->pages[--tm->page_count];
		if (pa > whole.pa)
			tm->pages[tm->page_count++] = (struct test_page){whole.pa, pa - whole.pa};
		if (pa + bytes < whole.pa + whole.bytes)
			tm->pages[tm->page_count++] =
				(struct test_page){pa + bytes, whole.pa + whole.bytes - pa - bytes};
		tm->page_bytes_out -= bytes;
		return;
	}
	tm->faults++;
}

/* ---- The whole ---- */

void test_memory_begin(struct test_memory *tm, uint64_t base, uint64_t size, bool windows)
{
	*tm = (struct test_memory){.base = base, .size = size, .fail_at = -1};
	tm->bytes = aligned_alloc(4096, size);
	tm->state = calloc(size / TEST_GRAIN, 1);
	cr_assert(tm->bytes && tm->state, "no memory for the test");
	memset(tm->bytes, TEST_POISON, size);
	tm->next_page = UINT64_C(0x40000000);
	tm->largest_page = UINT64_MAX;
	tm->window = (struct pw_window){base, size, tm->bytes, false};
	tm->memory = (struct pw_memory){.allocate_table = allocate_table,
		.free_table = free_table,
		.allocate_page = allocate_page,
		.free_page = free_page,
		.ctx = tm};
	if (windows) {
		tm->memory.windows = &tm->window;
		tm->memory.window_count = 1;
	} else {
		tm->memory.read_pte = read_pte;
		tm->memory.write_pte = write_pte;
		tm->memory.exchange_pte = exchange_pte;
	}
}

void test_memory_end(struct test_memory *tm)
{
	free(tm->bytes);
	free(tm->state);
}

bool test_memory_is_sound(const struct test_memory *tm)
{
	uint8_t poison[TEST_GRAIN];

	memset(poison, TEST_POISON, sizeof poison);
	for (uint64_t i = 0; i < tm->size / TEST_GRAIN; i++) {
		if (!tm->state[i] && memcmp(tm->bytes + i * TEST_GRAIN, poison, TEST_GRAIN) != 0)
			return false;
	}
	return tm->faults == 0;
}

uint8_t *test_memory_copy(const struct test_memory *tm)
{
	uint8_t *copy = malloc(tm->size);

	cr_assert(copy != NULL, "no memory for a copy");
	return memcpy(copy, tm->bytes, tm->size);
}

bool test_memory_equals(const struct test_memory *tm, const uint8_t *copy)
{
	return memcmp(tm->bytes, copy, tm->size) == 0;
}

void test_memory_copy_tables(const struct test_memory *tm, uint8_t *tables)
{
	uint64_t grains = tm->size / TEST_GRAIN;

	memcpy(tables + tm->size, tm->state, grains);
	for (uint64_t i = 0; i < grains; i++) {
		if (tm->state[i])
			memcpy(tables + i * TEST_GRAIN, tm->bytes + i * TEST_GRAIN, TEST_GRAIN);
	}
}

bool test_memory_tables_equal(const struct test_memory *tm, const uint8_t *tables)
{
	uint64_t grains = tm->size / TEST_GRAIN;

	if (memcmp(tables + tm->size, tm->state, grains) != 0)
		return false;
	for (uint64_t i = 0; i < grains; i++) {
		if (tm->state[i] && memcmp(tables + i * TEST_GRAIN, tm->bytes + i * TEST_GRAIN,
					    TEST_GRAIN) != 0)
			return false;
	}
	return true;
}
