/* SPDX-License-Identifier: MIT */
/*
 * The journal, by random operations in every format: the tables that can be reached are compared
 * byte by byte, with a copy made before and with a copy to which the records are applied.
 */
#include "build_choices.h"
#include "share.h"
#include <stdio.h>
#include <stdlib.h>

#define RECORDS 20000

static struct pw_record records[RECORDS];
static struct world w;

/* ---- Tables reached from the root ---- */

struct image {
	uint8_t *bytes;
	uint64_t tables_out;
	size_t retained;
};

static struct image image_take(void)
{
	return (struct image){test_memory_copy(&w.tm), w.tm.tables_out, w.retention.count};
}

/* The world's memory with those bytes. */
static struct test_memory *memory_of(const struct image *image)
{
	static struct test_memory tm;

	tm.bytes = image->bytes;
	tm.base = w.tm.base;
	tm.size = w.tm.size;
	tm.big_endian = w.tm.big_endian;
	return &tm;
}

static uint64_t image_load(const struct image *image, pw_pa pa)
{
	return test_memory_load(memory_of(image), pa, w.format->entry_bytes);
}

/* The tables as they are now are those of the image, perhaps but for the marks of pages. */
static void expect_image(
	const struct image *image, pw_pa table, unsigned level, bool marks, const char *what)
{
	const struct pw_page *shape = &w.format->level[level].page;
	unsigned bytes = w.format->entry_bytes;

	for (uint64_t i = 0; i < pw_level_entries(&w.format->level[level]); i++) {
		uint64_t now = test_memory_load(&w.tm, table + i * bytes, bytes);
		uint64_t then = image_load(image, table + i * bytes);
		enum pw_kind kind = pw_entry_kind(w.format, level, now);
		bool free = !marks && kind == PW_PAGE;

		if ((now ^ then) & ~(free ? shape->accessed | shape->dirty : 0))
			cr_assert_fail("%s: %s: level %u, entry %llu is %#llx, not %#llx",
				w.format->name, what, level, (unsigned long long)i,
				(unsigned long long)now, (unsigned long long)then);
		if (kind == PW_TABLE)
			expect_image(image, pw_entry_address(w.format, level, now), level - 1,
				marks, what);
	}
}

static void expect_equal(const struct image *image, const char *what)
{
	expect_image(image, w.space.root, w.format->levels - 1u, !w.flush.live, what);
}

/* Its tables, from the root on; each is given out now. */
static uint64_t count_tables(pw_pa table, unsigned level)
{
	unsigned bytes = w.format->entry_bytes;
	uint64_t tables = 1;

	cr_assert(w.tm.state[(table - w.tm.base) / TEST_GRAIN] == 1, "%s: a freed table is linked",
		w.format->name);
	for (uint64_t i = 0; level && i < pw_level_entries(&w.format->level[level]); i++) {
		uint64_t entry = test_memory_load(&w.tm, table + i * bytes, bytes);

		if (pw_entry_kind(w.format, level, entry) == PW_TABLE)
			tables += count_tables(pw_entry_address(w.format, level, entry), level - 1);
	}
	return tables;
}

static uint64_t waiting(const struct pw_journal *journal)
{
	uint64_t tables = 0;

	for (size_t n = 0; journal && n < journal->count; n++) {
		const struct pw_record *r = &journal->records[n];

		tables += !r->page && (r->kind == PW_RECORD_FREED || r->kind == PW_RECORD_LEFT);
	}
	return tables;
}

/* None is lost, none is freed twice. */
static void check_tables(const char *what)
{
	uint64_t linked = count_tables(w.space.root, w.format->levels - 1u);
	uint64_t wait = waiting(w.flush.journal) + w.flush.freed_count + w.retention.count;

	cr_assert(linked + wait == w.tm.tables_out, "%s: %s: %llu linked, %llu wait, %llu out",
		w.format->name, what, (unsigned long long)linked, (unsigned long long)wait,
		(unsigned long long)w.tm.tables_out);
	cr_assert(w.tm.faults == 0, "%s: %s: faults", w.format->name, what);
}

/* ---- Operations ---- */

static enum pw_status operate(unsigned which)
{
	pw_va va = flat_map_va(&w.model, w.from);
	uint64_t size = w.count * w.model.page, merged;
	unsigned level = (unsigned)random_below(&w.random, w.top_page + 1);
	struct pw_marks marks = {.clear = (unsigned)random_below(&w.random, 4)};
	pw_rights set = (pw_rights)random_below(&w.random, 8) | random_software(&w);
	pw_rights how = random_once_in(&w.random, 2) ? PW_REPLACE : 0;

	switch (which) {
	case 0:
	case 1:
	case 2:
		return pw_map(&w.space, va, random_pa(&w), size,
			random_rights(&w) | random_software(&w) | random_groups(&w) | how,
			&w.flush);
	case 3:
		return pw_protect(&w.space, va, size, random_rights(&w), &w.flush);
	case 4:
		return pw_modify(&w.space, va, size, set,
			(pw_rights)random_below(&w.random, 16) & ~set, &w.flush);
	case 5:
		return pw_unmap(&w.space, va, size, &w.flush);
	case 6:
		return pw_split(&w.space, va, (w.count < 600 ? w.count : 600) * w.model.page, level,
			&w.flush);
	case 7:
		return pw_collapse(
			&w.space, va, size, w.top_page | random_groups(&w), &merged, &w.flush);
	default:
		return pw_harvest(&w.space, va, size, &marks, &w.flush);
	}
}

/* One that can fail in any way that has been foreseen. */
static enum pw_status one_operation(bool remaps)
{
	static const unsigned others[] = {3, 4, 6, 7, 8};
	unsigned which =
		remaps ? (unsigned)random_below(&w.random, 9) : others[random_below(&w.random, 5)];
	enum pw_status status;

	random_range(&w);
	if (random_once_in(&w.random, 2))
		aim(&w, which > 2);
	if (random_once_in(&w.random, 5))
		w.tm.fail_at = w.tm.allocations + (int64_t)random_below(&w.random, 6);
	status = operate(which);
	w.tm.fail_at = -1;
	cr_assert(status == PW_OK || status == PW_E_EXISTS || status == PW_E_NO_TABLES ||
			  status == PW_E_RIGHTS || status == PW_E_UNSUPPORTED ||
			  (status == PW_E_BUDGET && w.flush.journal),
		"%s: operation %u: %s", w.format->name, which, pw_status_name(status));
	/* The model serves to aim alone. */
	if (status == PW_OK && which < 3)
		flat_map_map(&w.model, w.from, w.count, 0, PW_R);
	if (status == PW_OK && which == 5)
		flat_map_unmap(&w.model, w.from, w.count);
	w.done += status == PW_OK;
	return status;
}

/* What the hardware has marked. */
struct touched {
	pw_va va;
	bool accessed, dirty;
};

/* A page here or there; false if there is none. */
static bool touch(struct touched *touched)
{
	pw_va va = flat_map_va(&w.model, random_below(&w.random, w.model.count));
	struct slow_result r = world_look(&w, va);
	const struct pw_page *shape;

	*touched = (struct touched){va, true, random_once_in(&w.random, 2)};
	if (r.status != SLOW_MAPPED || !w.marks)
		return false;
	shape = &w.format->level[r.level].page;
	test_memory_store(&w.tm, r.entry_pa, w.format->entry_bytes,
		r.entry | shape->accessed | (touched->dirty ? shape->dirty : 0));
	touched->dirty &= shape->dirty != 0;
	return true;
}

static void start(const struct pw_format *format, bool windows, bool live, uint64_t seed)
{
	const struct world_kind kind = {
		.memory_bytes = UINT64_C(4) << 20,
		.page_cells = UINT64_C(1) << 18,
		.windows = windows,
		.groups = true,
		.retains = true,
	};

	world_begin(&w, format, &kind, seed);
	w.flush.live = live;
	w.flush.retention = seed & 1 ? &w.retention : NULL;
	if (w.flush.retention)
		cr_assert(pw_retain(&w.space, flat_map_va(&w.model, 5), w.model.page, &w.flush) ==
			  PW_OK);
	for (unsigned i = 0; i < 12; i++) {
		struct touched touched;

		(void)one_operation(true);
		(void)touch(&touched);
	}
	pw_flush_done(&w.space, &w.flush);
	w.done = 0;
}

static void end(void)
{
	w.flush.journal = NULL;
	cr_assert(pw_unmap(&w.space, flat_map_va(&w.model, 0), w.model.count * w.model.page,
			  &w.flush) == PW_OK);
	pw_flush_done(&w.space, &w.flush);
	pw_retention_end(&w.space, &w.retention);
	cr_assert(w.tm.tables_out == 1, "%s: %llu tables are left", w.format->name,
		(unsigned long long)w.tm.tables_out);
	cr_assert(test_memory_is_sound(&w.tm));
	flat_map_end(&w.model);
	flat_map_end(&w.before);
	free(w.copy);
	test_memory_end(&w.tm);
}

/* ---- Records on a copy ---- */

static void apply(struct image *image, const struct pw_record *r)
{
	bool used = r->kind == PW_RECORD_ENTRY;

	if (!used && r->kind != PW_RECORD_FILL)
		return;
	cr_assert(r->bytes == w.format->entry_bytes && r->count > 0);
	for (uint64_t i = 0; i < r->count; i++) {
		pw_pa pa = r->pa + i * r->bytes;

		if (used && image_load(image, pa) != r->before + i * r->before_step)
			cr_assert_fail("%s: a record that does not follow from those before",
				w.format->name);
		test_memory_store(
			memory_of(image), pa, w.format->entry_bytes, r->after + i * r->after_step);
	}
}

/* A record's addresses are those of its entries: a walk there meets them. */
static void check_place(const struct pw_record *r)
{
	const struct pw_level *row = &w.format->level[r->level];
	uint64_t index = (r->va >> row->shift) & (pw_level_entries(row) - 1);
	pw_pa table = r->pa - index * r->bytes;

	cr_assert(!(table & (pw_table_bytes(w.format, r->level) - 1)) ||
		  r->level + 1u == w.format->levels);
	cr_assert(index + r->count <= pw_level_entries(row));
	cr_assert(!(r->va & ((UINT64_C(1) << row->shift) - 1)));
}

static void replay(struct image *image, const struct pw_journal *journal, size_t from)
{
	for (size_t n = from; n < journal->count; n++) {
		if (journal->records[n].kind == PW_RECORD_ENTRY)
			check_place(&journal->records[n]);
		apply(image, &journal->records[n]);
	}
	expect_equal(image, "replay");
}

/* ---- Undo ---- */

struct sample {
	pw_va va;
	struct slow_result r;
};

static void take_samples(struct sample *samples, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		samples[i].va = flat_map_va(&w.model, random_below(&w.random, w.model.count));
		samples[i].r = world_look(&w, samples[i].va);
	}
}

/* What a TLB may hold of the time before is in the list. */
static void check_stale(const struct sample *samples, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct slow_result *old = &samples[i].r;
		struct slow_result now = world_look(&w, samples[i].va);

		if (old->status == SLOW_MAPPED &&
			(now.status != SLOW_MAPPED || now.pa != old->pa ||
				world_letters(now.user) != world_letters(old->user) ||
				world_letters(now.supervisor) != world_letters(old->supervisor)))
			cr_assert(world_is_listed(&w, samples[i].va),
				"%s: undone, but not in the list", w.format->name);
	}
}

static void undo_and_compare(const struct image *image, size_t mark, const char *what)
{
	struct sample samples[60];
	enum pw_status status;

	w.flush.range_count = 0;
	w.flush.everything = false;
	w.flushed_count = 0;
	w.flushed_everything = false;
	take_samples(samples, 60);
	status = pw_undo(&w.space, &w.flush, mark);
	cr_assert(status == PW_OK, "%s: %s: %s", w.format->name, what, pw_status_name(status));
	expect_equal(image, what);
	check_tables(what);
	check_stale(samples, 60);
}

/* Several operations; those after a mark are undone, then all. */
static void sequence(unsigned operations)
{
	struct pw_journal journal = {.records = records, .max = RECORDS};
	struct image before = image_take(), copy = image_take(), middle = {NULL, 0, 0};
	unsigned half = (unsigned)random_below(&w.random, operations);
	size_t mark = 0;

	memcpy(w.before.cells, w.model.cells, w.model.count * sizeof *w.model.cells);
	w.flush.journal = &journal;
	for (unsigned i = 0; i < operations; i++) {
		if (i == half) {
			middle = image_take();
			mark = journal.count;
		}
		(void)one_operation(true);
		check_tables("operation");
	}
	replay(&copy, &journal, 0);
	cr_assert(w.flush.freed_count == 0, "%s: a table waits elsewhere", w.format->name);
	if (random_once_in(&w.random, 3)) {
		/* Or it is to stay so. */
		pw_flush_done(&w.space, &w.flush);
		cr_assert(journal.count == 0);
	} else {
		undo_and_compare(&middle, mark, "half");
		undo_and_compare(&before, 0, "undo");
		memcpy(w.model.cells, w.before.cells, w.model.count * sizeof *w.model.cells);
		pw_flush_done(&w.space, &w.flush);
		cr_assert(journal.count == 0);
		cr_assert(
			w.tm.tables_out + before.retained == before.tables_out + w.retention.count);
	}
	check_tables("done");
	free(before.bytes);
	free(middle.bytes);
	free(copy.bytes);
	w.flush.journal = NULL;
}

/* ---- No room ---- */

/* Whatever the journal has no room for has not happened; what was before can still be undone. */
static void crowded(unsigned operations, uint64_t *refused)
{
	struct pw_journal journal = {.records = records};
	struct image before = image_take();

	memcpy(w.before.cells, w.model.cells, w.model.count * sizeof *w.model.cells);
	journal.max = random_below(&w.random, 60);
	w.flush.journal = &journal;
	for (unsigned i = 0; i < operations; i++) {
		struct image now = image_take();
		size_t count = journal.count;
		enum pw_status status = one_operation(true);

		if (status != PW_OK) {
			expect_equal(&now, "refused");
			cr_assert(
				w.flush.live || (journal.count == count &&
							w.tm.tables_out + now.retained ==
								now.tables_out + w.retention.count),
				"%s: refused, but something is left", w.format->name);
		}
		*refused += status == PW_E_BUDGET;
		check_tables("operation");
		free(now.bytes);
	}
	undo_and_compare(&before, 0, "undo");
	memcpy(w.model.cells, w.before.cells, w.model.count * sizeof *w.model.cells);
	pw_flush_done(&w.space, &w.flush);
	check_tables("done");
	free(before.bytes);
	w.flush.journal = NULL;
}

/* ---- Marks ---- */

/* The hardware marks pages all the while: none of that is lost. */
static void marked(unsigned operations, uint64_t *marks)
{
	struct pw_journal journal = {.records = records, .max = RECORDS};
	struct image before = image_take();
	struct touched touched[40];
	unsigned count = 0;

	memcpy(w.before.cells, w.model.cells, w.model.count * sizeof *w.model.cells);
	w.flush.journal = &journal;
	for (unsigned i = 0; i < operations; i++) {
		(void)one_operation(false);
		for (unsigned j = 0; j < 8; j++)
			count += touch(&touched[count]);
	}
	undo_and_compare(&before, 0, "undo");
	memcpy(w.model.cells, w.before.cells, w.model.count * sizeof *w.model.cells);
	for (unsigned i = 0; i < count; i++) {
		struct slow_result r = world_look(&w, touched[i].va);

		cr_assert(r.status == SLOW_MAPPED);
		cr_assert(r.accessed && (r.dirty || !touched[i].dirty), "%s: a mark is lost",
			w.format->name);
	}
	*marks += count;
	pw_flush_done(&w.space, &w.flush);
	check_tables("done");
	free(before.bytes);
	w.flush.journal = NULL;
}

static void every_format(bool windows, bool live, uint64_t fixed_seed)
{
	const unsigned rounds = getenv("PW_EXHAUSTIVE") ? 16 : 1;
	/* Of a share, every third format, and other ones in each test. */
	const unsigned step = share() > 1 ? 3 : 1;
	const size_t first = (windows + 2u * live) % step;
	uint64_t seed = random_seed(fixed_seed), done = 0, refused = 0, marks = 0;
	const struct pw_format *format;

	for (size_t i = first; (format = pw_format_at(i)); i += step) {
		if (!format->levels)
			continue;
		start(format, windows, live, seed + i);
		for (unsigned n = 0; n < rounds; n++) {
			sequence(5);
			crowded(5, &refused);
			if (live)
				marked(5, &marks);
		}
		done += w.done;
		end();
	}
	cr_expect(done > 40 * rounds / step && refused > 4 * rounds / step,
		"%llu operations, %llu refused: not much of a test", (unsigned long long)done,
		(unsigned long long)refused);
	cr_expect(!live || marks > 20 * rounds / step, "%llu marks: not much of a test",
		(unsigned long long)marks);
	printf("seed %llu\n", (unsigned long long)seed);
}

Test(journal_random, windows)
{
	every_format(true, false, 20270201);
}

Test(journal_random, callbacks)
{
	every_format(false, false, 20270202);
}

Test(journal_random, live_windows)
{
	every_format(true, true, 20270203);
}

Test(journal_random, live_callbacks)
{
	every_format(false, true, 20270204);
}
