/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk against its slow twin: random tables of both stages, every pair of formats
 * that hardware has, every kind of access.
 */
#include "agree.h"
#include "random_tables.h"
#include "slow_nested.h"
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The machine's memory begins with the guest's, of which stage 2 makes guest-physical addresses
 * from 0 on; behind it stand the tables of stage 2. The bases suit pages of up to 1 GiB.
 */
#define GUEST_BYTES   (UINT64_C(1) << 20)
#define TABLES_BYTES  (UINT64_C(2) << 20)
#define MACHINE_BYTES (GUEST_BYTES + TABLES_BYTES)
#define ELSEWHERE     (UINT64_C(1) << 30) /* or 0 */

struct world {
	struct random random;
	struct image guest, tables;
	struct slow_memory machine, guest_physical;
	struct pw_window window;
	struct pw_memory windows, callbacks;
	struct slow_pair pair;
	struct pw_space one, two, two_by_callbacks;
	unsigned stage[3], during[4], exit[8];
};

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	const struct slow_memory *machine = ctx;
	uint64_t offset = pa - machine->base, value = 0;

	if (offset >= machine->size || machine->size - offset < bytes)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)machine->bytes[offset + i] << (8 * i);
	*entry = value;
	return true;
}

static void begin(struct world *w, uint64_t seed, uint64_t base)
{
	uint8_t *bytes = aligned_alloc(4096, MACHINE_BYTES);

	cr_assert(bytes != NULL, "no memory for the machine");
	*w = (struct world){.random = random_from(seed)};
	w->guest = (struct image){bytes, 0, GUEST_BYTES};
	w->tables = (struct image){bytes + GUEST_BYTES, base + GUEST_BYTES, TABLES_BYTES};
	w->machine = (struct slow_memory){.bytes = bytes, .base = base, .size = MACHINE_BYTES};
	w->guest_physical = (struct slow_memory){.bytes = bytes, .size = GUEST_BYTES};
	w->window = (struct pw_window){base, MACHINE_BYTES, bytes, true};
	w->windows = (struct pw_memory){.windows = &w->window, .window_count = 1};
	w->callbacks = (struct pw_memory){.read_pte = read_pte, .ctx = &w->machine};
	memset(bytes, 0, MACHINE_BYTES);
}

/* ---- Stage 2 ---- */

static bool maybe(struct world *w)
{
	return random_once_in(&w->random, 2);
}

static uint64_t low(unsigned bits)
{
	return (UINT64_C(1) << bits) - 1;
}

/* Where the guest's memory is, or somewhere in the machine. */
static uint64_t frame_for(struct world *w, uint64_t gpa)
{
	if (gpa < GUEST_BYTES && !random_once_in(&w->random, 60))
		return w->machine.base + gpa;
	return w->machine.base + random_below(&w->random, MACHINE_BYTES / 4096) * 4096;
}

/* So much that tables of stage 1 are within reach. */
static uint64_t most_rights(unsigned family)
{
	switch (family) {
	case PW_FAMILY_EPT:
		return 0x3;
	case PW_FAMILY_NPT:
		return 0x6;
	case PW_FAMILY_RISCV:
		return 0xd6;
	default:
		return 0x4c0;
	}
}

static uint64_t leaf(struct world *w, unsigned level, uint64_t gpa)
{
	const struct pw_format *f = w->two.format;
	const struct pw_page *shape = &f->level[level].page;
	uint64_t entry = random_page_entry(&w->random, f, level);

	entry &= ~(shape->address | shape->high[0].mask);
	if (!random_once_in(&w->random, 12))
		entry |= most_rights(f->family);
	if (!random_once_in(&w->random, 12))
		entry &= ~shape->reserved;
	if (f->family == PW_FAMILY_EPT && maybe(w))
		entry = (entry & ~UINT64_C(0x38)) | 0x30; /* write back */
	return entry | (frame_for(w, gpa) >> f->address_left & shape->address);
}

/* A path for gpa, along the tables that are there. */
static void map_gpa(struct world *w, uint64_t gpa)
{
	const struct pw_format *f = w->two.format;
	uint64_t table = w->two.root, next;

	for (unsigned level = f->levels; level-- > 0;) {
		const struct pw_level *row = &f->level[level];
		uint64_t at = table + (gpa >> row->shift & low(row->index_bits)) * f->entry_bytes;
		bool page = level == 0 || (row->page.size_log2 && random_once_in(&w->random, 4));
		uint64_t entry = 0;

		if (!read_pte(&w->machine, at, f->entry_bytes, &entry))
			return;
		next = pw_entry_address(f, level, entry);
		if (pw_entry_is_table(f, level, entry) && next >= w->tables.base &&
			next < w->tables.base + TABLES_BYTES && !random_once_in(&w->random, 100)) {
			table = next;
			continue;
		}
		if (pw_entry_is_page(f, level, entry) && random_once_in(&w->random, 2))
			return;
		entry = page ? leaf(w, level, gpa)
			     : random_table_entry(&w->random, &w->tables, f, level, &next);
		if (random_once_in(&w->random, 100))
			entry ^= UINT64_C(1) << random_below(&w->random, 8u * f->entry_bytes);
		image_store(&w->tables, at, f->entry_bytes, entry);
		table = next;
		if (page)
			return;
	}
}

/* ---- The rules of both stages ---- */

static uint64_t root_in(struct world *w, const struct image *image, const struct pw_format *format)
{
	uint64_t bytes = format->levels ? pw_table_bytes(format, format->levels - 1u) : 4096;

	if (bytes < 4096 && format->levels != 3)
		bytes = 4096;
	return image->base + random_below(&w->random, image->size / bytes) * bytes;
}

static void x86_guest(struct world *w, const char *name, uint64_t root)
{
	struct slow_config *c = &w->pair.one;
	struct pw_x86_state s = {.cr3 = root};

	c->cr0_wp = maybe(w);
	c->efer_nxe = maybe(w);
	c->cr4_smep = maybe(w);
	c->cr4_smap = maybe(w);
	c->cr4_cet = c->cr0_wp && maybe(w);
	s.cr0 = PW_CR0_PE | PW_CR0_PG | (c->cr0_wp ? PW_CR0_WP : 0);
	s.cr4 = PW_CR4_PSE | (c->cr4_smep ? PW_CR4_SMEP : 0) | (c->cr4_smap ? PW_CR4_SMAP : 0) |
		(c->cr4_cet ? PW_CR4_CET : 0);
	s.efer = c->efer_nxe ? PW_EFER_NXE : 0;
	if (strcmp(name, "x86-32"))
		s.cr4 |= PW_CR4_PAE;
	if (!strncmp(name, "x86-64", 6))
		s.efer |= PW_EFER_LMA | PW_EFER_LME;
	if (!strcmp(name, "x86-64-la57"))
		s.cr4 |= PW_CR4_LA57;
	if (!strcmp(name, "x86-none"))
		s = (struct pw_x86_state){.cr0 = PW_CR0_PE};
	cr_assert(pw_space_init_x86(&w->one, &s, &w->callbacks, NULL) == PW_OK);
}

static void other_guest(struct world *w, const struct pw_format *format, uint64_t root)
{
	struct slow_config *c = &w->pair.one;
	struct pw_rules rules = {.riscv_sum = maybe(w),
		.riscv_mxr = maybe(w),
		.riscv_hardware_ad = maybe(w),
		.riscv_napot = maybe(w),
		.arm_access_flag_fault = maybe(w)};

	c->riscv_sum = rules.riscv_sum;
	c->riscv_mxr = rules.riscv_mxr;
	c->riscv_svade = !rules.riscv_hardware_ad;
	c->riscv_svnapot = rules.riscv_napot;
	c->arm_access_flag = rules.arm_access_flag_fault;
	cr_assert(pw_space_init_rules(&w->one, format, root, &w->callbacks, &rules) == PW_OK);
}

static void second_stage(struct world *w, const struct pw_format *format)
{
	struct pw_rules rules = {.ept_no_execute_only = random_once_in(&w->random, 3),
		.ept_mode_based_execute = maybe(w),
		.ept_no_accessed_dirty = maybe(w),
		.ept_shadow_stack = maybe(w),
		.ept_advanced = maybe(w),
		.npt_no_execute_disable = random_once_in(&w->random, 4),
		.npt_smep = maybe(w),
		.npt_gmet = random_once_in(&w->random, 3),
		.riscv_hardware_ad = maybe(w),
		.riscv_napot = maybe(w),
		.arm_access_flag_fault = maybe(w)};
	struct slow_config *c = &w->pair.two;
	uint64_t root = root_in(w, &w->tables, format);

	cr_assert(slow_config_tables(c, format->name, root));
	c->ept_exec_only = !rules.ept_no_execute_only;
	c->ept_mbec = rules.ept_mode_based_execute;
	c->ept_ad = !rules.ept_no_accessed_dirty;
	c->npt_gmet = rules.npt_gmet;
	c->riscv_svade = !rules.riscv_hardware_ad;
	c->riscv_svnapot = rules.riscv_napot;
	c->arm_access_flag = rules.arm_access_flag_fault;
	if (format->family == PW_FAMILY_NPT)
		c->efer_nxe = !rules.npt_no_execute_disable;
	w->pair.ept_advanced = rules.ept_advanced;
	w->pair.ept_shadow = rules.ept_shadow_stack;
	w->pair.npt_smep = rules.npt_smep;
	cr_assert(pw_space_init_rules(&w->two, format, root, &w->windows, &rules) == PW_OK);
	cr_assert(pw_space_init_rules(&w->two_by_callbacks, format, root, &w->callbacks, &rules) ==
		  PW_OK);
}

/* ---- Comparison ---- */

static const enum slow_exit exits[PW_EXIT_COUNT] = {
	[PW_EXIT_NONE] = SLOW_EXIT_NONE,
	[PW_EXIT_GUEST] = SLOW_EXIT_GUEST,
	[PW_EXIT_EPT_VIOLATION] = SLOW_EXIT_VIOLATION,
	[PW_EXIT_EPT_MISCONFIGURATION] = SLOW_EXIT_MISCONFIGURATION,
	[PW_EXIT_NPF] = SLOW_EXIT_NPF,
	[PW_EXIT_ARM_STAGE2] = SLOW_EXIT_ARM,
	[PW_EXIT_RISCV_GUEST] = SLOW_EXIT_RISCV,
};

static const enum slow_during durings[PW_DURING_COUNT] = {
	[PW_DURING_FINAL] = SLOW_FINAL,
	[PW_DURING_TABLE] = SLOW_TABLE,
	[PW_DURING_UPDATE] = SLOW_UPDATE,
	[PW_DURING_PDPTE] = SLOW_PDPTE,
};

static unsigned letters(struct slow_rights r)
{
	return (r.read ? PW_R : 0) | (r.write ? PW_W : 0) | (r.execute ? PW_X : 0);
}

static const char *difference(const struct pw_nested_result *r, const struct slow_nested_result *s)
{
	static const enum slow_status status[] = {SLOW_MAPPED, SLOW_NOT_PRESENT, SLOW_RESERVED,
		SLOW_NON_CANONICAL, SLOW_NO_MEMORY, SLOW_PROTECTION, SLOW_PROTECTION_KEY,
		SLOW_ACCESS_FLAG};

	if (r->status > PW_ACCESS_FLAG || status[r->status] != s->status)
		return "status";
	if (r->stage != s->stage)
		return "stage";
	if (durings[r->during] != s->during)
		return "during";
	if (r->level != s->level)
		return "level";
	if (r->stage != 1 && r->gpa != s->gpa)
		return "gpa";
	if (exits[r->exit] != s->exit)
		return "exit";
	if (r->code != s->code || r->code_known != s->known)
		return "code";
	if (r->address_known != s->address_known || r->address != s->address)
		return "address";
	if (r->htinst != s->htinst)
		return "htinst";
	if (r->status != PW_OK)
		return NULL;
	if (r->pa != s->pa)
		return "pa";
	if (r->page_size != s->page_size)
		return "page size";
	if (r->user != letters(s->user) || r->supervisor != letters(s->supervisor))
		return "rights";
	return NULL;
}

static void compare(struct world *w, uint64_t va, const struct slow_access *access)
{
	static const pw_access kinds[] = {
		PW_ACCESS_ANY, PW_ACCESS_READ, PW_ACCESS_WRITE, PW_ACCESS_FETCH};
	pw_access asked = kinds[access->op];
	struct slow_nested_result twin;
	struct pw_nested_result r, other;
	const char *what;

	if (access->op != SLOW_OP_NONE)
		asked |= (access->user ? PW_ACCESS_USER : 0) |
			 (access->implicit_supervisor ? PW_ACCESS_IMPLICIT : 0) |
			 (access->shadow_stack ? PW_ACCESS_SHADOW_STACK : 0);
	slow_nested(&w->pair, &w->machine, va, access, &twin);
	(void)!pw_nested_translate(&w->one, &w->two, va, asked, &r);
	(void)!pw_nested_translate(&w->one, &w->two_by_callbacks, va, asked, &other);
	what = agree_same_nested(&r, &other) ? difference(&r, &twin) : "the way through callbacks";
	if (what) {
		char text[240];

		cr_assert(false,
			"%s over %s: %s differs at va %#llx, access %#x: %s; code %#llx of %#llx; "
			"twin: stage %d status %s during %d level %d gpa %#llx exit %d code %#llx "
			"of %#llx",
			w->pair.one.format, w->pair.two.format, what, (unsigned long long)va, asked,
			pw_nested_explain(&r, text, sizeof text), (unsigned long long)r.code,
			(unsigned long long)r.code_known, twin.stage, slow_status_name(twin.status),
			twin.during, twin.level, (unsigned long long)twin.gpa, twin.exit,
			(unsigned long long)twin.code, (unsigned long long)twin.known);
	}
	w->stage[r.stage]++;
	w->during[r.during]++;
	w->exit[r.exit]++;
}

/* Many addresses at once: what is said of each is what is said of it alone. */
static void compare_batch(struct world *w, const pw_va *some, unsigned count)
{
	static const pw_access kinds[] = {PW_ACCESS_ANY, PW_ACCESS_READ,
		PW_ACCESS_WRITE | PW_ACCESS_USER, PW_ACCESS_FETCH | PW_ACCESS_USER};
	pw_access access = kinds[random_below(&w->random, 4)];
	struct pw_nested_hit hit[150];
	pw_va va[150];
	size_t done;

	for (unsigned i = 0; i < 150; i++)
		va[i] = some[random_below(&w->random, count)] ^ random_below(&w->random, 4096);
	done = pw_nested_translate_batch(&w->one, &w->two, va, 150, access, hit);
	for (unsigned i = 0; i < 150; i++) {
		struct pw_nested_result r;

		done -= pw_nested_translate(&w->one, &w->two, va[i], access, &r) == PW_OK;
		cr_assert(agree_same_hit(&hit[i], &r),
			"%s over %s: va %#llx, access %#x: status %u in a batch, %u alone",
			w->pair.one.format, w->pair.two.format, (unsigned long long)va[i], access,
			hit[i].status, r.status);
	}
	cr_assert(done == 0, "a wrong number of good answers");
}

static struct slow_access random_access(struct world *w)
{
	struct random *random = &w->random;
	bool x86 = w->one.format->family == PW_FAMILY_X86;
	struct slow_access access = {
		.op = (enum slow_op)random_below(random, 4),
		.user = maybe(w),
		.implicit_supervisor = x86 && random_once_in(random, 6),
	};

	access.shadow_stack = x86 && w->pair.one.cr4_cet && w->one.format->levels &&
			      random_once_in(random, 3) &&
			      (access.op == SLOW_OP_READ || access.op == SLOW_OP_WRITE);
	return access;
}

/* Every address that the guest's path for va asks of stage 2 gets a path there. */
static void map_path(struct world *w, uint64_t va)
{
	const struct pw_format *f = w->one.format;
	struct slow_result result;
	struct slow_reads reads;

	slow_walk_noting(&w->pair.one, &w->guest_physical, va, &result, &reads);
	for (unsigned i = 0; i < reads.count; i++)
		map_gpa(w, reads.read[i].pa);
	if (result.status != SLOW_MAPPED)
		return;
	/* The page comes to lie below 1 GiB, where every stage 2 takes it. */
	if (f->levels && !random_once_in(&w->random, 8)) {
		image_store(&w->guest, result.entry_pa, f->entry_bytes,
			result.entry & ~(f->level[result.level].page.address &
					       ~low(30) >> f->address_left));
		slow_walk_noting(&w->pair.one, &w->guest_physical, va, &result, &reads);
		if (result.status != SLOW_MAPPED)
			return;
	}
	map_gpa(w, result.pa);
}

static void try_pair(struct world *w, const struct pw_format *one, const struct pw_format *two)
{
	uint64_t root = root_in(w, &w->guest, one);
	pw_va tried[8];

	cr_assert(slow_config_tables(&w->pair.one, one->name, root));
	memset((void *)w->tables.bytes, 0, TABLES_BYTES);
	second_stage(w, two);
	if (one->family == PW_FAMILY_X86)
		x86_guest(w, one->name, root);
	else
		other_guest(w, one, root);
	for (int i = 0; i < 8; i++) {
		uint64_t va = tried[i] = random_va(&w->random, one, false);

		if (one->levels)
			random_path(&w->random, &w->guest, one, root, va);
		map_path(w, va);
		for (int j = 0; j < 4; j++) {
			struct slow_access access = random_access(w);

			compare(w, va, &access);
		}
	}
	if (one == &pw_format_x86_64)
		compare_batch(w, tried, 8);
}

static void try_family(
	struct world *w, const char *const *ones, const char *const *twos, int rounds)
{
	for (; *ones; ones++) {
		for (const char *const *two = twos; *two; two++) {
			memset(w->stage, 0, sizeof w->stage);
			memset(w->during, 0, sizeof w->during);
			memset(w->exit, 0, sizeof w->exit);
			for (int i = 0; i < rounds; i++)
				try_pair(w, pw_format_find(*ones), pw_format_find(*two));
			cr_expect(w->stage[0] > 100 && w->stage[2] > 100 &&
					  (w->stage[1] > 100 || !strcmp(*ones, "x86-none")),
				"%s over %s: %u translated, %u and %u refused", *ones, *two,
				w->stage[0], w->stage[1], w->stage[2]);
			cr_expect(w->during[PW_DURING_TABLE] > 100 || !strcmp(*ones, "x86-none"),
				"%s over %s: only %u tables out of reach", *ones, *two,
				w->during[PW_DURING_TABLE]);
		}
	}
}

static void run(uint64_t seed, uint64_t base, const char *const *ones, const char *const *twos)
{
	static struct world w;

	seed = random_seed(seed);
	begin(&w, seed, base);
	try_family(&w, ones, twos, 700);
	free(w.guest.bytes);
	printf("seed %llu\n", (unsigned long long)seed);
}

Test(nested_twin, x86_over_ept_and_npt)
{
	static const char *const ones[] = {
		"x86-none", "x86-32", "x86-pae", "x86-64", "x86-64-la57", NULL};
	static const char *const twos[] = {"ept-4", "ept-5", "npt-4", "npt-5", NULL};

	run(20260911, ELSEWHERE, ones, twos);
}

/* Where the quick path is, with the window where it likes it best. */
Test(nested_twin, x86_64_in_memory_from_0)
{
	static const char *const ones[] = {"x86-64", NULL};
	static const char *const twos[] = {"ept-4", "npt-4", NULL};

	run(20261124, 0, ones, twos);
}

Test(nested_twin, arm_stage_1_over_stage_2)
{
	static const char *const ones[] = {
		"arm64-4k", "arm64-4k-39", "arm64-16k", "arm64-64k", "armv7-lpae", NULL};
	static const char *const twos[] = {"arm64-s2-4k", "arm64-s2-16k", "arm64-s2-64k", NULL};

	run(20260912, ELSEWHERE, ones, twos);
}

Test(nested_twin, riscv_vs_stage_over_g_stage)
{
	static const char *const wide[] = {"riscv-sv39", "riscv-sv48", "riscv-sv57", NULL};
	static const char *const wide_guest[] = {
		"riscv-sv39x4", "riscv-sv48x4", "riscv-sv57x4", NULL};
	static const char *const narrow[] = {"riscv-sv32", NULL};
	static const char *const narrow_guest[] = {"riscv-sv32x4", NULL};

	run(20260913, ELSEWHERE, wide, wide_guest);
	run(20260914, ELSEWHERE, narrow, narrow_guest);
}
