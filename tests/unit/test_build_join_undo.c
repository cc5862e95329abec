/* SPDX-License-Identifier: MIT */
/*
 * Groups that are formed while the hardware marks their pages, and undone: single pages again, none
 * of which has lost a mark, whichever entry of the group the hardware put it in.
 */
#include "join_kinds.h"
#include <pagewalk/journal.h>
#include <stdlib.h>

#define RV_A      UINT64_C(0x40)
#define RV_D      UINT64_C(0x80)
#define DBM       (UINT64_C(1) << 51)
#define READ_ONLY (UINT64_C(1) << 7) /* AP[2] */
#define S2_WRITE  (UINT64_C(1) << 7)
#define RECORDS   600

static const struct join_kind napot = {&pw_format_riscv_sv39, 0, 64 * KIB, true};
static const struct join_kind hint = {&pw_format_arm64_4k, 0, 64 * KIB, false};
static const struct join_kind stage2 = {&pw_format_arm64_s2_4k, 0, 64 * KIB, false};

/* A fixture with a journal, and hardware that marks an entry before exchange number `when`. */
struct scene {
	struct fixture f;
	struct pw_record records[RECORDS];
	struct pw_journal journal;
	uint8_t *copy;
	bool (*exchange)(void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired);
	uint64_t exchanges, when, set, clear;
	pw_pa marked;
	unsigned flushes;
};

static struct scene s;

static bool exchange_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired)
{
	if (++s.exchanges == s.when) {
		uint64_t entry = test_memory_load(&s.f.tm, s.marked, bytes);

		/* Of what is not there nothing is marked. */
		if (pw_entry_kind(s.f.format, 0, entry) == PW_PAGE)
			test_memory_store(&s.f.tm, s.marked, bytes, (entry | s.set) & ~s.clear);
	}
	return s.exchange(ctx, pa, bytes, expected, desired);
}

static void count_flush(void *ctx, struct pw_flush *flush)
{
	(void)ctx;
	(void)flush;
	s.flushes++;
}

/* 64 KiB at 0, in single pages, all with these bits. */
static void begin(const struct join_kind *k, bool windows, bool live, uint64_t clear, uint64_t set)
{
	memset(&s, 0, sizeof s);
	join_begin(&s.f, k, windows);
	join_map(&s.f, k, 0, 0, 2 * k->group);
	for (pw_va va = 0; va < k->group; va += join_page(k))
		fixture_set_entry(&s.f, va, (fixture_entry(&s.f, va) & ~clear) | set);
	s.copy = malloc(s.f.tm.size + s.f.tm.size / TEST_GRAIN);
	cr_assert(s.copy != NULL);
	test_memory_copy_tables(&s.f.tm, s.copy);
	s.exchange = s.f.tm.memory.exchange_pte;
	s.f.tm.memory.exchange_pte = exchange_pte;
	s.journal = (struct pw_journal){.records = s.records, .max = RECORDS};
	s.f.flush.journal = &s.journal;
	s.f.flush.live = live;
	s.f.flush.flush_now = count_flush;
}

static void end(void)
{
	free(s.copy);
	s.f.flush.journal = NULL;
	s.f.flush.live = false;
	fixture_end(&s.f);
}

static void undo(void)
{
	enum pw_status status = pw_undo(&s.f.space, &s.f.flush, 0);

	cr_assert(status == PW_OK, "%s: %s", s.f.format->name, pw_status_name(status));
}

static void mark(pw_va va, uint64_t clear, uint64_t set)
{
	fixture_set_entry(&s.f, va, (fixture_entry(&s.f, va) & ~clear) | set);
}

static void expect_all(const struct join_kind *k, uint64_t bits, uint64_t value)
{
	for (pw_va va = 0; va < k->group; va += join_page(k)) {
		struct slow_result r = fixture_look(&s.f, va);

		cr_assert(r.status == SLOW_MAPPED && r.pa == va && r.page_size == join_page(k));
		cr_assert((r.entry & (bits | JOIN_HINT)) == value, "%s: %#llx is %#llx",
			k->format->name, (unsigned long long)va, (unsigned long long)r.entry);
	}
}

/* ---- Undone ---- */

/* To the last bit, in every format. What is dirty and may be written stays so on live tables. */
Test(build_join_undo, as_before)
{
	for (size_t i = 0; i < 4 * JOIN_KINDS; i++) {
		const struct join_kind *k = &join_kinds[i / 4];

		begin(k, i & 1, i & 2, 0, 0);
		cr_assert(join_collapse(&s.f, k, 0, k->group) == 1);
		join_expect(&s.f, k, join_page(k), join_page(k), true);
		cr_assert(s.journal.count > 0);
		undo();
		cr_assert(test_memory_tables_equal(&s.f.tm, s.copy), "%s: not as before",
			k->format->name);
		pw_flush_done(&s.f.space, &s.f.flush);
		end();
	}
}

/* Different marks come back to where they were. */
Test(build_join_undo, marks_as_before)
{
	begin(&napot, true, false, RV_A | RV_D, 0);
	mark(0x3000, 0, RV_A);
	mark(0x8000, 0, RV_D);
	test_memory_copy_tables(&s.f.tm, s.copy);
	cr_assert(join_collapse(&s.f, &napot, 0, 64 * KIB) == 1);
	cr_assert((fixture_entry(&s.f, 0) & (RV_A | RV_D)) == (RV_A | RV_D));
	undo();
	cr_assert(test_memory_tables_equal(&s.f.tm, s.copy));
	end();
}

/* Whichever entry the hardware has marked. */
static void gained(const struct join_kind *k, bool live, uint64_t clear, uint64_t set)
{
	for (pw_va va = 0; va < k->group; va += join_page(k)) {
		begin(k, false, live, set, clear);
		cr_assert(join_collapse(&s.f, k, 0, k->group) == 1);
		mark(va, clear, set);
		undo();
		expect_all(k, set | clear, set);
		pw_flush_done(&s.f.space, &s.f.flush);
		end();
	}
}

Test(build_join_undo, marks_that_the_group_has_got)
{
	for (unsigned live = 0; live < 2; live++) {
		gained(&napot, live, 0, RV_A | RV_D);
		gained(&hint, live, 0, UINT64_C(1) << 10);
	}
	/* Made writable by the hardware, which DBM lets it. */
	for (unsigned live = 0; live < 2; live++) {
		for (pw_va va = 0; va < 64 * KIB; va += 4 * KIB) {
			begin(&hint, false, live, 0, DBM | READ_ONLY);
			cr_assert(join_collapse(&s.f, &hint, 0, 64 * KIB) == 1);
			mark(va, READ_ONLY, 0);
			undo();
			expect_all(&hint, DBM | READ_ONLY, DBM);
			pw_flush_done(&s.f.space, &s.f.flush);
			end();
		}
	}
}

/*
 * ... and while it is undone: each entry is a hole first, from the last one to the first, then a
 * page again, in the same order, by an exchange each time. Entry 2 is marked before exchange
 * `when`.
 */
Test(build_join_undo, marked_while_undone)
{
	const uint64_t last_of_group = 14, last_of_hole = 30, exchanges = 32;

	for (uint64_t when = 1; when <= exchanges; when++) {
		begin(&hint, false, true, 0, DBM | READ_ONLY);
		cr_assert(join_collapse(&s.f, &hint, 0, 64 * KIB) == 1);
		s.marked = fixture_look(&s.f, 0x2000).entry_pa;
		s.exchanges = 0;
		s.when = when;
		s.clear = READ_ONLY;
		undo();
		cr_assert(s.exchanges >= exchanges);
		if (when > last_of_hole) {
			cr_assert(!(fixture_entry(&s.f, 0x2000) & READ_ONLY));
			mark(0x2000, 0, READ_ONLY);
		}
		/* Of the group, all of it; of a hole, nothing; of the page alone, that page. */
		expect_all(&hint, DBM | READ_ONLY, when <= last_of_group ? DBM : DBM | READ_ONLY);
		pw_flush_done(&s.f.space, &s.f.flush);
		end();
	}
	/* On RISC-V there is no moment without the pages: those that may be written are dirty. */
	begin(&napot, true, true, RV_D, 0);
	cr_assert(join_collapse(&s.f, &napot, 0, 64 * KIB) == 1);
	cr_assert(!(fixture_entry(&s.f, 0x2000) & RV_D));
	undo();
	expect_all(&napot, RV_D, RV_D);
	end();
}

/* With a journal that is too small nothing has happened. */
static void crowded(const struct join_kind *k, bool live)
{
	enum pw_status status = PW_E_BUDGET;
	unsigned refused = 0;

	for (size_t room = 0; status == PW_E_BUDGET; room++) {
		uint64_t made = 7;

		/* Entries that follow no step take a record each. */
		begin(k, false, live, 0, 0);
		for (pw_va va = 0; va < k->group; va += 3 * join_page(k))
			mark(va, UINT64_C(1) << (k == &napot ? 6 : 10), 0);
		test_memory_copy_tables(&s.f.tm, s.copy);
		s.journal.max = room;
		status = pw_collapse(
			&s.f.space, 0, k->group, k->level | PW_CONTIGUOUS, &made, &s.f.flush);
		if (status == PW_E_BUDGET) {
			cr_assert(made == 0 && s.journal.count == 0);
			cr_assert(test_memory_tables_equal(&s.f.tm, s.copy), "%s: room for %zu",
				k->format->name, room);
			refused++;
		} else {
			cr_assert(status == PW_OK && made == 1);
			undo();
			cr_assert(test_memory_tables_equal(&s.f.tm, s.copy));
		}
		pw_flush_done(&s.f.space, &s.f.flush);
		end();
	}
	cr_assert(refused > 4);
}

Test(build_join_undo, no_room_in_the_journal)
{
	for (unsigned live = 0; live < 2; live++) {
		crowded(&napot, live);
		crowded(&hint, live);
		crowded(&stage2, live);
	}
}

/* ---- Marked while it is formed ---- */

/* The harvest finds it, of whatever page and whenever it was. */
Test(build_join_undo, marked_while_formed)
{
	for (unsigned entry = 0; entry < 16; entry++) {
		for (uint64_t when = 1; when <= 17; when++) {
			struct pw_marks marks = {.clear = PW_MARK_DIRTY};

			begin(&napot, false, true, RV_D, 0);
			s.marked = fixture_look(&s.f, entry * 4 * KIB).entry_pa;
			s.when = when;
			s.set = RV_D;
			cr_assert(join_collapse(&s.f, &napot, 0, 64 * KIB) == 1);
			s.when = 0;
			cr_assert(pw_harvest(&s.f.space, 0, 64 * KIB, &marks, &s.f.flush) == PW_OK);
			cr_assert(marks.dirty_pages == (when <= s.exchanges ? 16 : 0) || when > 16,
				"entry %u, %llu", entry, (unsigned long long)when);
			end();
		}
	}
}

/*
 * A page that becomes writable in between (DBM) is no longer like the others: all stay single, with
 * the marks that each had.
 */
Test(build_join_undo, written_while_formed)
{
	const uint64_t accessed = 1 << 10, odd = DBM | S2_WRITE, bits = odd | JOIN_HINT | accessed;

	for (uint64_t when = 1; when <= 16; when++) {
		begin(&stage2, false, true, S2_WRITE, DBM);
		for (pw_va va = 0; va < 64 * KIB; va += 12 * KIB)
			mark(va, accessed, 0);
		s.marked = fixture_look(&s.f, (when - 1) * 4 * KIB).entry_pa;
		s.when = when;
		s.set = S2_WRITE;
		cr_assert(join_collapse(&s.f, &stage2, 0, 64 * KIB) == 0);
		cr_assert(s.flushes == (when > 1));
		for (uint64_t n = 0; n < 16; n++) {
			uint64_t entry = fixture_entry(&s.f, n * 4 * KIB);

			cr_assert((entry & bits) ==
				  ((n == when - 1 ? odd : DBM) | (n % 3 ? accessed : 0)));
		}
		end();
	}
}
