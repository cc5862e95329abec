/* SPDX-License-Identifier: MIT */
/* pw_translate_update(): the flags that the hardware would set, where it would set them. */
#include "ram.h"
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>

#define BASE  UINT64_C(0x100000)
#define BYTES (UINT64_C(64) << 12)
#define FRAME UINT64_C(0x40000000) /* of a page of whatever size; need not exist */
#define TRIES 3

#define READ  PW_ACCESS_READ
#define WRITE PW_ACCESS_WRITE
#define FETCH PW_ACCESS_FETCH
#define USER  PW_ACCESS_USER

/* One page, mapped at `va`, and where its entries stand, by level. */
struct stage {
	struct ram ram;
	struct pw_space space;
	pw_va va;
	pw_pa root, at[PW_MAX_LEVELS];
	uint64_t before[PW_MAX_LEVELS];
	unsigned level; /* of the page */
};

static void note_entries(struct stage *s)
{
	const struct pw_format *f = s->space.format;
	pw_pa table = s->root;

	for (unsigned level = f->levels; level-- > s->level;) {
		s->at[level] = table + pw_level_index(&f->level[level], s->va) * f->entry_bytes;
		s->before[level] = ram_load(&s->ram, s->at[level], f->entry_bytes);
		table = pw_entry_address(f, level, s->before[level]);
	}
}

static void begin(struct stage *s, const struct pw_format *format, pw_va va, unsigned level,
	uint64_t entry, const struct pw_rules *rules)
{
	*s = (struct stage){.va = va, .level = level};
	ram_begin(&s->ram, BASE, BYTES);
	s->root = ram_new_table(&s->ram, pw_table_bytes(format, format->levels - 1u));
	ram_enter(&s->ram, format, s->root, va, level, entry);
	cr_assert(pw_space_init_rules(&s->space, format, s->root, &s->ram.windows, rules) == PW_OK);
	note_entries(s);
}

/* Entry by entry: what was there before, and `tables` or `page` set in it. */
static void expect_added(const struct stage *s, uint64_t tables, uint64_t page, const char *what)
{
	for (unsigned level = s->level; level < s->space.format->levels; level++) {
		uint64_t now = ram_load(&s->ram, s->at[level], s->space.format->entry_bytes);
		uint64_t wanted = s->before[level] | (level == s->level ? page : tables);

		/* A PAE PDPTE has no flags. */
		if (s->space.format == &pw_format_x86_pae && level == 2)
			wanted = s->before[level];
		cr_expect(now == wanted, "%s, %s: entry at level %u is %#llx instead of %#llx",
			s->space.format->name, what, level, (unsigned long long)now,
			(unsigned long long)wanted);
	}
}

struct row {
	const struct pw_format *format;
	pw_va va;
	unsigned level;
	uint64_t entry; /* beside the frame */
	uint64_t accessed, dirty, table_accessed;
};

static const struct row rows[] = {
	{&pw_format_x86_32, 0x12345678, 0, PTE_PWU, PTE_A, PTE_D, PTE_A},
	{&pw_format_x86_32, 0x12345678, 1, PTE_PWU | PTE_PS, PTE_A, PTE_D, PTE_A},
	{&pw_format_x86_pae, 0x92345678, 0, PTE_PWU, PTE_A, PTE_D, PTE_A},
	{&pw_format_x86_pae, 0x92345678, 1, PTE_PWU | PTE_PS, PTE_A, PTE_D, PTE_A},
	{&pw_format_x86_64, 0x7fff12345678, 0, PTE_PWU, PTE_A, PTE_D, PTE_A},
	{&pw_format_x86_64, 0x7fff12345678, 1, PTE_PWU | PTE_PS, PTE_A, PTE_D, PTE_A},
	{&pw_format_x86_64, 0x7fff12345678, 2, PTE_PWU | PTE_PS, PTE_A, PTE_D, PTE_A},
	{&pw_format_x86_64_la57, 0x1234567fff1234, 0, PTE_PWU, PTE_A, PTE_D, PTE_A},
	{&pw_format_ept_4, 0x7fff12345678, 0, 0x37, 0x100, 0x200, 0x100},
	{&pw_format_ept_5, 0x7fff12345678, 1, 0xb7, 0x100, 0x200, 0x100},
};

static void begin_row(struct stage *s, const struct row *row, uint64_t more)
{
	begin(s, row->format, row->va, row->level, FRAME | row->entry | more, NULL);
}

static enum pw_status update(const struct stage *s, pw_access access, struct pw_result *r)
{
	return pw_translate_update(&s->space, s->va, access, TRIES, r);
}

static bool dirty(const struct pw_result *r)
{
	return r->flags & PW_RESULT_DIRTY;
}

Test(live_update, accessed_everywhere_and_dirty_in_the_page)
{
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		struct pw_result r;
		struct stage s;

		begin_row(&s, row, 0);
		cr_assert(update(&s, READ, &r) == PW_OK);
		expect_added(&s, row->table_accessed, row->accessed, "read");
		cr_expect(r.flags & PW_RESULT_ACCESSED && !dirty(&r));
		cr_assert(update(&s, FETCH, &r) == PW_OK);
		expect_added(&s, row->table_accessed, row->accessed, "fetch");
		cr_assert(update(&s, WRITE, &r) == PW_OK);
		expect_added(&s, row->table_accessed, row->accessed | row->dirty, "write");
		cr_expect(r.flags & PW_RESULT_ACCESSED && dirty(&r));
		cr_expect(r.entry == ram_load(&s.ram, r.entry_pa, row->format->entry_bytes));
		ram_end(&s.ram);
	}
}

Test(live_update, a_refused_access_leaves_no_mark)
{
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		bool ept = row->format->family == PW_FAMILY_EPT;
		struct pw_result r;
		struct stage s;

		/* Read-only; supervisor's, where there are users; then no page at all. */
		begin_row(&s, row, 0);
		ram_store(&s.ram, s.at[row->level], row->format->entry_bytes,
			s.before[row->level] & ~(PTE_W | (ept ? 0 : PTE_U)));
		note_entries(&s);
		cr_expect(update(&s, WRITE | (ept ? 0 : USER), &r) == PW_PROTECTION);
		expect_added(&s, 0, 0, "refused");
		ram_store(&s.ram, s.at[row->level], row->format->entry_bytes, 0);
		note_entries(&s);
		cr_expect(update(&s, READ, &r) == PW_NOT_PRESENT);
		expect_added(&s, 0, 0, "not present");
		ram_end(&s.ram);
	}
}

Test(live_update, a_write_without_write_protection_makes_a_read_only_page_dirty)
{
	const struct pw_x86_state state = {
		.cr0 = PW_CR0_PE | PW_CR0_PG,
		.cr3 = BASE,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_LME | PW_EFER_LMA | PW_EFER_NXE,
	};
	struct pw_result r;
	struct stage s;

	begin(&s, &pw_format_x86_64, 0x5000, 0, FRAME | PTE_P, NULL);
	cr_assert(pw_space_init_x86(&s.space, &state, &s.ram.windows, NULL) == PW_OK);
	cr_expect(update(&s, WRITE, &r) == PW_OK);
	expect_added(&s, PTE_A, PTE_A | PTE_D, "write");
	ram_end(&s.ram);
}

Test(live_update, riscv_marks_the_page_and_only_if_hardware_does)
{
	const struct pw_rules hardware = {.riscv_hardware_ad = true};
	const uint64_t page = FRAME >> 2 | 0x17; /* V R W, U */
	struct pw_result r;
	struct stage s;

	begin(&s, &pw_format_riscv_sv48, 0x7fff12345678, 0, page, NULL);
	cr_expect(update(&s, READ | USER, &r) == PW_ACCESS_FLAG);
	expect_added(&s, 0, 0, "software's flags");
	ram_end(&s.ram);
	begin(&s, &pw_format_riscv_sv48, 0x7fff12345678, 0, page, &hardware);
	cr_expect(update(&s, READ | USER, &r) == PW_OK);
	expect_added(&s, 0, 0x40, "read");
	cr_expect(update(&s, WRITE | USER, &r) == PW_OK);
	expect_added(&s, 0, 0xc0, "write");
	cr_expect(dirty(&r));
	ram_end(&s.ram);
}

Test(live_update, arm_gets_its_access_flag_and_keeps_its_dirty_bits)
{
	const struct pw_rules software = {.arm_access_flag_fault = true};
	const uint64_t page = FRAME | 0x43; /* valid page, user read and write, AF clear */
	struct pw_result r;
	struct stage s;

	begin(&s, &pw_format_arm64_4k, 0x7fff12345678, 0, page, NULL);
	cr_expect(update(&s, WRITE | USER, &r) == PW_OK);
	expect_added(&s, 0, 0x400, "write");
	ram_end(&s.ram);
	begin(&s, &pw_format_arm64_4k, 0x7fff12345678, 0, page, &software);
	cr_expect(update(&s, WRITE | USER, &r) == PW_ACCESS_FLAG);
	expect_added(&s, 0, 0, "software's flag");
	ram_end(&s.ram);
}

Test(live_update, big_endian_entries_get_their_flags_too)
{
	struct pw_format format = pw_format_x86_64;
	struct pw_space space;
	struct ram ram;
	uint64_t entry[2];

	format.big_endian = true;
	format.levels = 1;
	format.va_bits = 21;
	format.extension = PW_ZERO_EXTENDED;
	ram_begin(&ram, BASE, BYTES);
	ram_store(&ram, BASE + 8, 8, __builtin_bswap64(FRAME | PTE_PW));
	cr_assert(pw_space_init(&space, &format, BASE, &ram.windows) == PW_OK);
	cr_expect(pw_translate_update(&space, 0x1000, WRITE, 1, NULL) == PW_OK);
	entry[0] = __builtin_bswap64(ram_load(&ram, BASE + 8, 8));
	cr_expect(entry[0] == (FRAME | PTE_PW | PTE_A | PTE_D));
	ram_end(&ram);
}

Test(live_update, memory_that_cannot_be_written_is_passed_over)
{
	struct pw_result r;
	struct stage s;

	begin_row(&s, &rows[4], 0);
	s.ram.window.read_only = true;
	cr_assert(pw_space_init(&s.space, rows[4].format, s.root, &s.ram.windows) == PW_OK);
	cr_expect(update(&s, WRITE, &r) == PW_OK);
	expect_added(&s, 0, 0, "read-only window");
	cr_expect(r.pa == (FRAME | 0x678) && !(r.flags & PW_RESULT_ACCESSED) && !dirty(&r));
	s.ram.callbacks.write_pte = NULL;
	cr_assert(pw_space_init(&s.space, rows[4].format, s.root, &s.ram.callbacks) == PW_OK);
	cr_expect(update(&s, WRITE, &r) == PW_OK);
	expect_added(&s, 0, 0, "no way to write");
	ram_end(&s.ram);
}

Test(live_update, pdpte_registers_are_not_memory)
{
	struct pw_x86_state state = {
		.cr0 = PW_CR0_PE | PW_CR0_PG,
		.cr3 = BASE,
		.cr4 = PW_CR4_PAE,
		.pdpte_loaded = true,
	};
	struct pw_result r;
	struct stage s;

	begin_row(&s, &rows[2], 0);
	for (unsigned i = 0; i < 4; i++)
		state.pdpte[i] = ram_load(&s.ram, s.root + 8 * i, 8);
	cr_assert(pw_space_init_x86(&s.space, &state, &s.ram.windows, NULL) == PW_OK);
	ram_store(&s.ram, s.at[2], 8, 0); /* the registers still have it */
	s.before[2] = 0;
	cr_expect(update(&s, WRITE, &r) == PW_OK);
	expect_added(&s, PTE_A, PTE_A | PTE_D, "write");
	ram_end(&s.ram);
}

/* ---- Somebody else changes the entry between our load and our store ---- */

struct rival {
	struct ram *ram;
	unsigned times; /* that it still comes first */
	uint64_t entry; /* what it writes */
};

static bool read_rivalled(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct rival *rival = ctx;

	return rival->ram->callbacks.read_pte(rival->ram, pa, bytes, entry);
}

static bool exchange_rivalled(
	void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired)
{
	struct rival *rival = ctx;

	if (rival->times > 0) {
		rival->times--;
		rival->entry += UINT64_C(0x1000);
		ram_store(rival->ram, pa, bytes, rival->entry);
	}
	return ram_exchange_pte(rival->ram, pa, bytes, expected, desired);
}

Test(live_update, a_lost_race_restarts_the_walk)
{
	struct rival rival = {.times = TRIES - 1, .entry = FRAME | PTE_PWU};
	struct pw_memory memory = {
		.read_pte = read_rivalled, .exchange_pte = exchange_rivalled, .ctx = &rival};
	struct pw_result r;
	struct stage s;

	begin(&s, &pw_format_x86_64, 0x5678, 0, FRAME | PTE_PWU, NULL);
	rival.ram = &s.ram;
	cr_assert(pw_space_init(&s.space, &pw_format_x86_64, s.root, &memory) == PW_OK);
	/* The tables have their flags: the race is about the page alone. */
	for (unsigned level = 1; level < 4; level++)
		ram_store(&s.ram, s.at[level], 8, s.before[level] | PTE_A);
	cr_expect(update(&s, WRITE, &r) == PW_OK);
	cr_expect(r.pa == ((FRAME + 0x2000) | 0x678), "pa %#llx", (unsigned long long)r.pa);
	cr_expect(ram_load(&s.ram, s.at[0], 8) == ((FRAME + 0x2000) | PTE_PWU | PTE_A | PTE_D));

	rival.times = TRIES;
	ram_store(&s.ram, s.at[0], 8, rival.entry);
	cr_expect(update(&s, WRITE, &r) == PW_UNSTABLE);
	cr_expect(r.status == PW_UNSTABLE && r.level == 0 && r.entry_pa == s.at[0] &&
		  r.flags == PW_RESULT_ENTRY);
	cr_expect(ram_load(&s.ram, s.at[0], 8) == rival.entry, "a mark on what was not walked");
	ram_end(&s.ram);
}

Test(live_update, nonsense_is_refused)
{
	struct pw_result r;
	struct stage s;

	begin_row(&s, &rows[4], 0);
	cr_expect(pw_translate_update(&s.space, s.va, READ, 0, &r) == PW_E_ARGUMENT);
	cr_expect(r.status == PW_E_ARGUMENT && r.level == -1);
	cr_expect(update(&s, PW_ACCESS_ANY, &r) == PW_E_ARGUMENT);
	cr_expect(update(&s, 0, &r) == PW_E_ARGUMENT);
	cr_expect(update(&s, READ | WRITE, NULL) == PW_E_ARGUMENT);
	expect_added(&s, 0, 0, "refused call");
	cr_expect(
		pw_translate_update(&s.space, UINT64_C(1) << 50, READ, 1, &r) == PW_NON_CANONICAL);
	cr_assert(pw_space_init(&s.space, &pw_format_x86_none, 0, &s.ram.windows) == PW_OK);
	cr_expect(pw_translate_update(&s.space, 0x1234, WRITE, 1, &r) == PW_OK && r.pa == 0x1234);
	ram_end(&s.ram);
}
