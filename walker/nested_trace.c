/* SPDX-License-Identifier: MIT */
/* The two-stage walk entry by entry: what nested.c does, told to a tracer. */
#include "access.h"
#include "live.h"
#include "nested.h"
#include "quick_walk.h"

/* Folds of one stage's entries, from its root on. */
struct folds {
	uint64_t allowed, denied;
};

struct pw_nested_trace {
	const struct pw_nested_tracer *tracer;
	struct folds folds;              /* of stage 1 */
	pw_pa machine_pa[PW_MAX_LEVELS]; /* of the entries of stage 1 */
};

static const struct folds nothing_folded = {.allowed = ~(uint64_t)0};

static void tell(const struct pw_pair *pair, const struct pw_nested_step *step)
{
	const struct pw_nested_tracer *tracer = pair->trace->tracer;

	tracer->step(tracer->ctx, step);
}

static pw_grant page_grant(const struct pw_space *s, const struct pw_page *shape, uint64_t entry,
	const struct folds *folds)
{
	return s->grant[pw_attributes(s->format, shape, entry, folds->allowed, folds->denied)];
}

/*
 * What a page under these entries can have, whatever its own entry says: attributes that no table
 * holds are free, the others can only be given up.
 */
static pw_grant table_grant(const struct pw_space *s, const struct folds *folds)
{
	const struct pw_format *f = s->format;
	pw_grant all = 0, summary = 0;

	for (unsigned own = 0; own < PW_BIT(f->attribute_count); own++) {
		unsigned value = 0;
		pw_grant grant;

		for (unsigned i = 0; i < f->attribute_count; i++)
			value |= pw_attribute_value(
					 &f->attribute[i], i, own, folds->allowed, folds->denied)
				 << i;
		grant = s->grant[value];
		all |= grant;
		/* U stands for the user's rights, which go before the supervisor's. */
		if ((grant ^ summary) >> 12 & PW_U)
			summary = grant >> 12 & PW_U ? grant : summary;
		else
			summary |= grant;
	}
	return (pw_grant)((all & 0xfff) | (summary & 0xf000));
}

/* What step->entry is, under the rules of its space, and what it grants. */
static void judge(const struct pw_space *s, struct folds *folds, struct pw_nested_step *step)
{
	const struct pw_level *row = &s->format->level[step->level];
	const struct pw_page *shape;
	pw_grant grant = 0;

	step->kind = PW_BAD;
	if (!pw_is_present(row, step->entry)) {
		step->kind = PW_HOLE;
	} else if (pw_is_table(row, step->entry)) {
		if (!pw_table_is_bad(s, row, step->level, step->entry)) {
			step->kind = PW_TABLE;
			pw_fold(row, step->entry, &folds->allowed, &folds->denied);
			grant = table_grant(s, folds);
		}
	} else {
		shape = pw_shape(row, step->entry);
		if (!pw_page_is_bad(s, row, shape, step->level, step->entry)) {
			step->kind = PW_PAGE;
			grant = page_grant(s, shape, step->entry, folds);
		}
	}
	step->rights = (uint8_t)(grant >> 12);
	step->user = grant & 7;
	step->supervisor = grant >> 4 & 7;
}

/* ---- Stage 2 ---- */

void pw_nested_trace_walk(const struct pw_pair *pair, struct pw_purpose purpose, pw_pa gpa,
	pw_access access, const struct pw_trace_step *steps, size_t count)
{
	struct folds folds = nothing_folded;

	for (size_t i = 0; i < count; i++) {
		struct pw_nested_step step = {.stage = 2,
			.deed = PW_NESTED_LOAD,
			.during = (uint8_t)purpose.during,
			.table_level = (int8_t)purpose.level,
			.level = steps[i].level,
			.index = steps[i].index,
			.access = access,
			.table = steps[i].table,
			.gpa = gpa,
			.pa = pw_step_pa(pair->stage2, &steps[i]),
			.entry = steps[i].entry};

		judge(pair->stage2, &folds, &step);
		tell(pair, &step);
	}
}

enum pw_status pw_nested_trace_second(const struct pw_pair *pair, struct pw_purpose purpose,
	pw_pa gpa, pw_access access, struct pw_result *result)
{
	struct pw_trace_step steps[PW_MAX_LEVELS];
	size_t count;
	enum pw_status status =
		pw_translate_trace(pair->stage2, gpa, access, result, steps, &count);

	pw_nested_trace_walk(pair, purpose, gpa, access, steps, count);
	return status;
}

/* ---- Stage 1 ---- */

static struct pw_nested_step first_stage(
	const struct pw_pair *pair, enum pw_during during, unsigned level, uint64_t entry)
{
	return (struct pw_nested_step){.stage = 1,
		.during = (uint8_t)during,
		.table_level = (int8_t)level,
		.level = (uint8_t)level,
		.access = pair->access,
		.entry = entry};
}

/* PAE with PDPTE registers: the first entry stands in no memory. */
void pw_nested_trace_begin(const struct pw_pair *pair)
{
	const struct pw_space *s = pair->stage1;
	pw_va va = pair->r->va;
	struct pw_nested_step step;

	pair->trace->folds = nothing_folded;
	if (!(s->flags & PW_SPACE_PDPTE) || !pw_is_access(s, pair->access) ||
		!pw_takes(s->extension, s->format->va_bits, va))
		return;
	step = first_stage(pair, PW_DURING_TABLE, 2, 0);
	step.deed = PW_NESTED_REGISTER;
	step.index = (uint32_t)pw_index_at(&s->format->level[2], va);
	step.entry = s->pdpte[step.index];
	judge(s, &pair->trace->folds, &step);
	tell(pair, &step);
}

void pw_nested_trace_load(
	const struct pw_pair *pair, struct pw_purpose purpose, pw_pa gpa, pw_pa pa, uint64_t entry)
{
	const struct pw_format *f = pair->stage1->format;
	unsigned level = (unsigned)purpose.level;
	struct pw_nested_step step = first_stage(pair, purpose.during, level, entry);

	/* A table is aligned to its own size. */
	step.index = (uint32_t)(gpa >> (f->entry_bytes == 8 ? 3 : 2) &
				PW_LOW(f->level[level].index_bits));
	step.deed = PW_NESTED_LOAD;
	step.table = gpa - (uint64_t)step.index * f->entry_bytes;
	step.gpa = gpa;
	step.pa = pa;
	pair->trace->machine_pa[level] = pa;
	judge(pair->stage1, &pair->trace->folds, &step);
	tell(pair, &step);
}

void pw_nested_trace_store(
	const struct pw_pair *pair, const struct pw_trace_step *step, uint64_t marked)
{
	struct pw_nested_step store = first_stage(pair, PW_DURING_UPDATE, step->level, marked);

	store.deed = PW_NESTED_STORE;
	store.kind = step->kind;
	store.index = step->index;
	store.table = step->table;
	store.gpa = pw_step_pa(pair->stage1, step);
	store.pa = pair->trace->machine_pa[step->level];
	tell(pair, &store);
}

/* ---- The call ---- */

enum pw_status pw_nested_translate_trace(const struct pw_space *stage1,
	const struct pw_space *stage2, pw_va va, pw_access access, struct pw_nested_result *result,
	const struct pw_nested_tracer *tracer)
{
	struct pw_nested_trace trace = {.tracer = tracer};
	struct pw_nested_result unwanted;
	struct pw_pair pair = {.stage1 = stage1,
		.stage2 = stage2,
		.access = access,
		.r = result ? result : &unwanted,
		.trace = &trace};

	if (!tracer || !tracer->step) {
		*pair.r = (struct pw_nested_result){.va = va, .level = -1, .status = PW_E_ARGUMENT};
		return PW_E_ARGUMENT;
	}
	return pw_nested_walk(&pair, va);
}
