/* SPDX-License-Identifier: MIT */
/*
 * Translation: one descent, written once, instantiated with constant rows for the hot formats and
 * with the run-time pointer for all others.
 */
#include "descent.h"
#include "linear.h"

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
