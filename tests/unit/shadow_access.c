/* SPDX-License-Identifier: MIT */
/* What happens in the world, each step judged by the twin. */
#include "shadow_access.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

/* ---- The TLB ---- */

static bool covers(const struct pw_flush *flush, pw_va va)
{
	for (size_t i = 0; i < flush->range_count; i++) {
		if (va >= flush->ranges[i].first && va <= flush->ranges[i].last)
			return true;
	}
	return flush->everything;
}

void world_flush(struct world *w)
{
	for (unsigned i = 0; i < WORLD_TLB; i++) {
		if (covers(&w->flush, w->tlb[i].va))
			w->tlb[i].valid = false;
	}
}

/* The twin on the shadow tables, as the CPU has it: ring 3, CR0.WP and EFER.NXE. */
static struct slow_result shadow_walk(const struct world *w, pw_pa root, pw_va va, enum slow_op op)
{
	const struct slow_memory memory = {
		.bytes = w->tables, .base = WORLD_POOL, .size = sizeof w->tables};
	const struct slow_access access = {.op = op, .user = true};
	struct slow_config config;
	struct slow_result result;

	cr_assert(slow_config_tables(
		&config, w->mode == WORLD_LA57 ? "x86-64-la57" : "x86-64", root));
	slow_walk(&config, &memory, va, &access, &result);
	return result;
}

static void remember(struct world *w, pw_va va, const struct slow_result *page)
{
	w->tlb[random_below(&w->random, WORLD_TLB)] = (struct world_tlb){.valid = true,
		.root = w->root,
		.va = va & ~UINT64_C(4095),
		.hpa = page->pa & ~UINT64_C(4095),
		.rights = page->user};
}

/* After a call and the flush that it asked for, the TLB holds nothing that the tables do not. */
static void after_call(struct world *w)
{
	world_flush(w);
	pw_flush_done(&w->roots[0].shadow, &w->flush);
	for (unsigned i = 0; i < WORLD_TLB; i++) {
		const struct world_tlb *tlb = &w->tlb[i];
		struct slow_result now;

		if (!tlb->valid)
			continue;
		now = shadow_walk(w, tlb->root, tlb->va, SLOW_OP_NONE);
		cr_assert(now.status == SLOW_MAPPED && now.pa == tlb->hpa &&
				  now.user.write >= tlb->rights.write &&
				  now.user.execute >= tlb->rights.execute,
			"%#" PRIx64 " is stale in the TLB", tlb->va);
	}
	cr_assert(w->pool_errors == 0 && w->protect_errors == 0);
	cr_assert(memcmp(w->ram, w->model, sizeof w->ram) == 0,
		"the guest's memory is not as the CPU would have left it");
}

/* ---- The CPU's state ---- */

static bool flip(struct world *w, unsigned n)
{
	return random_once_in(&w->random, n);
}

/* PDPTE registers: what a load of them takes. */
static void load_pdptes(struct world *w)
{
	w->state.pdpte_loaded = true;
	w->config.pdpte_given = true;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t entry = world_random_table(w, 1) | !flip(w, 6);

		w->state.pdpte[i] = w->config.pdpte[i] = entry;
	}
}

static void choose_state(struct world *w)
{
	static const char *const names[] = {
		"x86-none", "x86-32", "x86-pae", "x86-64", "x86-64-la57"};
	struct pw_x86_state *s = &w->state;
	struct slow_config *c = &w->config;
	bool lma = w->mode >= WORLD_64;

	*s = (struct pw_x86_state){.maxphyaddr = 46};
	s->cr3 = world_random_root(w);
	if (w->mode == WORLD_PAE)
		s->cr3 += 32 * random_below(&w->random, 4);
	cr_assert(slow_config_tables(c, names[w->mode], s->cr3));
	c->maxphyaddr = 46;
	c->cr0_wp = !flip(w, 3);
	c->efer_nxe = !flip(w, 6);
	c->cr4_pse = w->mode != WORLD_32 || !flip(w, 4);
	c->cr4_smep = flip(w, 3);
	c->cr4_smap = flip(w, 3);
	c->cr4_pke = lma && flip(w, 3);
	c->cr4_pks = lma && flip(w, 3);
	c->cr4_lass = lma && flip(w, 4);
	c->rflags_ac = flip(w, 2);
	c->pkru = (uint32_t)random_next(&w->random) & 0x55;
	c->pkrs = (uint32_t)random_next(&w->random) & 0xaa;
	c->gbpages = !flip(w, 4);
	s->cr0 = 1 | (c->cr0_wp ? PW_CR0_WP : 0) | (w->mode == WORLD_NONE ? 0 : PW_CR0_PG);
	s->cr4 = (c->cr4_pse ? PW_CR4_PSE : 0) | (w->mode >= WORLD_PAE ? PW_CR4_PAE : 0) |
		 (c->cr4_smep ? PW_CR4_SMEP : 0) | (c->cr4_smap ? PW_CR4_SMAP : 0) |
		 (c->cr4_pke ? PW_CR4_PKE : 0) | (c->cr4_pks ? PW_CR4_PKS : 0) |
		 (c->cr4_lass ? PW_CR4_LASS : 0) | (w->mode == WORLD_LA57 ? PW_CR4_LA57 : 0);
	s->efer = (lma ? PW_EFER_LME | PW_EFER_LMA : 0) | (c->efer_nxe ? PW_EFER_NXE : 0);
	s->rflags = c->rflags_ac ? PW_RFLAGS_AC : 0;
	s->pkru = c->pkru;
	s->pkrs = c->pkrs;
	s->no_1g_pages = !c->gbpages;
	if (w->mode == WORLD_PAE)
		load_pdptes(w);
}

void world_load(struct world *w)
{
	/* Mostly an old one again, so that roots are found in the cache. */
	if (w->root == 0 || flip(w, 4))
		choose_state(w);
	else if (w->mode == WORLD_PAE && flip(w, 4))
		load_pdptes(w); /* the same CR3, loaded again */
	else if (w->mode != WORLD_PAE)
		w->config.root = w->state.cr3 = world_random_root(w);
	w->user = flip(w, 2);
	cr_assert(pw_space_init_x86(&w->guest, &w->state, &w->memory, NULL) == PW_OK);
	cr_assert(pw_shadow_load(&w->shadow, &w->guest, w->user, &w->flush, &w->root) == PW_OK);
	after_call(w);
}

/* ---- What the CPU would do ---- */

/* Accessed along the walk, Dirty at its end, in the model. The walk is known to succeed. */
static void mark(struct world *w, pw_va va, pw_access access, const struct slow_result *page)
{
	unsigned bytes = w->mode == WORLD_32 ? 4 : 8, bits = w->mode == WORLD_32 ? 10 : 9;
	bool pae = w->mode == WORLD_PAE;
	int top = w->mode == WORLD_32 ? 1 : pae ? 2 : w->mode == WORLD_64 ? 3 : 4;
	uint64_t table = w->config.root & ~UINT64_C(4095);

	for (int level = top; level >= page->level; level--) {
		uint64_t index = va >> (12 + bits * (unsigned)level) & ((1u << bits) - 1),
			 entry = 0;
		uint64_t at = table + index * bytes;

		if (pae && level == 2) { /* a register, which has no flags */
			table = w->config.pdpte[index & 3] & UINT64_C(0x000ffffffffff000);
			continue;
		}
		memcpy(&entry, w->model + at, bytes);
		entry |= 0x20 | (level == page->level && (access & PW_ACCESS_WRITE) ? 0x40 : 0);
		memcpy(w->model + at, &entry, bytes);
		world_mirror(w, w->model, at);
		table = entry & UINT64_C(0x000ffffffffff000);
	}
}

/* What must become of an access. */
struct outcome {
	enum pw_shadow_verdict verdict; /* PW_SHADOW_RETRY: it goes through */
	enum pw_shadow_reason reason;
	struct slow_result guest;
	pw_pa hpa;
};

static bool is_table(const struct world *w, pw_pa gpa)
{
	uint64_t page = gpa / 4096;

	if (page >= WORLD_PAGES)
		return false;
	return w->protected[page] || (page == w->alias && w->protected[page + 1]) ||
	       (page == w->alias + 1u && w->protected[page - 1]);
}

static struct slow_result guest_walk(
	const struct world *w, const uint8_t *bytes, pw_va va, pw_access access)
{
	const struct slow_memory memory = {.bytes = bytes, .size = WORLD_RAM};
	const struct slow_access how = {
		.op = access & PW_ACCESS_WRITE   ? SLOW_OP_WRITE
		      : access & PW_ACCESS_FETCH ? SLOW_OP_FETCH
		      : access & PW_ACCESS_READ  ? SLOW_OP_READ
						 : SLOW_OP_NONE,
		.user = w->user,
	};
	struct slow_result result;

	slow_walk(&w->config, &memory, va, &how, &result);
	return result;
}

bool world_maps(const struct world *w, pw_va va)
{
	return guest_walk(w, w->model, va, 0).status == SLOW_MAPPED;
}

/* The guest's own tables, then the map. Whether the page is a table is seen after the call. */
static struct outcome foretell(struct world *w, pw_va va, pw_access access)
{
	struct outcome o = {.verdict = PW_SHADOW_INJECT};
	const struct pw_shadow_block *block = NULL;

	o.guest = guest_walk(w, w->model, va, access);
	if (o.guest.status == SLOW_NO_MEMORY)
		o.verdict = PW_SHADOW_LOST;
	if (o.guest.status != SLOW_MAPPED)
		return o;
	if (w->mode != WORLD_NONE)
		mark(w, va, access, &o.guest);
	o.verdict = PW_SHADOW_EMULATE;
	o.reason = PW_SHADOW_DEVICE;
	for (unsigned i = 0; i < w->block_count && !block; i++) {
		if (o.guest.pa - w->blocks[i].gpa < w->blocks[i].bytes)
			block = &w->blocks[i];
	}
	if (!block)
		return o;
	o.hpa = block->hpa + (o.guest.pa - block->gpa);
	o.reason = PW_SHADOW_RIGHTS;
	/* x86 entries cannot say "execute only". */
	if (!(block->rights & access) ||
		guest_walk(w, w->model, va, PW_ACCESS_READ).status != SLOW_MAPPED)
		return o;
	o.verdict = PW_SHADOW_RETRY;
	o.reason = PW_SHADOW_NO_REASON;
	return o;
}

/* ---- What the shadow does ---- */

static bool goes_through(struct world *w, pw_va va, pw_access access, struct slow_result *page)
{
	*page = shadow_walk(w, w->root, va,
		access & PW_ACCESS_WRITE   ? SLOW_OP_WRITE
		: access & PW_ACCESS_FETCH ? SLOW_OP_FETCH
					   : SLOW_OP_READ);
	if (page->status == SLOW_MAPPED)
		remember(w, va, page);
	return page->status == SLOW_MAPPED;
}

static void check_injection(const struct pw_shadow_answer *answer, const struct outcome *o)
{
	bool gp = o->guest.status == SLOW_NON_CANONICAL || o->guest.status == SLOW_LASS;

	cr_assert(gp == ((answer->guest.flags & PW_RESULT_GP) != 0), "%s, but %s",
		slow_status_name(o->guest.status), pw_status_name(answer->guest.status));
	cr_assert(gp || (o->guest.error_code_valid &&
				answer->guest.error_code == o->guest.error_code),
		"error code %#x instead of %#x", answer->guest.error_code, o->guest.error_code);
}

/* The guest's store: to a table if it was emulated, else to wherever the page is. */
static void store(struct world *w, pw_pa gpa)
{
	uint64_t entry = world_random_entry(w);
	unsigned level;

	if (gpa >= WORLD_RAM)
		return;
	if (is_table(w, gpa)) {
		world_write(w, (gpa & ~UINT64_C(4095)) | (world_random_place(w, &level) & 4088),
			&entry, flip(w, 4) ? 4 : 8);
		return;
	}
	gpa = (gpa & ~UINT64_C(4095)) | (world_random_place(w, &level) & 4088);
	memcpy(w->ram + gpa, &entry, 8);
	memcpy(w->model + gpa, &entry, 8);
	world_mirror(w, w->ram, gpa);
	world_mirror(w, w->model, gpa);
}

void world_access(struct world *w, pw_va va, pw_access access)
{
	struct outcome o = foretell(w, va, access);
	struct pw_shadow_answer answer = {.verdict = PW_SHADOW_RETRY};
	struct slow_result page = {.pa = 0};
	bool through = goes_through(w, va, access, &page);

	if (!through) {
		cr_assert(pw_shadow_fault(&w->shadow, va, access, &w->flush, &answer) == PW_OK);
		after_call(w);
		if (answer.verdict == PW_SHADOW_RETRY) {
			through = goes_through(w, va, access, &page);
			cr_assert(through && page.pa == answer.hpa &&
					  page.page_size == answer.page_size,
				"%#" PRIx64 " is not filled", va);
		}
	}
	if (o.verdict == PW_SHADOW_RETRY && (access & PW_ACCESS_WRITE) && !w->below &&
		is_table(w, o.guest.pa)) {
		o.verdict = PW_SHADOW_EMULATE;
		o.reason = PW_SHADOW_TABLE;
	}
	cr_assert(answer.verdict == o.verdict && answer.reason == o.reason,
		"%#" PRIx64 " access %#x: %s %u instead of %s %u", va, access,
		pw_shadow_verdict_name(answer.verdict), answer.reason,
		pw_shadow_verdict_name(o.verdict), o.reason);
	cr_assert(!through || page.pa == o.hpa);
	cr_assert(answer.verdict != PW_SHADOW_EMULATE || answer.gpa == o.guest.pa);
	cr_assert(!through || w->mode == WORLD_NONE || page.pat_index == o.guest.pat_index);
	if (o.verdict == PW_SHADOW_INJECT)
		check_injection(&answer, &o);
	after_call(w);
	if ((access & PW_ACCESS_WRITE) && (through || o.reason == PW_SHADOW_TABLE))
		store(w, o.guest.pa);
}

void world_write(struct world *w, pw_pa gpa, const void *from, unsigned bytes)
{
	memcpy(w->ram + gpa, from, bytes);
	memcpy(w->model + gpa, from, bytes);
	world_mirror(w, w->ram, gpa);
	world_mirror(w, w->model, gpa);
	cr_assert(pw_shadow_written(&w->shadow, gpa, bytes, &w->flush) == PW_OK);
	after_call(w);
}

void world_invalidate(struct world *w, pw_va va)
{
	cr_assert(pw_shadow_invalidate(&w->shadow, va, &w->flush) == PW_OK);
	after_call(w);
}

void world_drop(struct world *w)
{
	cr_assert(pw_shadow_drop(&w->shadow, &w->flush) == PW_OK);
	after_call(w);
}
