/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk: stage 1 is walked by the ordinary code, over a memory that reaches its tables
 * through stage 2 and remembers what refused.
 */
#include "nested.h"
#include "access.h"
#include "live.h"
#include "space.h"

/* ---- Stage 1's tables through stage 2 ---- */

struct door {
	const struct pw_pair *pair;
	pw_access access, first_access; /* of all entries, and of the first */
	unsigned reads;
	bool refused;          /* by stage 2: */
	pw_pa gpa;             /* what it was asked last, */
	struct pw_result last; /* and what it said */
};

pw_access pw_table_access(const struct pw_space *stage2)
{
	pw_access access =
		stage2->stage2 & PW_STAGE2_TABLES_WRITTEN ? PW_ACCESS_WRITE : PW_ACCESS_READ;

	return stage2->format->family == PW_FAMILY_NPT ? access | PW_ACCESS_USER : access;
}

bool pw_machine_entry(
	const struct pw_format *format, const struct pw_memory *memory, pw_pa pa, uint64_t *entry)
{
	const char *at = pw_window_at(memory, pa, format->entry_bytes, false);

	if (!at)
		return memory->read_pte &&
		       memory->read_pte(memory->ctx, pa, format->entry_bytes, entry);
	*entry = pw_peek(format, at);
	return true;
}

/* Which entry the last read is of. PAE's first one may be a register, and no read. */
static struct pw_purpose purpose_of(const struct door *door)
{
	const struct pw_space *stage1 = door->pair->stage1;
	unsigned registers = stage1->flags & PW_SPACE_PDPTE ? 1 : 0;
	bool pdpte = door->reads == 1 && pw_loads_pdpte(stage1, door->pair->stage2);

	return (struct pw_purpose){.during = pdpte ? PW_DURING_PDPTE : PW_DURING_TABLE,
		.level = (int)(stage1->format->levels - registers - door->reads)};
}

static PW_NOINLINE bool read_traced(struct door *door, pw_access access, uint64_t *entry)
{
	const struct pw_pair *pair = door->pair;
	struct pw_purpose purpose = purpose_of(door);

	door->refused =
		pw_nested_trace_second(pair, purpose, door->gpa, access, &door->last) != PW_OK;
	if (door->refused ||
		!pw_machine_entry(pair->stage1->format, pair->stage2->memory, door->last.pa, entry))
		return false;
	pw_nested_trace_load(pair, purpose, door->gpa, door->last.pa, *entry);
	return true;
}

static bool read_through(void *ctx, pw_pa gpa, unsigned bytes, uint64_t *entry)
{
	struct door *door = ctx;
	const struct pw_pair *pair = door->pair;
	pw_access access = door->reads++ ? door->access : door->first_access;

	(void)bytes;
	door->gpa = gpa;
	if (PW_UNLIKELY(pair->trace != NULL))
		return read_traced(door, access, entry);
	if (pw_translate(pair->stage2, gpa, access, &door->last) != PW_OK) {
		door->refused = true;
		return false;
	}
	return pw_machine_entry(pair->stage1->format, pair->stage2->memory, door->last.pa, entry);
}

/* ---- The answer ---- */

/* The access itself. */
static const struct pw_purpose final = {.during = PW_DURING_FINAL, .level = -1};

static enum pw_status end(const struct pw_pair *pair, unsigned stage, struct pw_purpose purpose,
	enum pw_status status)
{
	pair->r->status = (uint8_t)status;
	pair->r->stage = (uint8_t)stage;
	pair->r->during = (uint8_t)purpose.during;
	pair->r->level = (int8_t)purpose.level;
	if (!(pair->access & PW_ACCESS_ANY))
		pw_nested_report(pair);
	return status;
}

/* Stage 2 refused gpa: what it said is the result's stage2 already. */
static enum pw_status refused(const struct pw_pair *pair, pw_pa gpa, struct pw_purpose purpose)
{
	pair->r->gpa = gpa;
	return end(pair, 2, purpose, (enum pw_status)pair->r->stage2.status);
}

static enum pw_status stage1_failed(const struct pw_pair *pair, const struct door *door)
{
	struct pw_result *stage1 = &pair->r->stage1;

	if (door->refused) {
		pair->r->stage2 = door->last;
		return refused(pair, door->gpa, purpose_of(door));
	}
	/* Under NPT a PDPTE is read in each walk, and its reserved bits fault like any other's. */
	if (stage1->status == PW_RESERVED && pair->stage2->format->family == PW_FAMILY_NPT &&
		pair->stage1->format == &pw_format_x86_pae && stage1->level == 2) {
		stage1->level = 1;
		pw_set_error_code(pair->stage1, pair->access, stage1);
		stage1->level = 2;
	}
	return end(pair, 1, final, (enum pw_status)stage1->status);
}

/* ---- Accessed and Dirty ---- */

/* Hardware writes the flags of the steps, root first, each through stage 2. */
static enum pw_status update(
	const struct pw_pair *pair, const struct pw_trace_step *steps, size_t count)
{
	/* Every entry has been reached as if it were written. */
	bool reached = pw_table_access(pair->stage2) & PW_ACCESS_WRITE;

	if (reached && PW_LIKELY(!pair->trace))
		return PW_OK;
	for (size_t i = 0; i < count; i++) {
		const struct pw_purpose purpose = {PW_DURING_UPDATE, steps[i].level};
		uint64_t marked = pw_step_marked(pair->stage1, pair->access, &steps[i]);
		pw_pa gpa = pw_step_pa(pair->stage1, &steps[i]);

		if (marked == steps[i].entry)
			continue;
		if (!reached && pw_nested_second(pair, purpose, gpa, PW_ACCESS_WRITE,
					&pair->r->stage2) != PW_OK)
			return refused(pair, gpa, purpose);
		if (PW_UNLIKELY(pair->trace != NULL))
			pw_nested_trace_store(pair, &steps[i], marked);
	}
	return PW_OK;
}

/* ---- The final access ---- */

/*
 * SDM "EPT Violations": with EPTP bit 7 a supervisor shadow-stack access needs R in every entry, W
 * in every entry but the page's, and bit 60 in the page's.
 */
static enum pw_status shadow_stack(const struct pw_pair *pair, pw_pa gpa)
{
	struct pw_result *r = &pair->r->stage2;
	struct pw_trace_step steps[PW_MAX_LEVELS];
	uint64_t tables = ~(uint64_t)0;
	size_t count;

	(void)!pw_translate_trace(pair->stage2, gpa, PW_ACCESS_ANY, r, steps, &count);
	if (PW_UNLIKELY(pair->trace != NULL))
		pw_nested_trace_walk(pair, final, gpa, pair->access, steps, count);
	if (r->status != PW_OK)
		return (enum pw_status)r->status;
	for (size_t i = 0; i + 1 < count; i++)
		tables &= steps[i].entry;
	if (tables & PW_W && tables & r->entry & PW_R && r->entry >> 60 & 1)
		return PW_OK;
	r->rule = PW_RULE_SHADOW_STACK;
	r->status = PW_PROTECTION;
	return PW_PROTECTION;
}

static enum pw_status final_access(const struct pw_pair *pair, pw_pa gpa)
{
	const struct pw_space *stage2 = pair->stage2;
	pw_access access = pair->access;
	pw_access to = access & (PW_ACCESS_READ | PW_ACCESS_WRITE | PW_ACCESS_FETCH);

	if (access & PW_ACCESS_ANY)
		return pw_nested_second(pair, final, gpa, PW_ACCESS_ANY, &pair->r->stage2);
	if (stage2->format->family == PW_FAMILY_EPT) {
		if (access & PW_ACCESS_SHADOW_STACK && !pw_is_by_user(access) &&
			stage2->stage2 & PW_STAGE2_SHADOW_STACK)
			return shadow_stack(pair, gpa);
		/* Mode-based execute control goes by the page's mode, not by the CPU's. */
		to |= pw_is_users_page(pair) ? PW_ACCESS_USER : 0;
	}
	/* Every nested access is a user's, but for what GMET makes of the supervisor's fetches. */
	if (stage2->format->family == PW_FAMILY_NPT &&
		!(stage2->stage2 & PW_STAGE2_GMET && access & PW_ACCESS_FETCH &&
			!pw_is_by_user(access)))
		to |= PW_ACCESS_USER;
	return pw_nested_second(pair, final, gpa, to, &pair->r->stage2);
}

static pw_grant grant_of(const struct pw_result *r)
{
	return (pw_grant)(r->user | r->supervisor << 4 | r->implicit << 8 | r->rights << 12);
}

static void fold_rights(const struct pw_pair *pair)
{
	struct pw_nested_result *r = pair->r;
	pw_grant both = pw_both_grants(
		pair->stage2, grant_of(&r->stage1), grant_of(&r->stage2), pw_is_users_page(pair));

	r->rights = (uint8_t)(both >> 12);
	r->user = both & 7;
	r->supervisor = both >> 4 & 7;
	r->implicit = both >> 8 & 7;
}

static enum pw_status finish(const struct pw_pair *pair)
{
	struct pw_nested_result *r = pair->r;

	r->gpa = r->stage1.pa;
	if (final_access(pair, r->gpa) != PW_OK)
		return refused(pair, r->gpa, final);
	r->pa = r->stage2.pa;
	r->page_size = r->stage1.page_size < r->stage2.page_size ? r->stage1.page_size
								 : r->stage2.page_size;
	fold_rights(pair);
	r->status = PW_OK;
	return PW_OK;
}

/* ---- The walk ---- */

static bool is_second_stage(const struct pw_format *format)
{
	switch (format->family) {
	case PW_FAMILY_X86:
		return false;
	case PW_FAMILY_ARM:
	case PW_FAMILY_RISCV:
		return !format->has_user;
	default:
		return true;
	}
}

static void fold_steps(struct pw_pair *pair, const struct pw_trace_step *steps, size_t count)
{
	pair->and_fold = ~(uint64_t)0;
	pair->or_fold = 0;
	for (size_t i = 0; i < count; i++) {
		/* A PAE PDPTE has no rights. */
		if (pw_is_pdpte(pair->stage1, &steps[i]))
			continue;
		pair->and_fold &= steps[i].entry;
		pair->or_fold |= steps[i].entry;
	}
}

static enum pw_status walk(struct pw_pair *pair, pw_va va)
{
	struct pw_nested_result *r = pair->r;
	struct pw_trace_step steps[PW_MAX_LEVELS];
	struct door door = {.pair = pair};
	const struct pw_memory through = {.read_pte = read_through, .ctx = &door};
	struct pw_space stage1 = *pair->stage1;
	enum pw_status status;
	size_t count;

	if (PW_UNLIKELY(pair->trace != NULL))
		pw_nested_trace_begin(pair);
	pw_space_move(&stage1, &through);
	door.access = pair->access & PW_ACCESS_ANY ? PW_ACCESS_ANY : pw_table_access(pair->stage2);
	door.first_access = door.access;
	if (pw_loads_pdpte(pair->stage1, pair->stage2) && !(pair->access & PW_ACCESS_ANY))
		door.first_access = PW_ACCESS_READ;
	status = pw_translate_trace(&stage1, va, pair->access, &r->stage1, steps, &count);
	if (status == PW_E_ARGUMENT) {
		r->status = PW_E_ARGUMENT;
		return status;
	}
	if (status != PW_OK)
		return stage1_failed(pair, &door);
	fold_steps(pair, steps, count);
	if (!(pair->access & PW_ACCESS_ANY)) {
		status = update(pair, steps, count);
		if (status != PW_OK)
			return status;
	}
	return finish(pair);
}

enum pw_status pw_nested_walk(struct pw_pair *pair, pw_va va)
{
	*pair->r = (struct pw_nested_result){.va = va, .level = -1, .status = PW_E_ARGUMENT};
	if (!pair->stage1 || !pair->stage2 || !is_second_stage(pair->stage2->format))
		return PW_E_ARGUMENT;
	return walk(pair, va);
}

enum pw_status pw_nested_in_full(const struct pw_space *stage1, const struct pw_space *stage2,
	pw_va va, pw_access access, struct pw_nested_result *result)
{
	struct pw_nested_result unwanted;
	struct pw_pair pair = {.stage1 = stage1,
		.stage2 = stage2,
		.access = access,
		.r = result ? result : &unwanted};

	return pw_nested_walk(&pair, va);
}
