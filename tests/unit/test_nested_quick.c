/* SPDX-License-Identifier: MIT */
/*
 * The quick two-stage walk against the full one, which serves whoever has callbacks alone: the same
 * answer to the last field, whatever bit of whatever entry of either stage is turned over.
 */
#include "agree.h"
#include "share.h"
#include "two_stages.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static const pw_access accesses[] = {
	PW_ACCESS_ANY,
	PW_ACCESS_READ,
	PW_ACCESS_WRITE,
	PW_ACCESS_FETCH,
	PW_ACCESS_WRITE | PW_ACCESS_USER,
	PW_ACCESS_FETCH | PW_ACCESS_USER,
	PW_ACCESS_WRITE | PW_ACCESS_IMPLICIT,
};
#define ACCESSES (sizeof accesses / sizeof accesses[0])

struct pair {
	struct stages *s;
	struct pw_space guest, quick, full; /* stage 2 twice */
	unsigned mapped, refused, turn;
};

/* Two pages, a hole, and an address that is not canonical. */
static const pw_va vas[] = {
	STAGES_SUPERVISOR_VA, STAGES_USER_VA + 0x123, 0x3000, UINT64_C(0x800000000000)};
#define VAS (sizeof vas / sizeof vas[0])

static void compare(struct pair *p, pw_pa changed)
{
	struct pw_nested_result quick, full;
	struct pw_nested_hit hit[VAS];
	/* As a share, the accesses take turns: every change is seen by some of them. */
	size_t step = share() < ACCESSES ? share() : ACCESSES;

	for (size_t n = p->turn++ % step; n < ACCESSES; n += step) {
		size_t done =
			pw_nested_translate_batch(&p->guest, &p->quick, vas, VAS, accesses[n], hit);

		for (unsigned i = 0; i < VAS; i++) {
			(void)!pw_nested_translate(
				&p->guest, &p->quick, vas[i], accesses[n], &quick);
			(void)!pw_nested_translate(&p->guest, &p->full, vas[i], accesses[n], &full);
			cr_assert(
				agree_same_nested(&quick, &full) && agree_same_hit(&hit[i], &full),
				"%s: va %#llx, access %#x, entry at %#llx is %#llx: status %u, %u "
				"in a batch, %u in full",
				p->quick.format->name, (unsigned long long)vas[i], accesses[n],
				(unsigned long long)changed,
				(unsigned long long)ram_load(&p->s->ram, changed, 8), quick.status,
				hit[i].status, full.status);
			done -= full.status == PW_OK;
			if (full.status == PW_OK)
				p->mapped++;
			else
				p->refused++;
		}
		cr_assert(eq(sz, done, 0));
	}
}

/* Each bit of each entry that there is, and each value of its lowest six. */
static void change_everything(struct pair *p)
{
	struct ram *ram = &p->s->ram;

	compare(p, 0);
	for (pw_pa pa = 0; pa < ram->next_table; pa += 8) {
		uint64_t entry = ram_load(ram, pa, 8);

		if (!entry)
			continue;
		for (unsigned bit = 0; bit < 64; bit++) {
			ram_store(ram, pa, 8, entry ^ UINT64_C(1) << bit);
			compare(p, pa);
		}
		for (unsigned low = 0; low < 64; low++) {
			ram_store(ram, pa, 8, (entry & ~UINT64_C(63)) | low);
			compare(p, pa);
		}
		ram_store(ram, pa, 8, entry);
	}
}

static void prepare(struct pair *p, const struct pw_rules *rules)
{
	const struct stages *s = p->s;

	p->guest = stages_guest(s, 0);
	cr_assert(pw_space_init_rules(&p->quick, s->format, s->root2, &s->ram.windows, rules) ==
		  PW_OK);
	cr_assert(pw_space_init_rules(&p->full, s->format, s->root2, &s->ram.callbacks, rules) ==
		  PW_OK);
}

/* Pages of every size for the page and for the guest's last table. */
static void try_rules(const struct pw_format *format, const struct pw_rules *rules)
{
	struct stages s;
	struct pair p = {.s = &s};

	for (unsigned layout = 0; layout < 6; layout++) {
		stages_begin(&s, format);
		if (layout < 3)
			stages_place(&s, layout, layout);
		else
			stages_place_table(&s, layout - 3, layout - 3);
		prepare(&p, rules);
		change_everything(&p);
		stages_end(&s);
	}
	cr_expect(p.mapped && p.refused > 1000 / share(), "%u mapped, %u refused", p.mapped,
		p.refused);
}

Test(nested_quick, ept)
{
	static const struct pw_rules rules[] = {
		{.pa_bits = 0},
		{.ept_no_accessed_dirty = true, .pa_bits = 46},
		{.ept_no_execute_only = true, .ept_advanced = true, .no_1g_pages = true},
		{.ept_no_2m_pages = true},
		{.ept_mode_based_execute = true},
	};

	for (unsigned i = 0; i < sizeof rules / sizeof rules[0]; i++)
		try_rules(&pw_format_ept_4, &rules[i]);
}

Test(nested_quick, npt)
{
	static const struct pw_rules rules[] = {
		{.pa_bits = 0},
		{.npt_no_execute_disable = true, .pa_bits = 46},
		{.npt_gmet = true},
		{.no_1g_pages = true},
	};

	for (unsigned i = 0; i < sizeof rules / sizeof rules[0]; i++)
		try_rules(&pw_format_npt_4, &rules[i]);
}

/* Guest-physical 0 to 2 MiB once more, at 10 MiB: the fifth entry of a page directory at the end.
 */
static void move_directory(struct stages *s)
{
	const uint64_t address = UINT64_C(0xffffffffff000), there = UINT64_C(5) << 21;
	pw_pa pointer = ram_load(&s->ram, s->root2, 8) & address;
	pw_pa directory = ram_load(&s->ram, pointer, 8) & address;
	pw_pa moved = ram_new_table(&s->ram, 4096);
	uint64_t page = ram_load(&s->ram, directory, 8);

	ram_store(&s->ram, pointer, 8, (ram_load(&s->ram, pointer, 8) & ~address) | moved);
	ram_store(&s->ram, moved, 8, page);
	ram_store(&s->ram, moved + 8 * 5, 8, page);
	s->root1 += there;
}

/* What lies beyond the window's end is no more in memory than for the full walk. */
Test(nested_quick, window_that_ends)
{
	struct stages s;
	struct pair p = {.s = &s};

	stages_begin(&s, &pw_format_ept_4);
	stages_place(&s, 1, 1);
	move_directory(&s);
	for (uint64_t end = s.ram.next_table; end; end -= 8) {
		s.ram.window.size = s.ram.size = end;
		prepare(&p, NULL);
		compare(&p, 0);
	}
	cr_expect(p.mapped && p.refused);
	stages_end(&s);
}

/*
 * The C-bit in the entry of a page is no part of its address. The quick walk once took it for one
 * where the tables above had no C-bit.
 */
Test(nested_quick, encryption_bit)
{
	struct stages s;
	struct pair p = {.s = &s};
	struct pw_npt_state state = {.host_cr4 = PW_CR4_PAE,
		.host_efer = PW_EFER_LMA | PW_EFER_LME | PW_EFER_NXE,
		.maxphyaddr = 40,
		.encryption_mask = UINT64_C(1) << 45};

	for (unsigned level = 0; level < 3; level++) {
		stages_begin(&s, &pw_format_npt_4);
		stages_place(&s, level, level);
		stages_set(&s, state.encryption_mask, state.encryption_mask);
		state.ncr3 = s.root2;
		p.guest = stages_guest(&s, 0);
		cr_assert(pw_space_init_npt(&p.quick, &state, &s.ram.windows, NULL) == PW_OK);
		cr_assert(pw_space_init_npt(&p.full, &state, &s.ram.callbacks, NULL) == PW_OK);
		compare(&p, s.entry);
		stages_end(&s);
	}
	cr_expect(p.mapped > 0);
}

/* Without quick stages, without any, and with an access that is none. */
Test(nested_quick, batch_that_is_not)
{
	struct stages s;
	struct pair p = {.s = &s};
	struct pw_nested_hit hit[VAS] = {{.status = PW_OK}};

	stages_begin(&s, &pw_format_ept_4);
	prepare(&p, NULL);
	cr_assert(eq(sz,
		pw_nested_translate_batch(&p.guest, &p.full, vas, VAS, PW_ACCESS_READ, hit), 2));
	cr_assert(eq(u64, hit[0].pa, s.hpa));
	cr_assert(eq(
		sz, pw_nested_translate_batch(&p.guest, &p.quick, vas, 0, PW_ACCESS_READ, hit), 0));
	cr_assert(eq(
		sz, pw_nested_translate_batch(NULL, &p.quick, vas, VAS, PW_ACCESS_READ, hit), 0));
	cr_assert(eq(int, hit[0].status, PW_E_ARGUMENT));
	cr_assert(eq(sz, pw_nested_translate_batch(&p.guest, &p.quick, vas, VAS, 0, hit), 0));
	cr_assert(eq(int, hit[VAS - 1].status, PW_E_ARGUMENT));
	stages_end(&s);
}
