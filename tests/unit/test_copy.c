/* SPDX-License-Identifier: MIT */
/* Copies: across pages, windows and callbacks, all or nothing, up to the last byte there is. */
#include "ram.h"
#include "random.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define BASE  UINT64_C(0x400000)
#define PAGES 32
#define DATA  (BASE + 0x10000) /* the pages from here on hold data */
#define TOP   (UINT64_MAX - 0xfff)

struct desk {
	struct ram ram;
	struct pw_space space;
	pw_pa root;
	struct pw_result why;
	unsigned char buffer[8192];
};

static void map(struct desk *d, pw_va va, pw_pa pa, uint64_t flags)
{
	ram_enter(&d->ram, &pw_format_x86_64, d->root, va, 0, pa | flags);
}

static void use(struct desk *d, const struct pw_memory *memory)
{
	cr_assert(pw_space_init(&d->space, &pw_format_x86_64, d->root, memory) == PW_OK);
}

/* va 0x1000 and 0x2000 are two pages apart in memory, 0x3000 is a hole, the last page is mapped. */
static void begin(struct desk *d)
{
	ram_begin(&d->ram, BASE, (uint64_t)PAGES << 12);
	d->root = ram_new_table(&d->ram, 4096);
	map(d, 0x1000, DATA, PTE_PWU);
	map(d, 0x2000, DATA + 0x2000, PTE_PWU);
	map(d, TOP, DATA + 0x4000, PTE_PWU);
	for (unsigned i = 0; i < 0x10000; i++)
		d->ram.bytes[DATA - BASE + i] = (unsigned char)(i * 7 + i / 256);
	memset(d->buffer, 0xee, sizeof d->buffer);
	use(d, &d->ram.windows);
}

static const unsigned char *data(const struct desk *d, pw_pa pa)
{
	return d->ram.bytes + (pa - BASE);
}

static bool untouched(const struct desk *d)
{
	for (size_t i = 0; i < sizeof d->buffer; i++) {
		if (d->buffer[i] != 0xee)
			return false;
	}
	return true;
}

Test(copy, goes_on_in_the_next_page_of_the_guest)
{
	struct desk d;

	begin(&d);
	for (int door = 0; door < 2; door++) {
		use(&d, door ? &d.ram.callbacks : &d.ram.windows);
		memset(d.buffer, 0xee, sizeof d.buffer);
		cr_assert(pw_read(&d.space, 0x1ff8, d.buffer, 16) == PW_OK);
		cr_assert_arr_eq(d.buffer, data(&d, DATA + 0xff8), 8);
		cr_assert_arr_eq(d.buffer + 8, data(&d, DATA + 0x2000), 8);
		cr_assert_eq(d.buffer[16], 0xee);
		cr_assert(pw_write(&d.space, 0x1ffc, "abcdefgh", 8) == PW_OK);
		cr_assert_arr_eq(data(&d, DATA + 0xffc), "abcd", 4);
		cr_assert_arr_eq(data(&d, DATA + 0x2000), "efgh", 4);
		cr_assert_eq(*data(&d, DATA + 0x1000), (unsigned char)(0x1000 * 7 + 16));
	}
	ram_end(&d.ram);
}

Test(copy, ending_with_a_page_does_not_touch_the_next)
{
	struct desk d;

	begin(&d);
	cr_assert(pw_read(&d.space, 0x2ff0, d.buffer, 16) == PW_OK);
	cr_assert_arr_eq(d.buffer, data(&d, DATA + 0x2ff0), 16);
	cr_assert(pw_write(&d.space, 0x2ff0, d.buffer, 16) == PW_OK);
	cr_assert(pw_read(&d.space, 0x1000, d.buffer, 8192) == PW_OK);
	ram_end(&d.ram);
}

Test(copy, all_or_nothing)
{
	struct desk d;
	unsigned char before[4096];

	begin(&d);
	memcpy(before, data(&d, DATA + 0x2000), sizeof before);
	for (int door = 0; door < 2; door++) {
		use(&d, door ? &d.ram.callbacks : &d.ram.windows);
		cr_assert(pw_copy_from(&d.space, 0x2ff0, d.buffer, 17, PW_ACCESS_ANY, &d.why) ==
			  PW_NOT_PRESENT);
		cr_assert(untouched(&d));
		cr_assert_eq(d.why.va, 0x3000u, "the page that is missing");
		cr_assert(pw_copy_to(&d.space, 0x2ff0, d.buffer, 17, PW_ACCESS_ANY, NULL) ==
			  PW_NOT_PRESENT);
		cr_assert_arr_eq(before, data(&d, DATA + 0x2000), sizeof before);
	}
	ram_end(&d.ram);
}

Test(copy, the_top_of_the_address_space)
{
	struct desk d;
	size_t done;

	begin(&d);
	cr_assert(pw_read(&d.space, UINT64_MAX, d.buffer, 1) == PW_OK);
	cr_assert_eq(d.buffer[0], *data(&d, DATA + 0x4fff));
	cr_assert(pw_read(&d.space, TOP, d.buffer, 4096) == PW_OK);
	cr_assert_arr_eq(d.buffer, data(&d, DATA + 0x4000), 4096);
	cr_assert(pw_write(&d.space, UINT64_MAX - 3, "abcd", 4) == PW_OK);
	memset(d.buffer, 0xee, sizeof d.buffer);
	cr_assert(pw_copy_from(&d.space, TOP, d.buffer, 4097, PW_ACCESS_ANY, &d.why) == PW_E_RANGE);
	cr_assert_eq(d.why.status, PW_E_RANGE);
	cr_assert(untouched(&d));
	cr_assert(pw_write(&d.space, UINT64_MAX, "ab", 2) == PW_E_RANGE);
	cr_assert(pw_copy_some(&d.space, TOP, d.buffer, 8192, PW_ACCESS_ANY, &done) == PW_E_RANGE);
	cr_assert_eq(done, 4096u);
	cr_assert_arr_eq(d.buffer, data(&d, DATA + 0x4000), 4096);
	ram_end(&d.ram);
}

Test(copy, nothing_is_always_there)
{
	static const pw_va anywhere[] = {0, 0x1000, 0x3000, UINT64_C(0x800000000000), UINT64_MAX};
	struct desk d;

	begin(&d);
	for (unsigned i = 0; i < sizeof anywhere / sizeof anywhere[0]; i++) {
		cr_assert(pw_read(&d.space, anywhere[i], NULL, 0) == PW_OK);
		cr_assert(pw_write(&d.space, anywhere[i], NULL, 0) == PW_OK);
	}
	ram_end(&d.ram);
}

Test(copy, addresses_that_are_none)
{
	struct desk d;

	begin(&d);
	map(&d, UINT64_C(0x7ffffffff000), DATA, PTE_P);
	cr_assert(pw_copy_from(&d.space, UINT64_C(0x7fffffffffff), d.buffer, 2, PW_ACCESS_ANY,
			  &d.why) == PW_NON_CANONICAL);
	cr_assert_eq(d.why.va, UINT64_C(0x800000000000));
	cr_assert(untouched(&d));
	cr_assert(pw_copy_from(&d.space, 0x1000, d.buffer, 1, 0, &d.why) == PW_E_ARGUMENT);
	ram_end(&d.ram);
}

/* ---- As much as there is ---- */

Test(copy, some_says_how_much_and_why_no_more)
{
	struct desk d;
	size_t done = 99;

	begin(&d);
	cr_assert(pw_copy_some(&d.space, 0x1800, d.buffer, 8192, PW_ACCESS_ANY, &done) ==
		  PW_NOT_PRESENT);
	cr_assert_eq(done, 0x1800u);
	cr_assert_arr_eq(d.buffer, data(&d, DATA + 0x800), 0x800);
	cr_assert_arr_eq(d.buffer + 0x800, data(&d, DATA + 0x2000), 0x1000);
	cr_assert_eq(d.buffer[0x1800], 0xee);
	cr_assert(pw_copy_some(&d.space, 0x1800, d.buffer, 0x1800, PW_ACCESS_ANY, &done) == PW_OK);
	cr_assert_eq(done, 0x1800u);
	cr_assert(pw_copy_some(&d.space, 0, d.buffer, 1, PW_ACCESS_ANY, &done) == PW_NOT_PRESENT);
	cr_assert_eq(done, 0u);
	ram_end(&d.ram);
}

/* ---- Rights ---- */

Test(copy, rights_count_when_asked_for)
{
	struct desk d;
	const pw_access user_write = PW_ACCESS_WRITE | PW_ACCESS_USER;

	begin(&d);
	map(&d, 0x3000, DATA + 0x3000, PTE_P | PTE_U | PTE_XD);
	map(&d, 0x4000, DATA + 0x3000, PTE_PW);
	cr_assert(pw_copy_to(&d.space, 0x2ffe, "abcd", 4, user_write, &d.why) == PW_PROTECTION);
	cr_assert_eq(d.why.va, 0x3000u);
	cr_assert_eq(d.why.error_code, PW_PF_P | PW_PF_W | PW_PF_U);
	cr_assert(pw_copy_to(&d.space, 0x2ffe, "ab", 2, user_write, &d.why) == PW_OK);
	cr_assert_eq(d.why.va, 0x2ffeu, "the first page's translation");
	cr_assert(pw_copy_from(&d.space, 0x4000, d.buffer, 1, PW_ACCESS_READ | PW_ACCESS_USER,
			  NULL) == PW_PROTECTION);
	cr_assert(pw_copy_from(&d.space, 0x3000, d.buffer, 1, PW_ACCESS_FETCH, NULL) ==
		  PW_PROTECTION);
	cr_assert(pw_copy_to(&d.space, 0x3000, "a", 1, PW_ACCESS_ANY, NULL) == PW_OK,
		"a debugger may");
	ram_end(&d.ram);
}

/* ---- Any cut, against byte by byte ---- */

Test(copy, random_cuts_byte_by_byte)
{
	static struct desk d;
	struct random random = random_from(random_seed(20260951));
	pw_pa page[8];

	begin(&d);
	for (unsigned i = 0; i < 8; i++) {
		page[i] = DATA + (random_below(&random, 16) << 12);
		map(&d, UINT64_C(0x10000) + (i << 12), page[i], PTE_P);
	}
	for (int round = 0; round < 3000; round++) {
		size_t bytes = (size_t)random_below(&random, 6000);
		uint64_t from = random_below(&random, 0x8000 - bytes);

		use(&d, random_once_in(&random, 2) ? &d.ram.windows : &d.ram.callbacks);
		cr_assert(pw_read(&d.space, 0x10000 + from, d.buffer, bytes) == PW_OK);
		for (size_t i = 0; i < bytes; i++) {
			pw_pa pa = page[(from + i) >> 12] + ((from + i) & 0xfff);

			if (d.buffer[i] != *data(&d, pa))
				cr_assert(false, "byte %u of %u from %#llx", (unsigned)i,
					(unsigned)bytes, (unsigned long long)from);
		}
	}
	ram_end(&d.ram);
	printf("seed %llu\n", (unsigned long long)random_seed(20260951));
}
