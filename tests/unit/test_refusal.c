/* SPDX-License-Identifier: MIT */
/* Why rights are refused: against what pw_map() takes, in every format, and in words. */
#include "build_fixture.h"

#include <stdio.h>

#include <pagewalk/refusal.h>

#define TEXT 160

static enum pw_status map_status(struct fixture *f, pw_rights rights)
{
	uint64_t page = UINT64_C(1) << f->format->level[0].shift;
	enum pw_status status = pw_map(&f->space, 0, 0, page, rights, NULL);

	if (status == PW_OK)
		cr_assert(pw_unmap(&f->space, 0, page, NULL) == PW_OK);
	return status;
}

/* NEEDS and IN_FORCE: with these it goes, with fewer it does not. NOT_HAD: with none it goes. */
static void check_letters(struct fixture *f, const struct pw_refusal *r)
{
	bool needs = r->rule == PW_REFUSAL_NEEDS || r->rule == PW_REFUSAL_IN_FORCE;

	for (pw_rights more = 0; more <= PW_RIGHTS_MASK; more++) {
		enum pw_status status = map_status(f, r->wanted | more);
		bool fewer = __builtin_popcount(more & ~r->wanted) < __builtin_popcount(r->lacking);

		if (more & r->wanted)
			continue;
		if (!needs || fewer)
			cr_assert(status != PW_OK, "%s: %#x takes %#x", f->format->name, r->wanted,
				more);
		else if (more == r->lacking)
			cr_assert(status == PW_OK, "%s: %#x does not go with %#x", f->format->name,
				r->wanted, more);
	}
	for (pw_rights rights = 0; rights <= PW_RIGHTS_MASK; rights++)
		cr_assert(!(rights & r->refused) || map_status(f, rights) != PW_OK,
			"%s has %#x after all", f->format->name, rights);
	cr_assert(needs ? r->lacking && !r->refused : !r->lacking && r->refused, "%s: %#x",
		f->format->name, r->wanted);
}

/* The first piece without which it would go. */
static void check_rest(struct fixture *f, const struct pw_refusal *r, pw_rights rights)
{
	static const pw_rights piece[PW_REFUSAL_COUNT] = {
		[PW_REFUSAL_TYPE] = PW_MEM_MASK | PW_MEM_INDEX_MASK,
		[PW_REFUSAL_IPAT] = PW_IPAT,
		[PW_REFUSAL_GLOBAL] = PW_GLOBAL,
		[PW_REFUSAL_SOFTWARE] = PW_SOFTWARE_MASK,
	};

	cr_assert(piece[r->rule] & rights, "%s: %#x, %u", f->format->name, rights, r->rule);
	if (r->rule == PW_REFUSAL_TYPE)
		rights &= ~PW_IPAT; /* has no meaning without a type */
	for (unsigned after = r->rule + 1u; after < PW_REFUSAL_TABLE; after++)
		rights &= ~piece[after];
	cr_assert(map_status(f, rights) == PW_E_RIGHTS);
	cr_assert(map_status(f, rights & ~piece[r->rule]) == PW_OK, "%s: %#x without %#x",
		f->format->name, rights, piece[r->rule]);
}

static void check(struct fixture *f, pw_rights rights)
{
	uint64_t page = UINT64_C(1) << f->format->level[0].shift;
	struct pw_refusal r = {.rule = PW_REFUSAL_COUNT};
	enum pw_status status = pw_why_refused(&f->space, 0, page, rights, &r);
	char text[TEXT];

	cr_assert(status == map_status(f, rights), "%s: %#x", f->format->name, rights);
	if (status != PW_E_RIGHTS) {
		cr_assert(r.rule == PW_REFUSAL_COUNT, "untouched");
		return;
	}
	cr_assert(r.wanted == (rights & PW_RIGHTS_MASK));
	if (r.rule <= PW_REFUSAL_NOT_HAD)
		check_letters(f, &r);
	else
		check_rest(f, &r, rights);
	(void)pw_refusal_text(&f->space, &r, text, sizeof text);
	cr_assert(strstr(text, f->format->name) == text && strlen(text) < TEXT - 1, "%s", text);
}

Test(refusal, every_refusal_of_every_format_has_its_reason)
{
	static struct fixture f;
	static const pw_rights rest[] = {0, PW_GLOBAL, PW_MEM_UC, PW_MEM_WC, PW_MEM_WT, PW_MEM_WP,
		PW_MEM_WB, PW_MEM_INDEX(0), PW_MEM_INDEX(7), PW_MEM_INDEX(31), PW_MEM_WB | PW_IPAT,
		PW_IPAT, PW_SOFTWARE(1), PW_SOFTWARE(0x8000), PW_GLOBAL | PW_MEM_WP,
		PW_GLOBAL | PW_SOFTWARE(0x8000), PW_MEM_MASK};

	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (!format->levels)
			continue;
		fixture_begin(&f, format, true);
		for (pw_rights rights = 0; rights <= PW_RIGHTS_MASK; rights++) {
			for (size_t j = 0; j < sizeof rest / sizeof rest[0]; j++)
				check(&f, rights | rest[j]);
		}
		fixture_end(&f);
	}
}

static void expect_text(
	const struct pw_space *space, pw_va va, uint64_t size, pw_rights rights, const char *wanted)
{
	struct pw_refusal r;
	char text[TEXT];

	cr_assert(pw_why_refused(space, va, size, rights, &r) == PW_E_RIGHTS, "%s", wanted);
	cr_assert(strcmp(pw_refusal_text(space, &r, text, sizeof text), wanted) == 0, "%s", text);
	for (size_t room = 1; room < sizeof text; room++) {
		char cut[TEXT + 1];

		memset(cut, 'z', sizeof cut);
		(void)pw_refusal_text(space, &r, cut, room);
		cr_assert(strlen(cut) < room && strncmp(cut, wanted, strlen(cut)) == 0);
		cr_assert(cut[room] == 'z');
	}
	cr_assert(pw_refusal_text(space, &r, text, 0)[0] == '\0');
}

Test(refusal, in_words)
{
	static struct fixture f;
	static const struct {
		const struct pw_format *format;
		pw_rights rights;
		const char *text;
	} rows[] = {
		{&pw_format_ept_4, PW_W,
			"ept-4 cannot give -w-- without r: an EPT misconfiguration"},
		{&pw_format_ept_4, PW_W | PW_X,
			"ept-4 cannot give -wx- without r: an EPT misconfiguration"},
		{&pw_format_ept_4, PW_R | PW_U, "ept-4 has no such right: u"},
		{&pw_format_ept_4, PW_R | PW_GLOBAL, "ept-4 has no global pages"},
		{&pw_format_ept_4, 0,
			"ept-4 cannot give ---- without r: an entry without rights maps nothing"},
		{&pw_format_x86_32, PW_R,
			"x86-32 cannot give r--- without x: nothing forbids it there"},
		{&pw_format_x86_64, PW_W,
			"x86-64 cannot give -w-- without r: what is mapped can be read"},
		{&pw_format_x86_64, PW_R | PW_MEM_WC, "x86-64 has no memory type wc"},
		{&pw_format_x86_64, PW_R | PW_MEM_INDEX(31),
			"x86-64 has no memory type of that index"},
		{&pw_format_x86_64, PW_R | PW_MEM_UC | PW_IPAT,
			"x86-64 cannot leave out the guest's PAT"},
		{&pw_format_x86_64, PW_R | PW_SOFTWARE(1 << 10),
			"x86-64 leaves to software values up to 0x3ff"},
		{&pw_format_riscv_sv39, PW_W,
			"riscv-sv39 cannot give -w-- without r: that encoding is reserved"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fixture_begin(&f, rows[i].format, true);
		expect_text(&f.space, 0, 4 * KIB, rows[i].rights, rows[i].text);
		fixture_end(&f);
	}
}

Test(refusal, what_the_rules_of_the_space_forbid)
{
	static struct fixture f;
	struct pw_rules no_execute_only = {.ept_no_execute_only = true};
	struct pw_x86_state state = {
		.cr0 = PW_CR0_PE | PW_CR0_PG, .cr4 = PW_CR4_PAE, .efer = PW_EFER_LME | PW_EFER_LMA};
	struct pw_space space;

	fixture_begin_rules(&f, &pw_format_ept_4, true, &no_execute_only);
	expect_text(&f.space, 0, 4 * KIB, PW_X,
		"ept-4 cannot give --x- without r: this CPU has no execute-only EPT entries");
	fixture_end(&f);

	fixture_begin(&f, &pw_format_x86_64, true);
	state.cr3 = f.space.root;
	cr_assert(pw_space_init_x86(&space, &state, &f.tm.memory, NULL) == PW_OK);
	expect_text(&space, 0, 4 * KIB, PW_R | PW_W,
		"x86-64 cannot give rw-- without x: EFER.NXE is 0");
	fixture_end(&f);
}

/* The page directory's entry 0 denies writing, and serves 2 MiB. */
Test(refusal, what_a_table_denies)
{
	static struct fixture f;
	struct pw_refusal r;
	uint64_t pde;
	char text[TEXT], wanted[TEXT];

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0x100000, 8 * KIB, PW_R | PW_W, NULL) == PW_OK);
	pde = test_memory_load(&f.tm, fixture_place(&f, 0, 1), 8) & ~UINT64_C(2);
	test_memory_store(&f.tm, fixture_place(&f, 0, 1), 8, pde);

	cr_assert(pw_protect(&f.space, 0, 4 * KIB, PW_R | PW_W, NULL) == PW_E_RIGHTS);
	cr_assert(pw_why_refused(&f.space, 0, 4 * KIB, PW_R | PW_W, &r) == PW_E_RIGHTS);
	cr_assert(r.rule == PW_REFUSAL_TABLE && r.level == 1 && r.entry == pde && r.va == 0);
	(void)snprintf(wanted, sizeof wanted,
		"the table entry 0x%llx at level 1 denies rw-- to more addresses than these",
		(unsigned long long)pde);
	cr_assert(
		strcmp(pw_refusal_text(&f.space, &r, text, sizeof text), wanted) == 0, "%s", text);
	/* Met from the range's end; what serves the range alone is made to grant it. */
	cr_assert(pw_map(&f.space, 2 * MIB, 0, 4 * KIB, PW_R | PW_W, NULL) == PW_OK);
	pde = test_memory_load(&f.tm, fixture_place(&f, 2 * MIB, 1), 8) & ~UINT64_C(2);
	test_memory_store(&f.tm, fixture_place(&f, 2 * MIB, 1), 8, pde);
	cr_assert(pw_why_refused(&f.space, 0, 3 * MIB, PW_R | PW_W, &r) == PW_E_RIGHTS);
	cr_assert(r.rule == PW_REFUSAL_TABLE && r.entry == pde && r.va == 3 * MIB - 1);
	cr_assert(pw_protect(&f.space, 0, 3 * MIB, PW_R | PW_W, NULL) == PW_E_RIGHTS);
	cr_assert(pw_why_refused(&f.space, 0, 4 * MIB, PW_R | PW_W, &r) == PW_OK);
	cr_assert(pw_protect(&f.space, 0, 4 * MIB, PW_R | PW_W, NULL) == PW_OK);
	fixture_end(&f);
}

Test(refusal, what_is_asked_wrongly)
{
	static struct fixture f;
	struct pw_refusal r;

	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_why_refused(NULL, 0, 4 * KIB, PW_R, &r) == PW_E_ARGUMENT);
	cr_assert(pw_why_refused(&f.space, 0, 0, PW_R, &r) == PW_E_RANGE);
	cr_assert(pw_why_refused(&f.space, 1, 4 * KIB, PW_R, &r) == PW_E_ALIGNMENT);
	cr_assert(pw_why_refused(&f.space, 0, 4 * KIB, PW_W, NULL) == PW_E_RIGHTS);
	cr_assert(pw_why_refused(&f.space, 0, 4 * KIB, PW_R, NULL) == PW_OK);
	cr_assert(pw_why_refused(&f.space, 0, 4 * KIB, PW_R | PW_REPLACE, NULL) == PW_OK);
	fixture_end(&f);
}
