/* SPDX-License-Identifier: MIT */
/*
 * Translation: one descent, written once, instantiated with constant rows for the hot formats and
 * with the run-time pointer for all others.
 */
#include "access.h"
#include "entry.h"
#include <pagewalk/translate.h>

/* What a descent carries down. Only ever a local of an inlined function: it stays in registers. */
struct descent {
	pw_pa table;
	uint64_t entry;             /* the last one that could be read, */
	pw_pa entry_pa;             /* and where it stands */
	uint64_t and_fold, or_fold; /* over the table entries, without the page's */
};

_Static_assert(
	offsetof(struct pw_result, user) == offsetof(struct pw_result, rights) + 1 &&
		offsetof(struct pw_result, supervisor) == offsetof(struct pw_result, rights) + 2 &&
		offsetof(struct pw_result, implicit) == offsetof(struct pw_result, rights) + 3,
	"the four bytes of a packed grant");

/* The walk ended without a page; level is that of the entry, or of the table that is not there. */
static PW_NOINLINE enum pw_status no_page(const struct pw_space *s, pw_va va, pw_access access,
	enum pw_status status, int level, const struct descent *at, struct pw_result *r)
{
	*r = (struct pw_result){.va = va, .status = (uint8_t)status, .level = (int8_t)level};
	/* The root's table is not there, or none was looked for: no entry was read. */
	if (level >= 0 && !(status == PW_NO_MEMORY && level + 1 == s->format->levels)) {
		r->entry = at->entry;
		r->entry_pa = at->entry_pa;
		r->flags = PW_RESULT_ENTRY;
	}
	pw_set_error_code(s, access, r);
	return status;
}

PW_INLINE enum pw_status end_without_page(const struct pw_space *s, pw_va va, pw_access access,
	enum pw_status status, int level, const struct descent *d, struct pw_result *r)
{
	/* A copy, so that taking its address does not force the original into memory. */
	const struct descent at = {.entry = d->entry, .entry_pa = d->entry_pa};

	return no_page(s, va, access, status, level, &at, r);
}

PW_INLINE enum pw_status page_found(const struct pw_format *f, const struct pw_space *s,
	const struct pw_page *shape, unsigned level, const struct descent *d, pw_va va,
	pw_access access, struct pw_result *r)
{
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
	r->level = (int8_t)level;
	r->rights = (uint8_t)(grant >> 12);
	r->user = grant & 7;
	r->supervisor = grant >> 4 & 7;
	r->implicit = grant >> 8 & 7;
	r->flags = pw_page_flags(f, shape, d->entry, d->or_fold);
	r->memory_type = pw_type_index(shape, d->entry);
	r->key = f->key_bits ? (uint8_t)(d->entry >> f->key_bit & PW_LOW(f->key_bits)) : 0;
	r->rule = PW_RULE_NONE;
	if (PW_LIKELY(!(s->flags & PW_SPACE_CAREFUL) && pw_is_granted(grant, access)))
		return PW_OK;
	return pw_judge(s, grant, d->and_fold, access, r);
}

PW_INLINE uint64_t index_at(const struct pw_level *row, pw_va va)
{
	return va >> row->shift & PW_LOW(row->index_bits);
}

/* Reads the entry for va in d->table. False: no memory there. */
PW_INLINE bool read_entry(const struct pw_format *f, const struct pw_space *s, unsigned level,
	pw_va va, struct descent *d)
{
	uint64_t index = index_at(&f->level[level], va);
	pw_pa at = d->table + index * f->entry_bytes;
	uint64_t entry;

	/* PAE: the CPU walks its PDPTE registers, not the memory they were loaded from. */
	if (f->levels == 3 && level == 2 && PW_UNLIKELY(s->flags & PW_SPACE_PDPTE)) {
		d->entry = s->pdpte[index];
		d->entry_pa = 0;
		return true;
	}
	if (PW_UNLIKELY(!pw_load(f, s, at, &entry)))
		return false;
	d->entry = entry;
	d->entry_pa = at;
	return true;
}

/* One level. True: d->table is the next table. False: the walk has ended with *status. */
PW_INLINE bool step_down(const struct pw_format *f, const struct pw_space *s, unsigned level,
	pw_va va, pw_access access, struct descent *d, enum pw_status *status, struct pw_result *r)
{
	const struct pw_level *row = &f->level[level];
	const struct pw_page *shape;
	bool bad;

	if (PW_UNLIKELY(!read_entry(f, s, level, va, d))) {
		*status = end_without_page(s, va, access, PW_NO_MEMORY, (int)level, d, r);
		return false;
	}
	if (PW_UNLIKELY(!pw_is_present(row, d->entry))) {
		*status = end_without_page(s, va, access, PW_NOT_PRESENT, (int)level, d, r);
		return false;
	}
	if (pw_is_table(row, d->entry)) {
		bad = pw_table_is_bad(s, row, level, d->entry);
		if (PW_LIKELY(!bad)) {
			pw_fold(row, d->entry, &d->and_fold, &d->or_fold);
			d->table = pw_table_address(f, s, row, d->entry);
			return true;
		}
	} else {
		shape = pw_shape(row, d->entry);
		bad = pw_page_is_bad(s, row, shape, level, d->entry);
		if (PW_LIKELY(!bad)) {
			*status = page_found(f, s, shape, level, d, va, access, r);
			return false;
		}
	}
	*status = end_without_page(s, va, access, PW_RESERVED, (int)level, d, r);
	return false;
}

PW_INLINE struct descent from_root(const struct pw_space *s)
{
	return (struct descent){.table = s->root, .and_fold = ~(uint64_t)0};
}

static PW_NOINLINE enum pw_status not_canonical(
	const struct pw_space *s, pw_va va, pw_access access, struct pw_result *r)
{
	return no_page(s, va, access, PW_NON_CANONICAL, -1, NULL, r);
}

/* ---- The quick path ---- */

/* The page's fields, and whether the folded rights allow the access. */
PW_INLINE bool quick_page(const struct pw_format *f, const struct pw_space *s, unsigned level,
	const struct descent *d, pw_va va, pw_access access, struct pw_result *r)
{
	const struct pw_page *shape = &f->level[level].page;
	uint64_t e = d->entry, offset = PW_LOW(shape->size_log2);
	uint32_t grant = s->quick_grant[pw_attributes(f, shape, e, d->and_fold, d->or_fold)];

	r->va = va;
	r->pa = (e & shape->address) << f->address_left | (va & offset);
	r->page_size = offset + 1;
	r->entry = e;
	r->entry_pa = d->entry_pa;
	r->error_code = 0;
	r->status = PW_OK;
	r->level = (int8_t)level;
	r->rule = PW_RULE_NONE;
	r->rights = (uint8_t)grant;
	r->user = (uint8_t)(grant >> 8);
	r->supervisor = (uint8_t)(grant >> 16);
	r->implicit = (uint8_t)(grant >> 24);
	r->flags = pw_page_flags(f, shape, e, d->or_fold);
	r->memory_type = pw_type_index(shape, e);
	r->key = f->key_bits ? (uint8_t)(e >> f->key_bit & PW_LOW(f->key_bits)) : 0;
	return pw_quick_grants(grant, access);
}

enum quick {
	QUICK_DOWN, /* d->table is the next table */
	QUICK_DONE, /* translated */
	QUICK_NOT,  /* anything else: the full path decides */
};

PW_INLINE enum quick quick_step(const struct pw_format *f, const struct pw_space *s, unsigned level,
	pw_va va, pw_access access, struct descent *d, struct pw_result *r)
{
	const struct pw_level *row = &f->level[level];
	uint64_t present = row->present_all;
	pw_pa at = d->table + index_at(row, va) * f->entry_bytes;
	uint64_t offset = at - s->window.base;

	if (PW_UNLIKELY(offset >= s->window_reach))
		return QUICK_NOT;
	d->entry = pw_peek(f, (const char *)s->window.host + offset);
	d->entry_pa = at;
	if (pw_is_table(row, d->entry)) {
		if (PW_UNLIKELY((d->entry & s->quick_table[level]) != present))
			return QUICK_NOT;
		pw_fold(row, d->entry, &d->and_fold, &d->or_fold);
		d->table = (d->entry & row->table_address) << f->address_left;
		return QUICK_DOWN;
	}
	if (PW_UNLIKELY(!row->page.size_log2 || (d->entry & s->quick_page[level]) != present))
		return QUICK_NOT;
	return PW_LIKELY(quick_page(f, s, level, d, va, access, r)) ? QUICK_DONE : QUICK_NOT;
}

/*
 * For constant rows: unrolled by hand, so that `level` is a constant in every instance, and without
 * a word for what goes wrong: then it returns false, and the full path walks anew. Nothing of this
 * attempt is kept, so the answer always comes from entries that were each loaded once.
 */
PW_INLINE bool quick(const struct pw_format *f, const struct pw_space *s, pw_va va,
	pw_access access, struct pw_result *r)
{
	struct descent d = from_root(s);
	enum quick step = QUICK_DOWN;

	_Static_assert(PW_MAX_LEVELS == 6, "one line a level");
	if (PW_UNLIKELY(access > 63 || !(s->quick_accesses >> access & 1)))
		return false;
	if (PW_UNLIKELY(!pw_takes(f->extension, f->va_bits, va)))
		return false;
	if (f->levels > 5 && (step = quick_step(f, s, 5, va, access, &d, r)) != QUICK_DOWN)
		return step == QUICK_DONE;
	if (f->levels > 4 && (step = quick_step(f, s, 4, va, access, &d, r)) != QUICK_DOWN)
		return step == QUICK_DONE;
	if (f->levels > 3 && (step = quick_step(f, s, 3, va, access, &d, r)) != QUICK_DOWN)
		return step == QUICK_DONE;
	if (f->levels > 2 && (step = quick_step(f, s, 2, va, access, &d, r)) != QUICK_DOWN)
		return step == QUICK_DONE;
	if (f->levels > 1 && (step = quick_step(f, s, 1, va, access, &d, r)) != QUICK_DOWN)
		return step == QUICK_DONE;
	return quick_step(f, s, 0, va, access, &d, r) == QUICK_DONE;
}

/* ---- The full path ---- */

/* The loop is unrolled for constant rows, where the level count is known. */
PW_INLINE enum pw_status in_full(const struct pw_format *f, const struct pw_space *s, pw_va va,
	pw_access access, struct pw_result *r)
{
	struct descent d = from_root(s);
	enum pw_status status = PW_OK;

	if (PW_UNLIKELY(!pw_takes(s->extension, f->va_bits, va)))
		return not_canonical(s, va, access, r);
#pragma GCC unroll 6
	for (unsigned level = f->levels; level > 0; level--) {
		if (!step_down(f, s, level - 1, va, access, &d, &status, r))
			break;
	}
	return status;
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
	r->supervisor = r->implicit = s->grant[0] >> 4 & 7;
	return PW_OK;
}

/* Not inlined, so that the quick path needs no stack frame. */
static PW_NOINLINE enum pw_status decide(
	const struct pw_space *space, pw_va va, pw_access access, struct pw_result *result)
{
	struct pw_result unwanted;

	if (!result)
		result = &unwanted;
	if (!pw_is_access(space, access))
		return refuse_access(va, result);
	if (space->format->levels == 0)
		return identity(space, va, result);
	if (space->engine == PW_ENGINE_X86_64)
		return in_full(&pw_row_x86_64, space, va, access, result);
	return in_full(space->format, space, va, access, result);
}

enum pw_status pw_translate(
	const struct pw_space *space, pw_va va, pw_access access, struct pw_result *result)
{
	if (PW_LIKELY(space->engine == PW_ENGINE_X86_64 && result)) {
		if (PW_LIKELY(quick(&pw_row_x86_64, space, va, access, result)))
			return PW_OK;
	}
	return decide(space, va, access, result);
}

enum pw_status pw_translate_trace(const struct pw_space *space, pw_va va, pw_access access,
	struct pw_result *result, struct pw_trace_step *steps, size_t *count)
{
	const struct pw_format *f = space->format;
	struct descent d = from_root(space);
	enum pw_status status = PW_OK;
	unsigned level = f->levels;
	struct pw_result unwanted;
	bool more = true;

	if (!result)
		result = &unwanted;
	*count = 0;
	if (!pw_is_access(space, access))
		return refuse_access(va, result);
	if (level == 0)
		return identity(space, va, result);
	if (!pw_takes(space->extension, f->va_bits, va))
		return not_canonical(space, va, access, result);
	while (more && level-- > 0) {
		pw_pa table = d.table;

		more = step_down(f, space, level, va, access, &d, &status, result);
		if (!more && result->status == PW_NO_MEMORY)
			break;
		steps[*count] = (struct pw_trace_step){.table = table,
			.entry = d.entry,
			.index = (uint32_t)index_at(&f->level[level], va),
			.level = (uint8_t)level,
			.kind = (uint8_t)(more                               ? PW_TABLE
					  : result->status == PW_RESERVED    ? PW_BAD
					  : result->status == PW_NOT_PRESENT ? PW_HOLE
									     : PW_PAGE)};
		++*count;
	}
	return status;
}
