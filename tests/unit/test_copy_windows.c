/* SPDX-License-Identifier: MIT */
/* Copies of data that lie in several windows, partly in none, or behind callbacks. */
#include "ram.h"
#include <criterion/criterion.h>
#include <string.h>

#define BASE UINT64_C(0x400000)
#define HUGE UINT64_C(0x40000000) /* the huge page's physical address */
#define VA   UINT64_C(0x200000)

/*
 * The tables stand in ram; a huge page maps HUGE. Of that page only what the windows say exists:
 * pieces of `bytes`, each offset at its place.
 */
struct patchwork {
	struct ram ram;
	struct pw_space space;
	pw_pa root;
	_Alignas(8) unsigned char bytes[0x4000];
	struct pw_window windows[4];
	struct pw_memory memory;
	unsigned char buffer[0x4000];
	unsigned asked; /* calls of read_bytes and write_bytes */
	pw_pa served_first, served_last;
};

static void begin(struct patchwork *p)
{
	*p = (struct patchwork){.asked = 0};
	ram_begin(&p->ram, BASE, 0x10000);
	p->root = ram_new_table(&p->ram, 4096);
	ram_enter(&p->ram, &pw_format_x86_64, p->root, VA, 1, HUGE | PTE_PWU | PTE_PS);
	for (unsigned i = 0; i < sizeof p->bytes; i++)
		p->bytes[i] = (unsigned char)(i * 13 + i / 256);
	memset(p->buffer, 0xee, sizeof p->buffer);
	p->windows[0] = p->ram.window;
	p->memory = (struct pw_memory){.windows = p->windows, .window_count = 1};
}

/* Another window: `bytes` from `offset` on, at their place in the huge page. */
static void open_window(struct patchwork *p, uint64_t offset, uint64_t bytes, bool read_only)
{
	p->windows[p->memory.window_count++] = (struct pw_window){
		.base = HUGE + offset,
		.size = bytes,
		.host = p->bytes + offset,
		.read_only = read_only,
	};
	cr_assert(pw_space_init(&p->space, &pw_format_x86_64, p->root, &p->memory) == PW_OK);
}

static bool serves(struct patchwork *p, pw_pa pa, size_t bytes)
{
	p->asked++;
	return pa >= p->served_first && pa + (bytes - 1) <= p->served_last;
}

static bool read_bytes(void *ctx, pw_pa pa, void *to, size_t bytes)
{
	struct patchwork *p = ctx;

	if (!serves(p, pa, bytes))
		return false;
	memcpy(to, p->bytes + (pa - HUGE), bytes);
	return true;
}

static bool write_bytes(void *ctx, pw_pa pa, const void *from, size_t bytes)
{
	struct patchwork *p = ctx;

	if (!serves(p, pa, bytes))
		return false;
	memcpy(p->bytes + (pa - HUGE), from, bytes);
	return true;
}

/* Callbacks for what no window covers: [first, last] within the huge page. */
static void open_callbacks(struct patchwork *p, uint64_t first, uint64_t last)
{
	p->served_first = HUGE + first;
	p->served_last = HUGE + last;
	p->memory.read_bytes = read_bytes;
	p->memory.write_bytes = write_bytes;
	p->memory.ctx = p;
}

Test(copy_windows, a_page_in_adjacent_windows)
{
	struct patchwork p;

	begin(&p);
	open_window(&p, 0x1800, 0x800, false); /* in no particular order */
	open_window(&p, 0, 0x1800, false);
	open_window(&p, 0x2000, 0x2000, false);
	cr_assert(pw_read(&p.space, VA, p.buffer, 0x4000) == PW_OK);
	cr_assert_arr_eq(p.buffer, p.bytes, 0x4000);
	memset(p.buffer, 0x55, sizeof p.buffer);
	cr_assert(pw_write(&p.space, VA + 0x17fe, p.buffer, 0x804) == PW_OK);
	cr_assert_arr_eq(p.bytes + 0x17fe, p.buffer, 0x804);
	cr_assert_neq(p.bytes[0x17fd], 0x55);
	cr_assert_neq(p.bytes[0x2002], 0x55);
	ram_end(&p.ram);
}

Test(copy_windows, a_hole_between_windows)
{
	struct patchwork p;
	struct pw_result why;
	unsigned char before[0x4000];
	char text[100];
	size_t done;

	begin(&p);
	open_window(&p, 0, 0x1000, false);
	open_window(&p, 0x1008, 0x1000, false);
	memcpy(before, p.bytes, sizeof before);
	cr_assert(pw_copy_from(&p.space, VA + 0xff8, p.buffer, 0x18, PW_ACCESS_ANY, &why) ==
		  PW_NO_MEMORY);
	cr_assert_eq(p.buffer[0], 0xee, "nothing was copied");
	cr_assert_eq(why.va, VA + 0x1000);
	cr_assert_eq(why.pa, HUGE + 0x1000);
	cr_assert_str_eq(
		pw_explain(&why, text, sizeof text), "the page is not in memory at level 1");
	cr_assert(pw_write(&p.space, VA + 0xff8, p.buffer, 0x18) == PW_NO_MEMORY);
	cr_assert_arr_eq(p.bytes, before, sizeof before);
	cr_assert(pw_copy_some(&p.space, VA + 0xff8, p.buffer, 0x18, PW_ACCESS_ANY, &done) ==
		  PW_NO_MEMORY);
	cr_assert_eq(done, 8u);
	cr_assert_arr_eq(p.buffer, p.bytes + 0xff8, 8);
	ram_end(&p.ram);
}

Test(copy_windows, callbacks_fill_the_gaps)
{
	struct patchwork p;

	begin(&p);
	open_window(&p, 0x1000, 0x1000, false);
	open_window(&p, 0x3000, 0x800, false);
	open_callbacks(&p, 0, 0x3fff);
	cr_assert(pw_read(&p.space, VA + 0x800, p.buffer, 0x3800) == PW_OK);
	cr_assert_arr_eq(p.buffer, p.bytes + 0x800, 0x3800);
	cr_assert_eq(p.asked, 3u, "before, between and behind the windows");
	memset(p.buffer, 0x55, sizeof p.buffer);
	cr_assert(pw_write(&p.space, VA + 0x1fff, p.buffer, 2) == PW_OK);
	cr_assert_eq(p.asked, 4u);
	cr_assert_arr_eq(p.bytes + 0x1fff, p.buffer, 2);
	ram_end(&p.ram);
}

Test(copy_windows, a_callback_that_refuses)
{
	struct patchwork p;
	struct pw_result why;

	begin(&p);
	open_window(&p, 0, 0x1000, false);
	open_callbacks(&p, 0x1000, 0x17ff);
	cr_assert(pw_read(&p.space, VA + 0xfff, p.buffer, 0x801) == PW_OK);
	cr_assert(pw_copy_from(&p.space, VA + 0xfff, p.buffer, 0x802, PW_ACCESS_ANY, &why) ==
		  PW_NO_MEMORY);
	cr_assert_eq(why.va, VA + 0x1000);
	ram_end(&p.ram);
}

/* ---- What cannot be written ---- */

Test(copy_windows, a_read_only_window_is_not_written)
{
	struct patchwork p;
	struct pw_result why;
	unsigned char before[0x4000];

	begin(&p);
	open_window(&p, 0, 0x1000, false);
	open_window(&p, 0x1000, 0x1000, true);
	memcpy(before, p.bytes, sizeof before);
	for (int callbacks = 0; callbacks < 2; callbacks++) {
		if (callbacks)
			open_callbacks(&p, 0, 0x3fff);
		cr_assert(pw_copy_to(&p.space, VA + 0xffe, "abcd", 4, PW_ACCESS_ANY, &why) ==
			  PW_E_READ_ONLY);
		cr_assert_eq(why.va, VA + 0x1000);
		cr_assert_arr_eq(p.bytes, before, sizeof before);
		cr_assert_eq(p.asked, 0u, "a callback does not open it again");
	}
	cr_assert(pw_read(&p.space, VA + 0xffe, p.buffer, 4) == PW_OK);
	cr_assert_arr_eq(p.buffer, p.bytes + 0xffe, 4);
	ram_end(&p.ram);
}

Test(copy_windows, memory_without_a_way_to_write)
{
	struct patchwork p;

	begin(&p);
	open_window(&p, 0, 0x1000, false);
	open_callbacks(&p, 0, 0x3fff);
	p.memory.write_bytes = NULL;
	cr_assert(pw_write(&p.space, VA + 0x1000, "a", 1) == PW_E_READ_ONLY);
	cr_assert(pw_read(&p.space, VA + 0x1000, p.buffer, 1) == PW_OK);
	ram_end(&p.ram);
}

/* ---- Entries, too, are found in any window, and only whole ones ---- */

Test(copy_windows, an_entry_across_a_windows_end_is_lost)
{
	struct patchwork p;
	struct pw_result hit;

	begin(&p);
	p.windows[0].size = 4; /* half of the root's first entry */
	open_window(&p, 0, 0x1000, false);
	cr_assert(pw_translate(&p.space, VA, PW_ACCESS_ANY, &hit) == PW_NO_MEMORY);
	cr_assert_eq(hit.level, 3);
	p.windows[0].size = 8; /* now the tables below are missing */
	open_window(&p, 0x1000, 0x1000, false);
	cr_assert(pw_translate(&p.space, VA, PW_ACCESS_ANY, &hit) == PW_NO_MEMORY);
	cr_assert_eq(hit.level, 2);
	p.windows[p.memory.window_count++] = (struct pw_window){.base = BASE + 0x1000,
		.size = 0xf000,
		.host = p.ram.bytes + 0x1000,
		.read_only = true};
	cr_assert(pw_space_init(&p.space, &pw_format_x86_64, p.root, &p.memory) == PW_OK);
	cr_assert(pw_translate(&p.space, VA + 5, PW_ACCESS_ANY, &hit) == PW_OK);
	cr_assert_eq(hit.pa, HUGE + 5);
	ram_end(&p.ram);
}

/* What follows a window is not its own, and here it would give an answer. */
Test(copy_windows, a_root_that_a_window_cuts_is_read_as_far_as_the_window_goes)
{
	const pw_va list[] = {VA + 5, VA | UINT64_C(0xffff800000000000)};
	struct patchwork p;
	struct pw_result hit;
	struct pw_hit hits[2];
	pw_pa root;

	begin(&p);
	ram_enter(&p.ram, &pw_format_x86_64, p.root, list[1], 1, HUGE | PTE_PWU | PTE_PS);
	root = ram_new_table(&p.ram, 4096);
	memcpy(p.ram.bytes + (root - BASE), p.ram.bytes + (p.root - BASE), 4096);
	p.root = root;
	p.windows[0].size = root - BASE + 2048;
	open_window(&p, 0, 0x1000, false);
	cr_expect(pw_translate(&p.space, list[0], PW_ACCESS_ANY, &hit) == PW_OK);
	cr_expect_eq(hit.pa, HUGE + 5);
	cr_expect(pw_translate(&p.space, list[1], PW_ACCESS_ANY, &hit) == PW_NO_MEMORY);
	cr_expect_eq(hit.level, 3);
	cr_expect_eq(pw_translate_batch(&p.space, list, 2, PW_ACCESS_ANY, hits), 1u);
	cr_expect(hits[0].status == PW_OK && hits[1].status == PW_NO_MEMORY);
	ram_end(&p.ram);
}

Test(copy_windows, windows_that_cannot_be_are_refused)
{
	static _Alignas(8) unsigned char host[64];
	const struct pw_window bad[] = {
		{.base = UINT64_MAX - 7, .size = 9, .host = host}, /* wraps */
		{.base = 4096, .size = 64, .host = host + 1},      /* not 8-aligned together */
		{.base = 4096, .size = 64, .host = NULL},
	};
	const struct pw_window top = {.base = UINT64_MAX - 63, .size = 64, .host = host};
	const struct pw_window none = {.base = 4096, .size = 0, .host = NULL};
	struct pw_memory memory = {.window_count = 1};
	struct pw_space space;

	for (unsigned i = 0; i < 3; i++) {
		memory.windows = &bad[i];
		cr_expect(pw_space_init(&space, &pw_format_x86_64, 0, &memory) == PW_E_ARGUMENT,
			"window %u", i);
	}
	memory.windows = NULL;
	cr_expect(pw_space_init(&space, &pw_format_x86_64, 0, &memory) == PW_E_ARGUMENT);
	memory.windows = &top;
	cr_expect(pw_space_init(&space, &pw_format_x86_64, 0, &memory) == PW_OK);
	memory.windows = &none;
	cr_expect(pw_space_init(&space, &pw_format_x86_64, 0, &memory) == PW_OK);
	cr_expect(pw_translate(&space, 0, PW_ACCESS_ANY, NULL) == PW_NO_MEMORY);
}
