/* SPDX-License-Identifier: MIT */
/*
 * Translation: one descent, written once, instantiated with constant rows for the hot formats and
 * with the run-time pointer for all others.
 */
#include "access.h"
#include "linear.h"
#include "quick_walk.h"

/* What a descent carries down. Only ever a local of an inlined function: it stays in registers. */
struct descent {
	pw_pa table;
	uint64_t entry;             /* the last one that could be read, */
	pw_pa entry_pa;             /* and where it stands */
	uint64_t and_fold, or_fold; /* over the table entries, without the page's */
};

/* Field by field: of a whole that is empty but for some, gcc makes a slow string instruction. */
PW_INLINE void put_nothing(
	pw_va va, enum pw_status status, int level, const struct descent *at, struct pw_result *r)
{
	r->va = va;
	r->pa = 0;
	r->page_size = 0;
	r->entry = at ? at->entry : 0;
	r->entry_pa = at ? at->entry_pa : 0;
	r->error_code = 0;
	r->status = (uint8_t)status;
	r->level = (int8_t)level;
	r->rule = PW_RULE_NONE;
	r->key = 0;
	r->rights = r->user = r->supervisor = r->implicit = 0;
	r->flags = at ? PW_RESULT_ENTRY : 0;
	r->memory_type = 0;
	r->zero[0] = r->zero[1] = 0;
}

/* The walk ended without a page; level is that of the entry, or of the table that is not there. */
static PW_NOINLINE enum pw_status no_page(const struct pw_space *s, pw_va va, pw_access access,
	enum pw_status status, int level, const struct descent *at, struct pw_result *r)
{
	/* The root's table is not there, or none was looked for: no entry was read. */
	if (level < 0 || (status == PW_NO_MEMORY && level + 1 == s->format->levels))
		at = NULL;
	put_nothing(va, status, level, at, r);
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

/* The format has instances of its own, and quick tables in the space. */
PW_INLINE bool is_hot(const struct pw_format *f)
{
	return f == &pw_row_x86_64;
}

/* The result of a page that grants the access, for the hot rows. */
PW_INLINE void put_page(const struct pw_space *s, const struct pw_quick *q, pw_va va, void *to)
{
	const struct pw_format *f = &pw_row_x86_64;
	uint64_t offset = PW_LOW(f->level[q->level].page.size_log2);
	/* The address of the smallest page has no lower bits. */
	uint64_t address = q->level ? s->quick_address & ~offset : s->quick_address;
	struct pw_result *r = to;

	r->va = va;
	r->pa = (q->entry & address) | (va & offset);
	r->page_size = offset + 1;
	r->entry = q->entry;
	r->entry_pa = q->at;
	pw_put_tail(r, q->level, pw_quick_key(q->entry),
		s->quick_grant[q->index] | pw_look(q->level, q->entry));
}

PW_INLINE enum pw_status any_page(const struct pw_format *f, const struct pw_space *s,
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
	r->zero[0] = r->zero[1] = 0;
	r->key = f->key_bits ? (uint8_t)(d->entry >> f->key_bit & PW_LOW(f->key_bits)) : 0;
	r->rule = PW_RULE_NONE;
	if (PW_LIKELY(!(s->flags & PW_SPACE_CAREFUL) && pw_is_granted(grant, access)))
		return PW_OK;
	return pw_judge(s, grant, d->and_fold, access, r);
}

/* A hot row's page that takes more than a look: keys, or a refusal. */
static PW_NOINLINE enum pw_status slow_page(const struct pw_space *s, unsigned level,
	const struct descent *at, pw_va va, pw_access access, struct pw_result *r)
{
	const struct pw_format *f = s->format;

	return any_page(f, s, &f->level[level].page, level, at, va, access, r);
}

PW_INLINE enum pw_status page_found(const struct pw_format *f, const struct pw_space *s,
	const struct pw_page *shape, unsigned level, const struct descent *d, pw_va va,
	pw_access access, struct pw_result *r)
{
	const struct pw_quick q = {.at = d->entry_pa,
		.entry = d->entry,
		.level = level,
		.index = pw_quick_index(d->and_fold & d->entry, d->or_fold | d->entry)};

	if (!is_hot(f))
		return any_page(f, s, shape, level, d, va, access, r);
	if (PW_UNLIKELY(access > 63 || !pw_is_quick_page(s, &q, access))) {
		/* A copy: see end_without_page(). */
		const struct descent at = *d;

		return slow_page(s, level, &at, va, access, r);
	}
	put_page(s, &q, va, r);
	return PW_OK;
}

/* Reads the entry for va in d->table. False: no memory there. */
PW_INLINE bool read_entry(const struct pw_format *f, const struct pw_space *s, unsigned level,
	pw_va va, struct descent *d)
{
	uint64_t index = pw_index_at(&f->level[level], va);
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

/* d's entry, of this level. True: d->table is the next table. False: the walk ends with *status. */
PW_INLINE bool follow(const struct pw_format *f, const struct pw_space *s, unsigned level, pw_va va,
	pw_access access, struct descent *d, enum pw_status *status, struct pw_result *r)
{
	const struct pw_level *row = &f->level[level];
	const struct pw_page *shape;
	bool bad;

	if (PW_UNLIKELY(!pw_is_present(row, d->entry))) {
		*status = end_without_page(s, va, access, PW_NOT_PRESENT, (int)level, d, r);
		return false;
	}
	if (pw_is_table(row, d->entry)) {
		bad = pw_table_is_bad(s, row, level, d->entry);
		if (PW_LIKELY(!bad)) {
			pw_fold(row, d->entry, &d->and_fold, &d->or_fold);
			d->table = is_hot(f) ? d->entry & s->quick_address
					     : pw_table_address(f, s, row, d->entry);
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

/* One level, as above, with its entry yet to be read. */
PW_INLINE bool step_down(const struct pw_format *f, const struct pw_space *s, unsigned level,
	pw_va va, pw_access access, struct descent *d, enum pw_status *status, struct pw_result *r)
{
	if (PW_UNLIKELY(!read_entry(f, s, level, va, d))) {
		*status = end_without_page(s, va, access, PW_NO_MEMORY, (int)level, d, r);
		return false;
	}
	return follow(f, s, level, va, access, d, status, r);
}

PW_INLINE struct descent from_root(const struct pw_space *s)
{
	return (struct descent){.table = s->root, .and_fold = ~(uint64_t)0};
}

/* Ends without a table: by the address alone. */
static PW_NOINLINE enum pw_status refuse_address(const struct pw_space *s, pw_va va,
	pw_access access, enum pw_status status, struct pw_result *r)
{
	return no_page(s, va, access, status, -1, NULL, r);
}

/* ---- The full path ---- */

/* The loop is unrolled for constant rows, where the level count is known. */
PW_INLINE enum pw_status in_full(const struct pw_format *f, const struct pw_space *s, pw_va va,
	pw_access access, struct pw_result *r)
{
	struct descent d = from_root(s);
	enum pw_status status = PW_OK;

	if (PW_UNLIKELY(!pw_takes(is_hot(f) ? f->extension : s->extension, f->va_bits, va)))
		return refuse_address(s, va, access, PW_NON_CANONICAL, r);
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

/* The rest of a walk by callbacks, from an entry of this level on that has been read. */
static PW_NOINLINE enum pw_status x86_64_from(const struct pw_space *s, unsigned level, pw_va va,
	pw_access access, const struct descent *above, struct pw_result *r)
{
	struct descent d = *above;
	enum pw_status status = PW_OK;

	while (follow(&pw_row_x86_64, s, level, va, access, &d, &status, r)) {
		level--;
		if (!read_entry(&pw_row_x86_64, s, level, va, &d))
			return end_without_page(s, va, access, PW_NO_MEMORY, (int)level, &d, r);
	}
	return status;
}

/*
 * One comparison tells the usual entries; at others the walk goes on in full. XD is folded as its
 * opposite, by AND like the others: what is kept over calls is little.
 */
static PW_SEPARATE enum pw_status x86_64_by_callback(
	const struct pw_space *s, pw_va va, pw_access access, struct pw_result *r)
{
	const struct pw_format *f = &pw_row_x86_64;
	const struct pw_memory *memory = s->memory;
	uint64_t fold = ~(uint64_t)0;
	struct pw_quick q = {.at = 0};
	pw_pa table = s->root;

	if (PW_UNLIKELY(!pw_takes(f->extension, f->va_bits, va)))
		return refuse_address(s, va, access, PW_NON_CANONICAL, r);
#if !defined(__clang__) /* which takes what it cannot do for an error, and may do it unasked */
#pragma GCC unroll 4
#endif
	for (q.level = f->levels; q.level-- > 0;) {
		pw_pa at = table + (pw_index_at(&f->level[q.level], va) << 3);
		uint64_t entry;

		if (PW_UNLIKELY(!memory->read_pte(memory->ctx, at, 8, &entry))) {
			const struct descent d = {.entry = q.entry, .entry_pa = q.at};

			return no_page(s, va, access, PW_NO_MEMORY, (int)q.level, &d, r);
		}
		q.entry = entry;
		q.at = at;
		if (q.level == 0 || (entry & (s->quick_reserved | X86_PS | X86_P)) != X86_P)
			break;
		fold &= entry ^ X86_XD;
		table = entry & s->quick_address;
	}
	q.index = pw_quick_index(fold & q.entry, ~fold | q.entry);
	if (PW_UNLIKELY(q.level > 0 || access > 63 || !pw_is_quick_page(s, &q, access))) {
		const struct descent d = {.entry = q.entry,
			.entry_pa = q.at,
			.and_fold = fold,
			.or_fold = ~fold & X86_XD};

		if (!(q.entry & X86_P))
			return no_page(s, va, access, PW_NOT_PRESENT, (int)q.level, &d, r);
		return x86_64_from(s, q.level, va, access, &d, r);
	}
	q.level = 0;
	put_page(s, &q, va, r);
	return PW_OK;
}

/* A window that does not begin at address 0 costs the quick path a subtraction a level. */
static PW_SEPARATE enum pw_status x86_64_in_full(
	const struct pw_space *s, pw_va va, pw_access access, struct pw_result *r)
{
	if (s->window.base && access < 64 &&
		pw_quick_walk(s, s->window.base, va, access, put_page, r))
		return PW_OK;
	return in_full(&pw_row_x86_64, s, va, access, r);
}

static PW_SEPARATE enum pw_status any_in_full(
	const struct pw_space *s, pw_va va, pw_access access, struct pw_result *r)
{
	return in_full(s->format, s, va, access, r);
}

/* Not inlined, so that the quick path needs no stack frame. */
static PW_SEPARATE enum pw_status decide(
	const struct pw_space *space, pw_va va, pw_access access, struct pw_result *result)
{
	struct pw_result unwanted;

	if (!result)
		result = &unwanted;
	if (!pw_is_access(space, access))
		return refuse_access(va, result);
	if (space->engine == PW_ENGINE_X86_64)
		return x86_64_in_full(space, va, access, result);
	if (space->engine == PW_ENGINE_X86_64_BY_CALLBACK)
		return x86_64_by_callback(space, va, access, result);
	if (space->format->levels == 0)
		return identity(space, va, result);
	if (pw_has_linear_rules(space)) {
		enum pw_status status = pw_linear(space, &va, access);

		if (status != PW_OK)
			return refuse_address(space, va, access, status, result);
	}
	return any_in_full(space, va, access, result);
}

enum pw_status pw_translate(
	const struct pw_space *space, pw_va va, pw_access access, struct pw_result *result)
{
	if (PW_LIKELY(result && access < 64)) {
		if (PW_LIKELY(pw_quick_walk(space, 0, va, access, put_page, result)))
			return PW_OK;
		if (space->engine == PW_ENGINE_X86_64_BY_CALLBACK &&
			space->quick_accesses >> access & 1)
			return x86_64_by_callback(space, va, access, result);
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
	if (pw_has_linear_rules(space))
		status = pw_linear(space, &va, access);
	else if (!pw_takes(space->extension, f->va_bits, va))
		status = PW_NON_CANONICAL;
	if (status != PW_OK)
		return refuse_address(space, va, access, status, result);
	while (more && level-- > 0) {
		pw_pa table = d.table;

		more = step_down(f, space, level, va, access, &d, &status, result);
		if (!more && result->status == PW_NO_MEMORY)
			break;
		steps[*count] = (struct pw_trace_step){.table = table,
			.entry = d.entry,
			.index = (uint32_t)pw_index_at(&f->level[level], va),
			.level = (uint8_t)level,
			.kind = (uint8_t)(more                               ? PW_TABLE
					  : result->status == PW_RESERVED    ? PW_BAD
					  : result->status == PW_NOT_PRESENT ? PW_HOLE
									     : PW_PAGE)};
		++*count;
	}
	return status;
}
