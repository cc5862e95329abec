/* SPDX-License-Identifier: MIT */
/* The walk whose handlers change entries: what is written, where, and what is never written. */
#include "ram.h"
#include <criterion/criterion.h>
#include <string.h>

#define BASE  UINT64_C(0x400000)
#define BYTES (UINT64_C(16) << 12)

struct stage {
	struct ram ram;
	struct pw_space space;
	pw_pa root, page_entry, huge_entry;
	unsigned calls;

	/* What the handlers do. */
	uint64_t clear, set;
	uint8_t only_level; /* PW_MAX_LEVELS: every level */
	int answer;
	pw_pa interfere_at; /* if not 0: the entry there changes while the handler runs */
};

static int change(struct stage *s, struct pw_visit *visit)
{
	s->calls++;
	if (s->only_level == PW_MAX_LEVELS || s->only_level == visit->level) {
		visit->entry &= ~s->clear;
		visit->entry |= s->set;
	}
	if (s->interfere_at && s->interfere_at == visit->entry_pa)
		ram_store(
			&s->ram, s->interfere_at, 8, ram_load(&s->ram, s->interfere_at, 8) ^ PTE_A);
	return s->answer;
}

static int on_entry(void *ctx, struct pw_visit *visit)
{
	return change(ctx, visit);
}

/* As a protect or unmap would have it: present entries are changed, holes are not. */
static struct pw_walker_mut present_only(struct stage *s)
{
	return (struct pw_walker_mut){.handle_pte = on_entry, .ctx = s};
}

static void stage_begin(struct stage *s)
{
	const struct pw_format *f = &pw_format_x86_64;

	*s = (struct stage){.only_level = PW_MAX_LEVELS};
	ram_begin(&s->ram, BASE, BYTES);
	s->root = ram_new_table(&s->ram, 4096);
	s->page_entry = ram_enter(&s->ram, f, s->root, 0x3000, 0, 0x9000 | PTE_PW);
	s->huge_entry = ram_enter(&s->ram, f, s->root, 0x200000, 1, 0x80000000 | PTE_PW | PTE_PS);
	cr_assert(pw_space_init(&s->space, f, s->root, &s->ram.callbacks) == PW_OK);
}

Test(walk_mut, an_unchanged_entry_is_not_written)
{
	struct stage s;
	struct pw_walker_mut walker;

	stage_begin(&s);
	walker = present_only(&s);
	walker.handle_pte_hole = on_entry;
	walker.handle_post_pte = on_entry;
	cr_assert(pw_walk_mut(&s.space, 0, 0x3fffff, &walker) == PW_OK);
	cr_assert_eq(s.calls, 511u + 1 + 1 + 3 + 3);
	cr_assert_eq(s.ram.writes, 0u);
	ram_end(&s.ram);
}

Test(walk_mut, a_changed_entry_goes_where_it_came_from)
{
	struct stage s;
	struct pw_walker_mut walker;
	uint8_t before[BYTES];

	stage_begin(&s);
	walker = present_only(&s);
	s.clear = PTE_W;
	s.only_level = 0;
	memcpy(before, s.ram.bytes, BYTES);
	cr_assert(pw_walk_mut(&s.space, 0, 0x1fffff, &walker) == PW_OK);
	cr_assert_eq(s.ram.writes, 1u);
	cr_assert_eq(s.ram.log[0].pa, s.page_entry);
	cr_assert_eq(s.ram.log[0].entry, 0x9000 | PTE_P);
	ram_store(&s.ram, s.page_entry, 8, 0x9000 | PTE_PW);
	cr_assert(memcmp(before, s.ram.bytes, BYTES) == 0, "nothing else was touched");
	ram_end(&s.ram);
}

Test(walk_mut, tables_are_changed_in_their_own_place_too)
{
	struct stage s;
	struct pw_walker_mut walker;

	stage_begin(&s);
	walker = present_only(&s);
	s.set = PTE_A;
	cr_assert(pw_walk_mut(&s.space, 0x3000, 0x3fff, &walker) == PW_OK);
	cr_assert_eq(s.ram.writes, 4u);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(ram_load(&s.ram, s.ram.log[i].pa, 8), s.ram.log[i].entry);
	cr_assert_eq(s.ram.log[0].pa, s.root);
	cr_assert_eq(s.ram.log[0].entry & ~PTE_A & 0xfff, PTE_PWU);
	cr_assert_eq(s.ram.log[3].pa, s.page_entry);
	ram_end(&s.ram);
}

Test(walk_mut, holes_are_not_followed_to_page_zero)
{
	struct stage s;
	struct pw_walker_mut walker;

	stage_begin(&s);
	/* Physical page 0 exists here: the memory begins at it. */
	s.ram.base = s.ram.window.base = 0;
	cr_assert(pw_space_init(&s.space, &pw_format_x86_64, 0xf000, &s.ram.callbacks) == PW_OK);
	walker = present_only(&s);
	walker.handle_post_pte = on_entry;
	s.clear = UINT64_MAX;
	cr_assert(pw_walk_mut(&s.space, 0, UINT64_MAX, &walker) == PW_OK);
	cr_assert_eq(s.ram.writes, 0u);
	cr_assert_eq(s.calls, 0u);
	cr_assert_eq(s.ram.reads, 512u, "the root and nothing else");
	ram_end(&s.ram);
}

/* ---- Handlers that change the tree ---- */

struct builder {
	pw_pa table;
	unsigned pages, posts;
};

static int make_table(void *ctx, struct pw_visit *visit)
{
	struct builder *b = ctx;

	if (visit->level == 1 && visit->kind != PW_TABLE)
		visit->entry = b->table | PTE_PWU;
	b->pages += visit->level == 0 && visit->kind == PW_PAGE;
	return 0;
}

static int count_post(void *ctx, struct pw_visit *visit)
{
	struct builder *b = ctx;

	b->posts += visit->level == 1 && visit->entry == (b->table | PTE_PWU);
	return 0;
}

Test(walk_mut, a_hole_or_page_made_a_table_is_descended_into)
{
	struct stage s;
	struct builder b = {.pages = 0};
	struct pw_walker_mut walker = {.handle_pte = make_table,
		.handle_pte_hole = make_table,
		.handle_post_pte = count_post,
		.ctx = &b};

	stage_begin(&s);
	b.table = ram_new_table(&s.ram, 4096);
	ram_store(&s.ram, b.table, 8, 0xa000 | PTE_PW);
	ram_store(&s.ram, b.table + 8, 8, 0xb000 | PTE_PW);
	/* 2 MiB are a huge page, the next 2 MiB a hole. */
	cr_assert(pw_walk_mut(&s.space, 0x200000, 0x5fffff, &walker) == PW_OK);
	cr_assert_eq(s.ram.writes, 2u);
	cr_assert_eq(s.ram.log[0].pa, s.huge_entry);
	cr_assert_eq(b.pages, 4u);
	cr_assert_eq(b.posts, 2u);
	ram_end(&s.ram);
}

Test(walk_mut, a_table_made_a_hole_is_not_descended_into)
{
	struct stage s;
	struct pw_walker_mut walker;

	stage_begin(&s);
	walker = present_only(&s);
	s.clear = PTE_P;
	s.only_level = 2;
	cr_assert(pw_walk_mut(&s.space, 0, 0x3fffff, &walker) == PW_OK);
	cr_assert_eq(s.calls, 2u);
	cr_assert_eq(s.ram.reads, 2u + 1, "the third read is the comparison before the write");
	cr_assert_eq(s.ram.writes, 1u);
	ram_end(&s.ram);
}

Test(walk_mut, a_table_can_be_unlinked_when_it_is_left)
{
	struct stage s;
	struct pw_walker_mut walker = {.handle_post_pte = on_entry, .ctx = &s};

	stage_begin(&s);
	s.clear = UINT64_MAX;
	s.only_level = 1;
	cr_assert(pw_walk_mut(&s.space, 0, 0x3fffff, &walker) == PW_OK);
	cr_assert_eq(s.ram.writes, 1u);
	cr_assert_eq(s.ram.log[0].entry, 0u);
	cr_assert_eq(ram_load(&s.ram, s.page_entry, 8), 0x9000 | PTE_PW, "the table itself stays");
	ram_end(&s.ram);
}

Test(walk_mut, a_table_changed_when_it_is_left_is_not_walked_again)
{
	struct stage s;
	struct pw_walker_mut walker = {.handle_post_pte = on_entry, .ctx = &s, .budget = 100};

	stage_begin(&s);
	s.set = PTE_A;
	cr_assert(pw_walk_mut(&s.space, 0x3000, 0x3fff, &walker) == PW_OK);
	cr_assert_eq(s.calls, 3u);
	cr_assert_eq(s.ram.writes, 3u);
	ram_end(&s.ram);
}

/* ---- Writes that fail ---- */

Test(walk_mut, a_concurrent_change_is_not_overwritten)
{
	struct stage s;
	struct pw_walker_mut walker;

	for (int exchange = 0; exchange < 3; exchange++) {
		stage_begin(&s);
		if (exchange == 1)
			s.ram.callbacks.exchange_pte = ram_exchange_pte;
		if (exchange == 2)
			cr_assert(pw_space_init(&s.space, &pw_format_x86_64, s.root,
					  &s.ram.windows) == PW_OK);
		walker = present_only(&s);
		s.clear = PTE_W;
		s.only_level = 0;
		s.interfere_at = s.page_entry;
		cr_assert(pw_walk_mut(&s.space, 0x1000, 0x4fff, &walker) == PW_UNSTABLE);
		cr_assert_eq(walker.position, 0x3000u);
		cr_assert_eq(walker.code, 0);
		cr_assert_eq(ram_load(&s.ram, s.page_entry, 8), 0x9000 | PTE_PW | PTE_A);
		s.interfere_at = 0;
		cr_assert(pw_walk_mut(&s.space, walker.position, 0x4fff, &walker) == PW_OK);
		cr_assert_eq(ram_load(&s.ram, s.page_entry, 8), 0x9000 | PTE_P | PTE_A);
		ram_end(&s.ram);
	}
}

Test(walk_mut, a_change_inside_the_exchange_is_not_overwritten_either)
{
	struct stage s;
	struct pw_walker_mut walker;

	stage_begin(&s);
	s.ram.callbacks.exchange_pte = ram_exchange_pte;
	s.ram.interfere = PTE_D;
	walker = present_only(&s);
	s.clear = PTE_W;
	s.only_level = 0;
	cr_assert(pw_walk_mut(&s.space, 0x3000, 0x3fff, &walker) == PW_UNSTABLE);
	cr_assert_eq(ram_load(&s.ram, s.page_entry, 8), 0x9000 | PTE_PW | PTE_D);
	ram_end(&s.ram);
}

static void expect_read_only(struct stage *s, const struct pw_memory *memory)
{
	struct pw_walker_mut walker = present_only(s);

	s->calls = 0;
	cr_assert(pw_space_init(&s->space, &pw_format_x86_64, s->root, memory) == PW_OK);
	cr_assert(pw_walk_mut(&s->space, 0, 0x3fffff, &walker) == PW_E_READ_ONLY);
	cr_assert_eq(walker.position, 0x3000u);
	cr_assert_eq(s->calls, 4u);
	cr_assert_eq(s->ram.writes, 0u);
	cr_assert_eq(ram_load(&s->ram, s->page_entry, 8), 0x9000 | PTE_PW);
}

Test(walk_mut, read_only_memory_is_not_written)
{
	struct stage s;
	struct pw_memory memory;

	stage_begin(&s);
	s.clear = PTE_W;
	s.only_level = 0;
	s.ram.window.read_only = true;
	expect_read_only(&s, &s.ram.windows);
	/* A read-only window is not opened again by a callback. */
	memory = s.ram.callbacks;
	memory.windows = &s.ram.window;
	memory.window_count = 1;
	expect_read_only(&s, &memory);
	memory = s.ram.callbacks;
	memory.write_pte = NULL;
	expect_read_only(&s, &memory);
	ram_end(&s.ram);
}

Test(walk_mut, the_change_counts_when_the_handler_stops_and_not_when_it_fails)
{
	struct stage s;
	struct pw_walker_mut walker;

	stage_begin(&s);
	walker = present_only(&s);
	s.set = PTE_A;
	s.answer = PW_STOP;
	cr_assert(pw_walk_mut(&s.space, 0, UINT64_MAX, &walker) == PW_OK);
	cr_assert_eq(walker.code, PW_STOP);
	cr_assert_eq(s.ram.writes, 1u);
	s.set = PTE_G;
	s.answer = 22;
	cr_assert(pw_walk_mut(&s.space, 0, UINT64_MAX, &walker) == PW_E_CALLBACK);
	cr_assert_eq(walker.code, 22);
	cr_assert_eq(s.ram.writes, 1u);
	ram_end(&s.ram);
}

Test(walk_mut, ends_as_the_constant_walk_does)
{
	struct stage s;
	struct pw_walker_mut walker;

	stage_begin(&s);
	walker = present_only(&s);
	cr_assert(pw_walk_mut(&s.space, 1, 0, &walker) == PW_E_RANGE);
	walker.budget = 3;
	cr_assert(pw_walk_mut(&s.space, 0x1000, 0x4fff, &walker) == PW_E_BUDGET);
	cr_assert_eq(s.ram.reads, 3u);
	walker.budget = 0;
	ram_store(&s.ram, s.huge_entry, 8, 0x100000000 | PTE_PWU);
	cr_assert(pw_walk_mut(&s.space, 0, UINT64_MAX, &walker) == PW_NO_MEMORY);
	cr_assert_eq(walker.position, 0x200000u);
	ram_end(&s.ram);
}

Test(walk_mut, entries_of_four_bytes_and_windows)
{
	struct stage s;
	struct pw_walker_mut walker;
	pw_pa root, place;

	stage_begin(&s);
	root = ram_new_table(&s.ram, 4096);
	place = ram_enter(&s.ram, &pw_format_x86_32, root, 0xfffff000, 0, 0xd000 | PTE_PW);
	ram_store(&s.ram, place - 4, 4, 0xc000 | PTE_PW);
	cr_assert(pw_space_init(&s.space, &pw_format_x86_32, root, &s.ram.windows) == PW_OK);
	walker = present_only(&s);
	s.clear = PTE_W;
	s.only_level = 0;
	cr_assert(pw_walk_mut(&s.space, 0xfffff000, UINT64_MAX, &walker) == PW_OK);
	cr_assert_eq(ram_load(&s.ram, place, 4), 0xd000 | PTE_P);
	cr_assert_eq(ram_load(&s.ram, place - 4, 4), 0xc000 | PTE_PW, "the neighbour stays");
	ram_end(&s.ram);
}

/* ---- Entries that stand nowhere ---- */

Test(walk_mut, what_is_no_entry_in_memory_is_not_written_to_page_zero)
{
	struct pw_x86_state state = {.cr0 = PW_CR0_PE | PW_CR0_PG | PW_CR0_WP,
		.cr4 = PW_CR4_PAE,
		.pdpte_loaded = true,
		.pdpte = {0x1000 | PTE_P}};
	struct pw_walker_mut walker;
	struct stage s;

	stage_begin(&s);
	s.ram.base = s.ram.window.base = 0;
	ram_store(&s.ram, 0, 8, 0x1000 | PTE_P); /* what the register was loaded from */
	s.set = PTE_A;
	walker = present_only(&s);
	for (int paging = 0; paging < 2; paging++) {
		state.cr0 ^= PW_CR0_PG;
		cr_assert(pw_space_init_x86(&s.space, &state, &s.ram.windows, NULL) == PW_OK);
		cr_assert(pw_walk_mut(&s.space, 0, UINT64_MAX, &walker) == PW_E_UNSUPPORTED);
		cr_assert_eq(ram_load(&s.ram, 0, 8), 0x1000 | PTE_P);
	}
	s.only_level = 1; /* below the register all is as ever */
	ram_store(&s.ram, 0x1000, 8, 0x200000 | PTE_P | PTE_PS);
	cr_assert(pw_walk_mut(&s.space, 0, 0x1fffff, &walker) == PW_OK);
	cr_assert_eq(ram_load(&s.ram, 0x1000, 8), 0x200000 | PTE_P | PTE_PS | PTE_A);
	ram_end(&s.ram);
}
