/* SPDX-License-Identifier: MIT */
/* The walk with callbacks over constant tables: order, ranges, and every way to end. */
#include "ram.h"
#include <criterion/criterion.h>

#define BASE       UINT64_C(0x400000)
#define EVENTS_MAX 64

/* One call of a handler: 'e' entry, 'h' hole, 'p' post. */
struct event {
	char handler;
	uint8_t level, kind;
	pw_va first, last;
	pw_pa pa;
};

struct stage {
	struct ram ram;
	struct pw_space space;
	pw_pa root;
	struct event events[EVENTS_MAX];
	unsigned count;
	unsigned answer_at; /* the call, counted from 1, that is answered by `answer` */
	int answer;
};

static int note(struct stage *s, char handler, const struct pw_visit *visit)
{
	cr_assert(s->count < EVENTS_MAX, "too many calls");
	cr_assert(visit->space == &s->space);
	s->events[s->count++] = (struct event){
		handler, visit->level, visit->kind, visit->first, visit->last, visit->pa};
	return s->count == s->answer_at ? s->answer : 0;
}

static int on_pte(void *ctx, const struct pw_visit *visit)
{
	return note(ctx, 'e', visit);
}

static int on_hole(void *ctx, const struct pw_visit *visit)
{
	return note(ctx, 'h', visit);
}

static int on_post(void *ctx, const struct pw_visit *visit)
{
	return note(ctx, 'p', visit);
}

static struct pw_walker all_handlers(struct stage *s)
{
	return (struct pw_walker){
		.handle_pte = on_pte,
		.handle_pte_hole = on_hole,
		.handle_post_pte = on_post,
		.ctx = s,
	};
}

/* Two pages, a huge page, a BAD entry; the rest of the first 4 MiB + 8 KiB are holes. */
static void stage_begin(struct stage *s)
{
	const struct pw_format *f = &pw_format_x86_64;

	*s = (struct stage){.count = 0};
	ram_begin(&s->ram, BASE, UINT64_C(16) << 12);
	s->root = ram_new_table(&s->ram, 4096);
	ram_enter(&s->ram, f, s->root, 0x200000, 1, 0x80000000 | PTE_PW | PTE_PS | PTE_PAT);
	ram_enter(&s->ram, f, s->root, 0x400000, 0, 0x5000 | PTE_PWU);
	ram_enter(&s->ram, f, s->root, 0x401000, 0, 0x9000 | PTE_P);
	ram_enter(&s->ram, f, s->root, 0x600000, 1, 0x80002000 | PTE_P | PTE_PS); /* BAD */
	cr_assert(pw_space_init(&s->space, f, s->root, &s->ram.callbacks) == PW_OK);
}

static void expect_events(const struct stage *s, const struct event *wanted, unsigned count)
{
	for (unsigned i = 0; i < count && i < s->count; i++) {
		const struct event *is = &s->events[i], *be = &wanted[i];

		cr_expect(is->handler == be->handler && is->level == be->level &&
				  is->kind == be->kind && is->first == be->first &&
				  is->last == be->last,
			"call %u: %c level %u kind %u [%#llx, %#llx]", i, is->handler, is->level,
			is->kind, (unsigned long long)is->first, (unsigned long long)is->last);
		cr_expect(be->kind != PW_PAGE || is->pa == be->pa, "call %u: pa %#llx", i,
			(unsigned long long)is->pa);
	}
	cr_assert_eq(s->count, count, "%u calls", s->count);
}

Test(walk, calls_come_in_order_with_exact_ranges)
{
	const struct event wanted[] = {
		{'e', 3, PW_TABLE, 0x1ff800, 0x4017ff, 0},
		{'e', 2, PW_TABLE, 0x1ff800, 0x4017ff, 0},
		{'h', 1, PW_HOLE, 0x1ff800, 0x1fffff, 0},
		{'e', 1, PW_PAGE, 0x200000, 0x3fffff, 0x80000000},
		{'e', 1, PW_TABLE, 0x400000, 0x4017ff, 0},
		{'e', 0, PW_PAGE, 0x400000, 0x400fff, 0x5000},
		{'e', 0, PW_PAGE, 0x401000, 0x4017ff, 0x9000},
		{'p', 1, PW_TABLE, 0x400000, 0x4017ff, 0},
		{'p', 2, PW_TABLE, 0x1ff800, 0x4017ff, 0},
		{'p', 3, PW_TABLE, 0x1ff800, 0x4017ff, 0},
	};
	struct stage s;
	struct pw_walker walker;

	stage_begin(&s);
	walker = all_handlers(&s);
	cr_assert(pw_walk(&s.space, 0x1ff800, 0x4017ff, &walker) == PW_OK);
	expect_events(&s, wanted, sizeof wanted / sizeof wanted[0]);
	cr_assert_eq(walker.code, 0);
	cr_assert_eq(s.ram.reads, 7u, "one read an entry");
	cr_assert_eq(s.ram.writes, 0u);
	ram_end(&s.ram);
}

Test(walk, a_bad_entry_is_shown_and_not_descended_into)
{
	const struct event wanted[] = {
		{'e', 3, PW_TABLE, 0x600000, 0x600000, 0},
		{'e', 2, PW_TABLE, 0x600000, 0x600000, 0},
		{'e', 1, PW_BAD, 0x600000, 0x600000, 0},
		{'p', 2, PW_TABLE, 0x600000, 0x600000, 0},
		{'p', 3, PW_TABLE, 0x600000, 0x600000, 0},
	};
	struct stage s;
	struct pw_walker walker;

	stage_begin(&s);
	walker = all_handlers(&s);
	cr_assert(pw_walk(&s.space, 0x600000, 0x600000, &walker) == PW_OK);
	expect_events(&s, wanted, 5);
	ram_end(&s.ram);
}

Test(walk, what_a_handler_sees_of_a_page)
{
	struct stage s;
	struct pw_walker walker;

	stage_begin(&s);
	walker = all_handlers(&s);
	walker.handle_pte = NULL; /* a NULL handler is not called */
	walker.handle_post_pte = NULL;
	cr_assert(pw_walk(&s.space, 0x400000, 0x401fff, &walker) == PW_OK);
	cr_assert_eq(s.count, 0u);
	walker.handle_pte_hole = NULL;
	cr_assert(pw_walk(&s.space, 0, UINT64_MAX, &walker) == PW_OK);
	ram_end(&s.ram);
}

/* ---- Ends ---- */

Test(walk, stop_ends_it_well_and_position_resumes)
{
	struct stage s;
	struct pw_walker walker;

	stage_begin(&s);
	walker = all_handlers(&s);
	s.answer_at = 6;
	s.answer = PW_STOP;
	cr_assert(pw_walk(&s.space, 0x200000, 0x401fff, &walker) == PW_OK);
	cr_assert_eq(walker.code, PW_STOP);
	cr_assert_eq(walker.position, 0x401000u);
	cr_assert_eq(s.count, 6u);
	s.answer_at = 0;
	cr_assert(pw_walk(&s.space, walker.position, 0x401fff, &walker) == PW_OK);
	cr_assert_eq(walker.code, 0);
	cr_assert_eq(s.events[9].first, 0x401000u, "the entry where it stopped is shown again");
	cr_assert_eq(s.events[9].level, 0);
	ram_end(&s.ram);
}

Test(walk, a_failing_handlers_code_is_kept)
{
	struct stage s;
	struct pw_walker walker;

	stage_begin(&s);
	walker = all_handlers(&s);
	for (s.answer_at = 1; s.answer_at <= 10; s.answer_at++) {
		s.count = 0;
		s.answer = -(int)s.answer_at;
		cr_assert(pw_walk(&s.space, 0x1ff800, 0x4017ff, &walker) == PW_E_CALLBACK);
		cr_assert_eq(walker.code, s.answer);
		cr_assert_eq(s.count, s.answer_at, "no call after the failing one");
		cr_assert_eq(walker.position, s.events[s.count - 1].first);
	}
	ram_end(&s.ram);
}

static void walk_in_pieces(struct stage *s, pw_va first, pw_va last, uint64_t budget)
{
	struct pw_walker walker = {
		.handle_pte = on_pte, .handle_pte_hole = on_hole, .ctx = s, .budget = budget};
	uint64_t reads;
	enum pw_status status;

	do {
		reads = s->ram.reads;
		status = pw_walk(&s->space, first, last, &walker);
		cr_assert(s->ram.reads - reads <= budget, "budget %u: %u reads", (unsigned)budget,
			(unsigned)(s->ram.reads - reads));
		cr_assert(status == PW_OK || (status == PW_E_BUDGET && walker.position > first),
			"budget %u: no progress", (unsigned)budget);
		first = walker.position;
	} while (status != PW_OK);
}

static unsigned without_tables(struct stage *s)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < s->count; i++) {
		if (s->events[i].kind != PW_TABLE)
			s->events[kept++] = s->events[i];
	}
	s->count = kept;
	return kept;
}

Test(walk, a_budget_is_exact_and_position_resumes_without_a_gap)
{
	struct stage whole, pieces;

	stage_begin(&whole);
	stage_begin(&pieces);
	walk_in_pieces(&whole, 0x1ff800, 0x407fff, 1000);
	cr_assert_eq(without_tables(&whole), 10u);
	for (uint64_t budget = 4; budget <= 14; budget++) {
		pieces.count = 0;
		walk_in_pieces(&pieces, 0x1ff800, 0x407fff, budget);
		without_tables(&pieces);
		expect_events(&pieces, whole.events, whole.count);
	}
	ram_end(&whole.ram);
	ram_end(&pieces.ram);
}

Test(walk, a_budget_that_just_suffices_is_no_failure)
{
	struct stage s;
	struct pw_walker walker;

	stage_begin(&s);
	walker = all_handlers(&s);
	walker.budget = 7;
	cr_assert(pw_walk(&s.space, 0x1ff800, 0x4017ff, &walker) == PW_OK);
	cr_assert_eq(s.count, 10u);
	walker.budget = 6;
	cr_assert(pw_walk(&s.space, 0x1ff800, 0x4017ff, &walker) == PW_E_BUDGET);
	cr_assert_eq(walker.position, 0x401000u);
	ram_end(&s.ram);
}

/* An entry that leads out of memory: the walk says where, and can go on behind it. */
Test(walk, a_lost_table_ends_it_and_says_where)
{
	struct stage s;
	struct pw_walker walker;
	struct pw_result lost;
	pw_va behind;

	stage_begin(&s);
	walker = all_handlers(&s);
	ram_enter(&s.ram, &pw_format_x86_64, s.root, 0, 1, 0x100000000 | PTE_PWU);
	cr_assert(pw_walk(&s.space, 0x3000, 0x3fffff, &walker) == PW_NO_MEMORY);
	cr_assert_eq(walker.position, 0x3000u);
	cr_assert_eq(s.count, 3u, "the table entry itself can be read");
	cr_assert(pw_translate(&s.space, walker.position, PW_ACCESS_ANY, &lost) == PW_NO_MEMORY);
	behind = pw_level_last(&pw_format_x86_64.level[lost.level + 1], walker.position) + 1;
	s.count = 0;
	cr_assert(pw_walk(&s.space, behind, 0x3fffff, &walker) == PW_OK);
	cr_assert_eq(s.events[2].kind, PW_PAGE);
	ram_end(&s.ram);
}

Test(walk, first_behind_last_is_refused)
{
	struct stage s;
	struct pw_walker walker;

	stage_begin(&s);
	walker = all_handlers(&s);
	cr_assert(pw_walk(&s.space, 1, 0, &walker) == PW_E_RANGE);
	cr_assert_eq(s.count + s.ram.reads, 0u);
	ram_end(&s.ram);
}

Test(walk, holes_are_not_walked_through)
{
	struct stage s;
	struct pw_walker walker;
	pw_pa empty;

	stage_begin(&s);
	walker = all_handlers(&s);
	empty = ram_new_table(&s.ram, 4096);
	cr_assert(pw_space_init(&s.space, &pw_format_x86_64, empty, &s.ram.callbacks) == PW_OK);
	cr_assert(pw_walk(&s.space, 0, 0x3fffffff, &walker) == PW_OK);
	cr_assert_eq(s.count, 1u);
	cr_assert_eq(s.events[0].last, 0x3fffffffu);
	cr_assert_eq(s.ram.reads, 1u);
	ram_end(&s.ram);
}

Test(walk, a_space_without_tables_is_one_page)
{
	const struct event wanted[] = {{'e', 0, PW_PAGE, 5, UINT32_MAX, 5}};
	struct stage s;
	struct pw_walker walker;

	stage_begin(&s);
	walker = all_handlers(&s);
	walker.budget = 1;
	cr_assert(pw_space_init(&s.space, &pw_format_x86_none, 0, &s.ram.callbacks) == PW_OK);
	cr_assert(pw_walk(&s.space, 5, UINT64_MAX, &walker) == PW_OK);
	expect_events(&s, wanted, 1);
	ram_end(&s.ram);
}
