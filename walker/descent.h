/* SPDX-License-Identifier: MIT */
/*
 * Private: one step down the tables, and how it ends: at a page, or with the reason why there is
 * none. Inline for each row that translate.c, which alone has it, makes an instance of.
 */
#ifndef PW_PRIVATE_DESCENT_H
#define PW_PRIVATE_DESCENT_H

#include "access.h"
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

#endif
