/* SPDX-License-Identifier: MIT */
/*
 * A physical memory for builders: an array with a table allocator that counts, can be told to fail,
 * and poisons what it has not given out, and a pool of data pages that exist as addresses only.
 * Reached through a window, or through callbacks that notice writes where no table is.
 */
#ifndef HARNESS_TEST_MEMORY_H
#define HARNESS_TEST_MEMORY_H

#include <pagewalk/pagewalk.h>

#define TEST_GRAIN  1024 /* the smallest table */
#define TEST_POISON 0xa5
#define TEST_PAGES  65536

struct test_page {
	pw_pa pa;
	uint64_t bytes;
};

struct test_memory {
	uint8_t *bytes;
	uint64_t base, size;
	bool big_endian; /* entries are stored so */
	struct pw_window window;
	struct pw_memory memory; /* to be handed to the library */

	/* Tables: per grain 0 free, 1 the first of a table, 2 more of it. */
	uint8_t *state;
	uint64_t tables_out;
	uint64_t next_grain;

	/* Data pages given out, and where the next one may be. */
	struct test_page pages[TEST_PAGES];
	size_t page_count;
	uint64_t page_bytes_out;
	pw_pa next_page;
	uint64_t largest_page; /* no larger page is given */

	/* Allocations of either kind up to now, and the one (from 0) that fails; -1: none. */
	int64_t allocations, fail_at;

	uint64_t reads, writes, exchanges;
	/* Writes outside tables given out, frees of what is not given out, wrong sizes. */
	uint64_t faults;
	/* If not 0: before the next exchange somebody sets these bits in the entry. */
	uint64_t meddle;
};

/* `size` bytes from base on, both multiples of 1 MiB. */
void test_memory_begin(struct test_memory *tm, uint64_t base, uint64_t size, bool windows);
void test_memory_end(struct test_memory *tm);

/* No faults so far, and everything that is not given out is still poisoned. */
bool test_memory_is_sound(const struct test_memory *tm);

/* Where the library finds `bytes` at pa; outside the memory the test ends. */
void *test_memory_at(const struct test_memory *tm, pw_pa pa, uint64_t bytes);

/* An entry as it stands there. */
uint64_t test_memory_load(const struct test_memory *tm, pw_pa pa, unsigned bytes);
void test_memory_store(struct test_memory *tm, pw_pa pa, unsigned bytes, uint64_t entry);

/* All of it, to compare with later. */
uint8_t *test_memory_copy(const struct test_memory *tm);
bool test_memory_equals(const struct test_memory *tm, const uint8_t *copy);

/*
 * The same for the tables that are out, and nothing else: less work where they are few. `tables`
 * has room for the memory and a byte for each grain.
 */
void test_memory_copy_tables(const struct test_memory *tm, uint8_t *tables);
bool test_memory_tables_equal(const struct test_memory *tm, const uint8_t *tables);

#endif
