/* SPDX-License-Identifier: MIT */
/* Accessed and Dirty of a range: found, cleared, listed; in every format, by every way to memory.
 */
#include "build_fixture.h"
#include "random.h"
#include <stdio.h>
#include <stdlib.h>

#define RW    (PW_R | PW_W)
#define CELLS 3000

/* A range of small pages with a few large ones, and what the hardware has marked in it. */
struct field {
	struct fixture f;
	struct random random;
	uint64_t page, cells, large; /* cells of a large page; 0: none in this format */
	pw_va first;
	bool mapped[CELLS], accessed[CELLS], dirty[CELLS];
	uint64_t map_accessed[CELLS / 64 + 1], map_dirty[CELLS / 64 + 1];
	unsigned calls;
};

static bool has_dirty(const struct pw_format *format)
{
	return format->level[0].page.dirty;
}

static void map_field(struct field *d, const struct pw_format *format)
{
	pw_rights rights = format->encode[RW] == PW_CANNOT ? RW | PW_X : RW;
	const struct pw_level *above = &format->level[1];

	d->page = pw_level_page_size(&format->level[0]);
	d->cells = CELLS;
	d->large = format->levels > 1 && above->page.size_log2 ? pw_level_page_size(above) / d->page
							       : 0;
	if (d->large > CELLS / 3)
		d->large = 0;
	d->first = 0;
	for (uint64_t i = 0; i < CELLS; i++)
		d->mapped[i] = !random_once_in(&d->random, 5);
	for (uint64_t i = d->large; d->large && i < 2 * d->large; i++)
		d->mapped[i] = true;
	for (uint64_t i = 0; i < CELLS; i++) {
		bool large = d->large && i == d->large;

		if (!d->mapped[i])
			continue;
		/* Nothing merges into larger pages but the one that is to be large. */
		cr_assert(pw_map(&d->f.space, i * d->page,
				  large ? 8 * d->large * d->page
					: (UINT64_C(1) << 30) + (i * 3 + 1) * d->page,
				  large ? d->large * d->page : d->page, rights,
				  &d->f.flush) == PW_OK);
		if (large)
			i += d->large - 1;
	}
}

/* The hardware marks some pages. */
static void mark(struct field *d)
{
	for (uint64_t i = 0; i < CELLS; i++) {
		bool large = d->large && i == d->large;
		uint64_t cells = large ? d->large : 1;
		bool accessed = d->mapped[i] && random_once_in(&d->random, large ? 1 : 3);
		bool dirty = accessed && has_dirty(d->f.format) && random_once_in(&d->random, 2);
		const struct pw_level *row = &d->f.format->level[large];
		uint64_t entry;

		if (d->mapped[i]) {
			entry = fixture_entry(&d->f, i * d->page);
			entry &= ~row->page.accessed;
			entry |= accessed ? row->page.accessed : 0;
			if (row->page.dirty_clear)
				entry = (entry & ~row->page.dirty_clear) |
					(dirty ? row->page.dirty
					       : row->page.dirty | row->page.dirty_clear);
			else
				entry = (entry & ~row->page.dirty) | (dirty ? row->page.dirty : 0);
			test_memory_store(&d->f.tm, fixture_place(&d->f, i * d->page, large),
				d->f.format->entry_bytes, entry);
		}
		for (uint64_t j = i; j < i + cells && j < CELLS; j++) {
			d->accessed[j] = accessed;
			d->dirty[j] = dirty;
		}
		i += cells - 1;
	}
}

static void on_page(void *ctx, pw_va va, uint64_t bytes, unsigned marks)
{
	struct field *d = ctx;
	uint64_t cell = va / d->page;

	d->calls++;
	cr_assert(cell < CELLS && d->accessed[cell] == !!(marks & PW_MARK_ACCESSED));
	cr_assert(d->dirty[cell] == !!(marks & PW_MARK_DIRTY));
	cr_assert(bytes == d->page || (d->large && bytes == d->large * d->page));
}

static bool bit(const uint64_t *map, uint64_t n)
{
	return map[n / 64] >> n % 64 & 1;
}

static bool is_listed(const struct field *d, pw_va va)
{
	const struct pw_flush *flush = &d->f.flush;

	for (size_t i = 0; i < flush->range_count; i++) {
		if (va >= flush->ranges[i].first && va <= flush->ranges[i].last)
			return true;
	}
	return flush->everything;
}

/* One harvest of [from, from + count), compared cell by cell; what is cleared is not found again.
 */
static void harvest(struct field *d, uint64_t from, uint64_t count, unsigned clear, bool calls)
{
	struct pw_marks h = {.clear = clear,
		.accessed = d->map_accessed,
		.dirty = d->map_dirty,
		.page = calls ? on_page : NULL,
		.ctx = d};
	uint64_t accessed = 0, dirty = 0, last = from + count;

	memset(d->map_accessed, 0, sizeof d->map_accessed);
	memset(d->map_dirty, 0, sizeof d->map_dirty);
	pw_flush_done(&d->f.space, &d->f.flush);
	cr_assert(
		pw_harvest(&d->f.space, from * d->page, count * d->page, &h, &d->f.flush) == PW_OK);
	for (uint64_t i = from; i < last; i++) {
		cr_assert(bit(d->map_accessed, i - from) == d->accessed[i],
			"%s: cell %llu from %llu", d->f.format->name, (unsigned long long)i,
			(unsigned long long)from);
		cr_assert(bit(d->map_dirty, i - from) == d->dirty[i], "%s: cell %llu from %llu",
			d->f.format->name, (unsigned long long)i, (unsigned long long)from);
		accessed += d->accessed[i];
		dirty += d->dirty[i];
		if ((clear & PW_MARK_ACCESSED && d->accessed[i]) ||
			(clear & PW_MARK_DIRTY && d->dirty[i]))
			cr_assert(is_listed(d, i * d->page));
	}
	for (uint64_t i = count; i < CELLS; i++)
		cr_assert(!bit(d->map_accessed, i) && !bit(d->map_dirty, i));
	cr_assert(h.accessed_pages == accessed && h.dirty_pages == dirty);
	cr_assert(clear || (!d->f.flush.range_count && !d->f.flush.everything));
	for (uint64_t i = from; i < last; i++) {
		d->accessed[i] &= !(clear & PW_MARK_ACCESSED);
		d->dirty[i] &= !(clear & PW_MARK_DIRTY);
	}
}

static void every_way(const struct pw_format *format, bool windows, bool live,
	const struct pw_kernels *kernels, uint64_t seed)
{
	static struct field d;

	memset(&d, 0, sizeof d);
	d.random = random_from(seed);
	fixture_begin(&d.f, format, windows);
	d.f.flush.live = live;
	d.f.tm.memory.kernels = kernels;
	map_field(&d, format);
	for (unsigned n = 0; n < 4; n++) {
		uint64_t from = random_below(&d.random, CELLS - 1);
		uint64_t count = 1 + random_below(&d.random, CELLS - from - 1);
		unsigned clear = n & 3;

		mark(&d);
		harvest(&d, 0, CELLS, 0, true);
		/* Whole large pages or none: the model clears by cells. */
		if (d.large && from > d.large && from < 2 * d.large)
			from = 2 * d.large;
		if (d.large && from + count > d.large && from + count < 2 * d.large)
			count = 2 * d.large - from;
		if (from + count > CELLS)
			count = CELLS - from;
		harvest(&d, from, count, clear, n & 1);
		harvest(&d, 0, CELLS, PW_MARK_DIRTY, false);
		harvest(&d, 0, CELLS, PW_MARK_ACCESSED, true);
		harvest(&d, 0, CELLS, 0, false);
	}
	cr_assert(d.calls > 500);
	d.f.flush.live = false;
	fixture_end(&d.f);
}

Test(build_harvest, every_format)
{
	uint64_t seed = random_seed(20270120);
	const struct pw_format *format;

	printf("seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (!format->levels || !format->level[0].page.accessed)
			continue;
		every_way(format, true, false, NULL, seed);
		every_way(format, true, false, pw_kernels_best(), seed + 1);
		every_way(format, true, true, NULL, seed + 2);
		every_way(format, true, true, pw_kernels_best(), seed + 5);
		every_way(format, false, false, NULL, seed + 3);
		every_way(format, false, true, NULL, seed + 4);
	}
}

/* A part of a huge page: its marks as far as the range goes, and the entry cleared. */
Test(build_harvest, part_of_a_huge_page)
{
	static struct fixture f;
	uint64_t dirty[3] = {0};
	struct pw_marks h = {.clear = PW_MARK_DIRTY, .dirty = dirty};

	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_map(&f.space, 0, 0, 2 * GIB, RW, NULL) == PW_OK);
	fixture_set_entry(&f, GIB, fixture_entry(&f, GIB) | 3 << 8);
	cr_assert(pw_harvest(&f.space, GIB - 5 * 4 * KIB, 105 * 4 * KIB, &h, &f.flush) == PW_OK);
	cr_assert(dirty[0] == ~UINT64_C(0x1f) && dirty[1] == (UINT64_C(1) << 41) - 1 && !dirty[2]);
	cr_assert(h.dirty_pages == 100 && (fixture_entry(&f, GIB) >> 8 & 3) == 1);
	cr_assert(f.flush.range_count == 1 && f.flush.ranges[0].first == GIB &&
		  f.flush.ranges[0].level == 2);
	fixture_end(&f);
}

/* One of the sixteen entries is marked: all of the page is. */
Test(build_harvest, pages_that_span_entries)
{
	const struct pw_rules rules = {.riscv_napot = true};
	static struct fixture f;
	uint64_t accessed[1] = {0}, dirty[1] = {0}, entry;
	struct pw_marks h = {
		.clear = PW_MARK_ACCESSED | PW_MARK_DIRTY, .accessed = accessed, .dirty = dirty};

	fixture_begin_rules(&f, &pw_format_riscv_sv39, true, &rules);
	cr_assert(pw_map(&f.space, 0, 0, 128 * KIB, RW, NULL) == PW_OK);
	for (pw_va va = 64 * KIB; va < 128 * KIB; va += 4 * KIB) {
		entry = (fixture_entry(&f, 64 * KIB) & 0x3ff & ~UINT64_C(0xc0)) |
			UINT64_C(1) << 63 | UINT64_C(0x18) << 10;
		test_memory_store(
			&f.tm, fixture_place(&f, va, 0), 8, entry | (va == 96 * KIB ? 0xc0 : 0));
	}
	cr_assert(pw_harvest(&f.space, 60 * KIB, 68 * KIB, &h, &f.flush) == PW_OK);
	cr_assert((dirty[0] & ~UINT64_C(1)) == 0x1fffe && (accessed[0] & ~UINT64_C(1)) == 0x1fffe);
	cr_assert(!(test_memory_load(&f.tm, fixture_place(&f, 96 * KIB, 0), 8) & 0xc0));
	fixture_end(&f);
}

Test(build_harvest, refused)
{
	static struct fixture f;
	struct pw_marks h = {.clear = 4};

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_harvest(&f.space, 0, MIB, NULL, NULL) == PW_E_ARGUMENT);
	cr_assert(pw_harvest(&f.space, 0, MIB, &h, NULL) == PW_E_ARGUMENT);
	h.clear = PW_MARK_DIRTY;
	cr_assert(pw_harvest(&f.space, 1, MIB, &h, NULL) == PW_E_ALIGNMENT);
	cr_assert(pw_map(&f.space, 0, 0, 4 * KIB, RW, NULL) == PW_OK);
	f.tm.window.read_only = true;
	cr_assert(pw_harvest(&f.space, 0, MIB, &h, NULL) == PW_E_READ_ONLY);
	h.clear = 0;
	cr_assert(pw_harvest(&f.space, 0, MIB, &h, NULL) == PW_OK);
	f.tm.window.read_only = false;
	fixture_end(&f);
}
