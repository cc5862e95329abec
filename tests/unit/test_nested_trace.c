/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk, traced: over random tables of many pairs of formats its answer is that of
 * pw_nested_translate(), its loads are those that the memory's callback sees, and each step is what
 * the walks of one stage say of the same entry.
 */
#include "agree.h"
#include "nested_world.h"
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS    1500
#define LOADS_MAX (2 * PW_NESTED_MAX_STEPS)

struct load {
	pw_pa pa;
	uint64_t entry;
};

/* What the memory was asked for, and had. */
struct loads {
	struct load load[LOADS_MAX];
	unsigned count;
	const struct pw_memory *memory; /* behind it */
};

static bool read_noted(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct loads *loads = ctx;

	if (!loads->memory->read_pte(loads->memory->ctx, pa, bytes, entry))
		return false;
	cr_assert(loads->count < LOADS_MAX);
	loads->load[loads->count++] = (struct load){pa, *entry};
	return true;
}

struct trace {
	struct pw_nested_step step[PW_NESTED_MAX_STEPS];
	unsigned count;
};

static void keep_step(void *ctx, const struct pw_nested_step *step)
{
	struct trace *trace = ctx;

	cr_assert(trace->count < PW_NESTED_MAX_STEPS, "more steps than the header says");
	trace->step[trace->count++] = *step;
}

struct world {
	struct nested_world world;
	struct pw_memory behind, noting;
	struct loads loads;
	struct trace trace;
	pw_va va;
	pw_access access;
	/* Steps by stage and kind, stores, registers, and walks by purpose. */
	unsigned kinds[3][4], stores, registers, during[PW_DURING_COUNT];
};

#define EXPECT(w, what)                                                                            \
	cr_assert((what), "%s over %s, va %#llx, access %#x: not so: " #what,                      \
		(w)->world.one.format->name, (w)->world.two.format->name,                          \
		(unsigned long long)(w)->va, (w)->access)

/* ---- The loads ---- */

static void check_loads(struct world *w, const struct loads *untraced)
{
	const struct loads *traced = &w->loads;
	unsigned next = 0;

	EXPECT(w, traced->count == untraced->count);
	for (unsigned i = 0; i < traced->count; i++)
		EXPECT(w, traced->load[i].pa == untraced->load[i].pa &&
				  traced->load[i].entry == untraced->load[i].entry);
	for (unsigned i = 0; i < w->trace.count; i++) {
		const struct pw_nested_step *step = &w->trace.step[i];

		if (step->deed != PW_NESTED_LOAD)
			continue;
		EXPECT(w, next < traced->count);
		EXPECT(w, step->pa == traced->load[next].pa);
		EXPECT(w, step->entry == traced->load[next].entry);
		next++;
	}
	EXPECT(w, next == traced->count);
}

/* ---- Each stage's steps against a walk of that stage alone ---- */

static bool is_walk_of(const struct pw_nested_step *step, const struct pw_nested_step *first)
{
	return step->stage == 2 && step->gpa == first->gpa && step->during == first->during &&
	       step->table_level == first->table_level && step->access == first->access;
}

/* A page has the rights that the walk found; what the tables leave only becomes less on the way. */
static void check_rights(struct world *w, const struct pw_nested_step *steps, unsigned count,
	const struct pw_result *result)
{
	for (unsigned i = 0; i < count; i++) {
		if (steps[i].kind == PW_HOLE || steps[i].kind == PW_BAD)
			EXPECT(w, !steps[i].rights && !steps[i].user && !steps[i].supervisor);
		else if (i > 0)
			EXPECT(w, !(steps[i].user & ~steps[i - 1].user) &&
					  !(steps[i].supervisor & ~steps[i - 1].supervisor));
	}
	if (count && steps[count - 1].kind == PW_PAGE)
		EXPECT(w, steps[count - 1].rights == result->rights &&
				  steps[count - 1].user == result->user &&
				  steps[count - 1].supervisor == result->supervisor);
}

static void check_second(struct world *w, const struct pw_nested_step *steps, unsigned count)
{
	struct pw_trace_step twin[PW_MAX_LEVELS];
	struct pw_result result;
	size_t twins;

	(void)!pw_translate_trace(
		&w->world.two, steps[0].gpa, PW_ACCESS_ANY, &result, twin, &twins);
	EXPECT(w, count == twins);
	for (unsigned i = 0; i < count; i++) {
		EXPECT(w, steps[i].deed == PW_NESTED_LOAD);
		EXPECT(w, steps[i].kind == twin[i].kind && steps[i].level == twin[i].level);
		EXPECT(w, steps[i].table == twin[i].table && steps[i].index == twin[i].index);
		EXPECT(w, steps[i].pa == steps[i].table + (pw_pa)steps[i].index *
								  w->world.two.format->entry_bytes);
		w->kinds[2][steps[i].kind]++;
	}
	check_rights(w, steps, count, &result);
	w->during[steps[0].during]++;
}

/* Stage 1 over guest-physical memory, as far as the trace has come. */
static void check_first(struct world *w, const struct pw_nested_step *steps, unsigned count)
{
	struct pw_trace_step twin[PW_MAX_LEVELS];
	struct pw_nested_memory through;
	struct pw_space one = w->world.one;
	struct pw_result result;
	size_t twins;

	pw_nested_memory_begin(&through, &w->world.two, true);
	/* A space that is over a callback stays one. */
	one.memory = &through.memory;
	(void)!pw_translate_trace(&one, w->va, PW_ACCESS_ANY, &result, twin, &twins);
	EXPECT(w, count <= twins);
	for (unsigned i = 0; i < count; i++) {
		EXPECT(w, steps[i].kind == twin[i].kind && steps[i].level == twin[i].level);
		EXPECT(w, steps[i].index == twin[i].index && steps[i].entry == twin[i].entry);
		if (steps[i].deed == PW_NESTED_LOAD)
			EXPECT(w, steps[i].table == twin[i].table &&
					  steps[i].gpa ==
						  twin[i].table + (pw_pa)twin[i].index *
									  one.format->entry_bytes);
		w->kinds[1][steps[i].kind]++;
		w->registers += steps[i].deed == PW_NESTED_REGISTER;
	}
	check_rights(w, steps, count, &result);
}

/* ---- Accessed and Dirty, from the manuals ---- */

static uint64_t flags_to_set(const struct world *w, const struct pw_nested_step *load)
{
	const struct pw_format *f = w->world.one.format;
	const struct slow_config *c = &w->world.pair.one;
	bool page = load->kind == PW_PAGE, write = w->access & PW_ACCESS_WRITE;

	switch (f->family) {
	case PW_FAMILY_X86:
		if (f->levels == 3 && load->level == 2)
			return 0;
		return page && write ? 0x60 : 0x20;
	case PW_FAMILY_ARM:
		return page && !c->arm_access_flag ? 0x400 : 0;
	default:
		return !page || c->riscv_svade ? 0 : write ? 0xc0 : 0x40;
	}
}

/* Once stage 1 allows an access its flags are stored, root first, until stage 2 refuses. */
static void check_stores(struct world *w, const struct pw_nested_result *r,
	const struct pw_nested_step *first, unsigned loads, const struct pw_nested_step *store,
	unsigned stores)
{
	unsigned next = 0;

	if (r->stage == 1 || w->access & PW_ACCESS_ANY ||
		(r->stage == 2 && r->during != PW_DURING_FINAL && r->during != PW_DURING_UPDATE))
		loads = 0;
	for (unsigned i = 0; i < loads; i++) {
		uint64_t marked = first[i].entry | flags_to_set(w, &first[i]);

		if (marked == first[i].entry)
			continue;
		if (next == stores && r->during == PW_DURING_UPDATE) {
			EXPECT(w, r->level == first[i].level && r->gpa == first[i].gpa);
			break;
		}
		EXPECT(w, next < stores);
		EXPECT(w, store[next].entry == marked && store[next].pa == first[i].pa);
		EXPECT(w, store[next].gpa == first[i].gpa && store[next].level == first[i].level);
		EXPECT(w, store[next].during == PW_DURING_UPDATE);
		next++;
	}
	EXPECT(w, next == stores);
	w->stores += stores;
}

/* Takes the trace apart: walks of stage 2, and what stands between them. */
static void check_steps(struct world *w, const struct pw_nested_result *r)
{
	struct pw_nested_step first[PW_MAX_LEVELS] = {{0}}, store[PW_MAX_LEVELS];
	unsigned loads = 0, stores = 0, i = 0;
	const struct pw_nested_step *step = w->trace.step;

	while (i < w->trace.count) {
		unsigned from = i;

		while (i < w->trace.count && is_walk_of(&step[i], &step[from]))
			i++;
		if (i > from) {
			check_second(w, &step[from], i - from);
			/* What was reached comes next, or nothing does. */
			EXPECT(w, i == w->trace.count ||
					  (step[i].stage == 1 && step[i].gpa == step[from].gpa &&
						  step[i].level == step[from].table_level &&
						  step[i].during == step[from].during));
			continue;
		}
		EXPECT(w, loads < PW_MAX_LEVELS && stores < PW_MAX_LEVELS);
		if (step[i].deed == PW_NESTED_STORE)
			store[stores++] = step[i++];
		else
			first[loads++] = step[i++];
	}
	check_first(w, first, loads);
	check_stores(w, r, first, loads, store, stores);
}

static void compare(struct world *w, pw_va va, pw_access access)
{
	const struct pw_nested_tracer tracer = {.step = keep_step, .ctx = &w->trace};
	const struct pw_space *one = &w->world.one, *called = &w->world.two_by_callbacks;
	struct pw_nested_result plain, by_callbacks, traced, through_window;
	static struct loads untraced;

	w->va = va;
	w->access = access;
	w->loads.count = 0;
	(void)!pw_nested_translate(one, &w->world.two, va, access, &plain);
	(void)!pw_nested_translate(one, called, va, access, &by_callbacks);
	untraced = w->loads;
	w->trace.count = 0;
	(void)!pw_nested_translate_trace(one, &w->world.two, va, access, &through_window, &tracer);
	EXPECT(w, agree_same_nested(&through_window, &plain));
	w->trace.count = w->loads.count = 0;
	EXPECT(w, pw_nested_translate_trace(one, called, va, access, &traced, &tracer) ==
			  (enum pw_status)plain.status);
	EXPECT(w, agree_same_nested(&traced, &plain));
	EXPECT(w, agree_same_nested(&traced, &by_callbacks));
	check_loads(w, &untraced);
	w->loads.count = 0;
	check_steps(w, &traced);
}

static pw_access random_access(struct world *w)
{
	static const pw_access kinds[] = {
		PW_ACCESS_ANY, PW_ACCESS_READ, PW_ACCESS_WRITE, PW_ACCESS_FETCH};
	struct random *random = &w->world.random;
	pw_access access = kinds[random_below(random, 4)];

	if (access == PW_ACCESS_ANY)
		return access;
	if (random_once_in(random, 2))
		access |= PW_ACCESS_USER;
	if (w->world.pair.one.cr4_cet && access != PW_ACCESS_FETCH && random_once_in(random, 4))
		access |= PW_ACCESS_SHADOW_STACK;
	return access;
}

/* PAE, now and then: a CPU that has loaded its PDPTE registers, if these can be loaded. */
static void load_pdptes(struct world *w)
{
	struct pw_x86_state state = {.cr0 = PW_CR0_PE | PW_CR0_PG | PW_CR0_WP,
		.cr3 = w->world.root,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_NXE,
		.pdpte_loaded = true};
	struct pw_space one;

	if (w->world.one.format != &pw_format_x86_pae || random_once_in(&w->world.random, 2))
		return;
	memcpy(state.pdpte, w->world.guest.bytes + (w->world.root - w->world.guest.base),
		sizeof state.pdpte);
	if (pw_space_init_x86(&one, &state, &w->world.callbacks, NULL) != PW_OK)
		return;
	w->world.one = one;
	w->world.pair.one.cr4_cet = false;
}

/* Arm: random pages nearly all have their Access flag. */
static void clear_accessed(struct world *w, pw_va va)
{
	struct slow_result result;
	struct slow_reads reads;

	if (w->world.one.format->family != PW_FAMILY_ARM || random_once_in(&w->world.random, 2))
		return;
	slow_walk_noting(&w->world.pair.one, &w->world.guest_physical, va, &result, &reads);
	if (result.status == SLOW_MAPPED)
		image_store(
			&w->world.guest, result.entry_pa, 8, result.entry & ~(UINT64_C(1) << 10));
}

static void try_pair(struct world *w, const struct pw_format *one, const struct pw_format *two)
{
	nested_world_rules(&w->world, one, two);
	for (int i = 0; i < 4; i++) {
		pw_va va = random_va(&w->world.random, one, false);

		if (one->levels)
			random_path(&w->world.random, &w->world.guest, one, w->world.root, va);
		nested_world_map(&w->world, va);
		load_pdptes(w);
		clear_accessed(w, va);
		for (int j = 0; j < 4; j++)
			compare(w, va, random_access(w));
		compare(w, random_next(&w->world.random), PW_ACCESS_READ);
	}
}

static const char *const pairs[][2] = {
	{"x86-none", "ept-4"},
	{"x86-32", "ept-4"},
	{"x86-pae", "ept-4"},
	{"x86-pae", "npt-4"},
	{"x86-64", "ept-4"},
	{"x86-64", "npt-4"},
	{"x86-64-la57", "ept-5"},
	{"arm64-4k", "arm64-s2-4k"},
	{"arm64-16k", "arm64-s2-64k"},
	{"armv7-lpae", "arm64-s2-4k"},
	{"riscv-sv32", "riscv-sv32x4"},
	{"riscv-sv39", "riscv-sv48x4"},
	{"riscv-sv57", "riscv-sv57x4"},
};

/* Every kind of step has been met, where the pair has it. */
static void check_tally(const struct world *w, const char *one, const char *two)
{
	bool tables = strcmp(one, "x86-none") != 0, arm = !strncmp(one, "arm", 3);

	/* Arm has hardly any entries that are bad. */
	for (int kind = 0; kind < (arm ? PW_BAD : PW_BAD + 1); kind++) {
		cr_expect(w->kinds[1][kind] > 20 || !tables, "%s over %s: kind %d of stage 1", one,
			two, kind);
		cr_expect(w->kinds[2][kind] > 20, "%s over %s: kind %d of stage 2: %u", one, two,
			kind, w->kinds[2][kind]);
	}
	cr_expect(w->during[PW_DURING_FINAL] > 20, "%s over %s: final", one, two);
	cr_expect(w->during[PW_DURING_TABLE] > 20 || !tables, "%s over %s: table", one, two);
	cr_expect(w->during[PW_DURING_UPDATE] > 20 || !tables || !strncmp(two, "npt", 3),
		"%s over %s: update", one, two);
	cr_expect(w->stores > 20 || !tables, "%s over %s: stores: %u", one, two, w->stores);
	if (!strcmp(one, "x86-pae")) {
		cr_expect(w->registers > 20, "%s over %s: registers", one, two);
		cr_expect(w->during[PW_DURING_PDPTE] > 20 || strncmp(two, "ept", 3) != 0,
			"%s over %s: PDPTEs", one, two);
	}
}

static struct world *begin(uint64_t seed)
{
	struct world *w = calloc(1, sizeof *w);

	cr_assert(w);
	nested_world_begin(&w->world, seed, UINT64_C(1) << 30);
	w->behind = w->world.callbacks;
	w->loads.memory = &w->behind;
	w->world.callbacks = (struct pw_memory){.read_pte = read_noted, .ctx = &w->loads};
	return w;
}

static void end(struct world *w)
{
	nested_world_end(&w->world);
	free(w);
}

Test(nested_trace, random_tables)
{
	uint64_t seed = random_seed(20261129);

	printf("seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct world *w = begin(seed + i);

		for (int round = 0; round < ROUNDS; round++)
			try_pair(w, pw_format_find(pairs[i][0]), pw_format_find(pairs[i][1]));
		check_tally(w, pairs[i][0], pairs[i][1]);
		end(w);
	}
}

/* ---- Calls that cannot be made ---- */

Test(nested_trace, wrong_arguments)
{
	struct world *w = begin(1);
	const struct pw_nested_tracer tracer = {.step = keep_step, .ctx = &w->trace};
	const struct pw_nested_tracer nobody = {.step = NULL};
	const struct pw_space *one = &w->world.one, *two = &w->world.two;
	struct pw_nested_result r;

	nested_world_rules(&w->world, &pw_format_x86_pae, &pw_format_ept_4);
	load_pdptes(w);
#define WRONG(...)                                                                                 \
	do {                                                                                       \
		r.status = PW_OK;                                                                  \
		cr_expect(pw_nested_translate_trace(__VA_ARGS__) == PW_E_ARGUMENT);                \
		cr_expect(r.status == PW_E_ARGUMENT && r.level == -1);                             \
	} while (0)
	WRONG(one, two, 0, PW_ACCESS_READ, &r, NULL);
	WRONG(one, two, 0, PW_ACCESS_READ, &r, &nobody);
	WRONG(NULL, two, 0, PW_ACCESS_READ, &r, &tracer);
	WRONG(one, NULL, 0, PW_ACCESS_READ, &r, &tracer);
	WRONG(one, one, 0, PW_ACCESS_READ, &r, &tracer);
	WRONG(one, two, 0, 0, &r, &tracer);
	cr_expect(w->trace.count == 0, "nothing is told of a call that cannot be made");
	cr_expect(pw_nested_translate_trace(one, two, 0, PW_ACCESS_READ, NULL, &tracer) != PW_OK);
	end(w);
}
