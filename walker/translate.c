/* SPDX-License-Identifier: MIT */
/*
 * Translation: one descent, written once, instantiated with constant rows for the hot formats and
 * with the run-time pointer for all others.
 */
#include "access.h"
#include "entry.h"
#include <pagewalk/translate.h>

/* Where a descent stands. `entry` is the last one that could be read. */
struct descent {
	pw_pa table;
	uint64_t entry;
	pw_pa entry_pa;
	uint64_t and_fold, or_fold; /* over the table entries, without the page's */
	const struct pw_page *shape;
	enum pw_status status;
	int level;
	bool has_entry;
};

PW_INLINE bool load_step(const struct pw_format *f, const struct pw_space *s, unsigned level,
	pw_va va, struct descent *d, struct pw_trace_step *step)
{
	const struct pw_level *row = &f->level[level];
	uint64_t index = va >> row->shift & PW_LOW(row->index_bits);
	pw_pa at = d->table + index * f->entry_bytes;

	d->level = (int)level;
	if (step) {
		step->table = d->table;
		step->index = (uint32_t)index;
		step->level = (uint8_t)level;
	}
	/* PAE: the CPU walks its PDPTE registers, not the memory they were loaded from. */
	if (f->levels == 3 && level == 2 && (s->flags & PW_SPACE_PDPTE)) {
		d->entry = s->pdpte[index];
	} else if (!pw_load(f, s, at, &d->entry)) {
		d->status = PW_NO_MEMORY;
		return false;
	}
	d->entry_pa = at;
	d->has_entry = true;
	return true;
}

/* One level down. True: d->table is the next table. False: the walk ends, d->status says how. */
PW_INLINE bool step_down(const struct pw_format *f, const struct pw_space *s, unsigned level,
	pw_va va, struct descent *d, struct pw_trace_step *step)
{
	const struct pw_level *row = &f->level[level];

	if (PW_UNLIKELY(!load_step(f, s, level, va, d, step)))
		return false;
	if (PW_UNLIKELY(!pw_is_present(row, d->entry))) {
		d->status = PW_NOT_PRESENT;
		return false;
	}
	if (pw_is_table(row, d->entry)) {
		if (PW_UNLIKELY(pw_table_is_bad(s, row, level, d->entry))) {
			d->status = PW_RESERVED;
			return false;
		}
		pw_fold(row, d->entry, &d->and_fold, &d->or_fold);
		d->table = pw_table_address(f, s, row, d->entry);
		return true;
	}
	d->shape = pw_shape(row, d->entry);
	d->status = PW_UNLIKELY(pw_page_is_bad(s, row, d->shape, level, d->entry)) ? PW_RESERVED
										   : PW_OK;
	return false;
}

/* Unrolled by hand so that `level` is a constant in every instance. */
PW_INLINE void descend(
	const struct pw_format *f, const struct pw_space *s, pw_va va, struct descent *d)
{
	_Static_assert(PW_MAX_LEVELS == 6, "one line a level");
	if (f->levels > 5 && !step_down(f, s, 5, va, d, NULL))
		return;
	if (f->levels > 4 && !step_down(f, s, 4, va, d, NULL))
		return;
	if (f->levels > 3 && !step_down(f, s, 3, va, d, NULL))
		return;
	if (f->levels > 2 && !step_down(f, s, 2, va, d, NULL))
		return;
	if (f->levels > 1 && !step_down(f, s, 1, va, d, NULL))
		return;
	(void)step_down(f, s, 0, va, d, NULL);
}

/* The walk ended without a page. */
static PW_NOINLINE enum pw_status no_page(const struct pw_space *s, const struct descent *d,
	pw_va va, pw_access access, struct pw_result *r)
{
	*r = (struct pw_result){.va = va, .status = (uint8_t)d->status, .level = (int8_t)d->level};
	if (d->status == PW_NON_CANONICAL)
		r->level = -1;
	if (d->has_entry) {
		r->entry = d->entry;
		r->entry_pa = d->entry_pa;
		r->flags = PW_RESULT_ENTRY;
	}
	pw_set_error_code(s, access, r);
	return d->status;
}

PW_INLINE uint8_t page_flags(
	const struct pw_format *f, const struct pw_page *shape, const struct descent *d)
{
	uint64_t e = d->entry;
	unsigned flags = PW_RESULT_ENTRY;

	if (shape->accessed && (e & shape->accessed))
		flags |= PW_RESULT_ACCESSED;
	if (shape->dirty && (e & shape->dirty) == shape->dirty && !(e & shape->dirty_clear))
		flags |= PW_RESULT_DIRTY;
	if ((shape->global && (e & shape->global)) ||
		(shape->global_clear && !(e & shape->global_clear)) ||
		(f->global_table && (d->or_fold & f->global_table)))
		flags |= PW_RESULT_GLOBAL;
	return (uint8_t)flags;
}

PW_INLINE enum pw_status page_found(const struct pw_format *f, const struct pw_space *s,
	const struct descent *d, pw_va va, pw_access access, struct pw_result *r)
{
	const struct pw_page *shape = d->shape;
	unsigned attributes = pw_attributes(f, shape, d->entry, d->and_fold, d->or_fold);
	pw_grant grant = s->grant[attributes];
	uint64_t offset = PW_LOW(shape->size_log2);

	r->va = va;
	r->pa = pw_page_address(f, s, shape, d->entry) | (va & offset);
	r->page_size = offset + 1;
	r->entry = d->entry;
	r->entry_pa = d->entry_pa;
	r->error_code = 0;
	r->status = PW_OK;
	r->level = (int8_t)d->level;
	r->rights = (uint8_t)(grant >> 12);
	r->user = grant & 7;
	r->supervisor = grant >> 4 & 7;
	r->flags = page_flags(f, shape, d);
	r->memory_type = pw_type_index(shape, d->entry);
	r->key = f->key_bits ? (uint8_t)(d->entry >> f->key_bit & PW_LOW(f->key_bits)) : 0;
	r->rule = PW_RULE_NONE;
	if (PW_LIKELY(!(s->flags & PW_SPACE_CAREFUL) && pw_is_granted(grant, access)))
		return PW_OK;
	return pw_judge(s, grant, d->and_fold, access, r);
}

PW_INLINE enum pw_status translate(const struct pw_format *f, const struct pw_space *s, pw_va va,
	pw_access access, struct pw_result *r)
{
	struct descent d = {.table = s->root, .and_fold = ~(uint64_t)0, .level = -1};

	if (PW_UNLIKELY(!pw_takes(
		    f == &pw_row_x86_64 ? PW_SIGN_EXTENDED : s->extension, f->va_bits, va))) {
		d.status = PW_NON_CANONICAL;
		return no_page(s, &d, va, access, r);
	}
	descend(f, s, va, &d);
	if (PW_UNLIKELY(d.status != PW_OK))
		return no_page(s, &d, va, access, r);
	return page_found(f, s, &d, va, access, r);
}

static PW_NOINLINE enum pw_status refuse_access(pw_va va, struct pw_result *r)
{
	*r = (struct pw_result){.va = va, .status = PW_E_ARGUMENT, .level = -1};
	return PW_E_ARGUMENT;
}

/* No tables at all: the address is the physical address. */
static enum pw_status identity(const struct pw_space *s, pw_va va, struct pw_result *r)
{
	*r = (struct pw_result){.va = va, .level = -1};
	if (!pw_takes(s->extension, s->format->va_bits, va)) {
		r->status = PW_NON_CANONICAL;
		return PW_NON_CANONICAL;
	}
	r->pa = va;
	r->page_size = PW_IDENTITY_PAGE;
	r->level = 0;
	r->rights = (uint8_t)(s->grant[0] >> 12);
	r->user = s->grant[0] & 7;
	r->supervisor = s->grant[0] >> 4 & 7;
	return PW_OK;
}

enum pw_status pw_translate(
	const struct pw_space *space, pw_va va, pw_access access, struct pw_result *result)
{
	struct pw_result unwanted;

	if (!result)
		result = &unwanted;
	if (PW_UNLIKELY(!pw_is_access(space, access)))
		return refuse_access(va, result);
	if (PW_LIKELY(space->engine == PW_ENGINE_X86_64))
		return translate(&pw_row_x86_64, space, va, access, result);
	if (space->format->levels == 0)
		return identity(space, va, result);
	return translate(space->format, space, va, access, result);
}

static bool trace_level(const struct pw_space *space, unsigned level, pw_va va, struct descent *d,
	struct pw_trace_step *step, size_t *count)
{
	const struct pw_level *row = &space->format->level[level];
	bool more = step_down(space->format, space, level, va, d, step);

	if (d->status == PW_NO_MEMORY)
		return false;
	step->entry = d->entry;
	step->kind = (uint8_t)(more                            ? PW_TABLE
			       : d->status == PW_OK            ? PW_PAGE
			       : !pw_is_present(row, d->entry) ? PW_HOLE
							       : PW_BAD);
	++*count;
	return more;
}

enum pw_status pw_translate_trace(const struct pw_space *space, pw_va va, pw_access access,
	struct pw_result *result, struct pw_trace_step *steps, size_t *count)
{
	struct descent d = {.table = space->root, .and_fold = ~(uint64_t)0, .level = -1};
	const struct pw_format *format = space->format;

	*count = 0;
	if (!pw_is_access(space, access))
		return refuse_access(va, result);
	if (format->levels == 0)
		return identity(space, va, result);
	if (!pw_takes(space->extension, format->va_bits, va)) {
		d.status = PW_NON_CANONICAL;
		return no_page(space, &d, va, access, result);
	}
	for (unsigned level = format->levels; level-- > 0;) {
		if (!trace_level(space, level, va, &d, &steps[*count], count))
			break;
	}
	if (d.status != PW_OK)
		return no_page(space, &d, va, access, result);
	return page_found(format, space, &d, va, access, result);
}
