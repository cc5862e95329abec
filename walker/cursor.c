/* SPDX-License-Identifier: MIT */
/* Cursors: what to remember of a walk. */
#include <pagewalk/cursor.h>

#include "access.h"
#include "hit.h"
#include "quick.h"

/* Remembers a hole, for address 0 alone. */
static void forget(struct pw_cursor *c)
{
	static const uint64_t hole = 0;

	c->table = &hole;
	c->first = 0;
	c->outside = ~(uint64_t)0;
	c->scale = 0;
	c->check = c->value = X86_P;
	c->same = c->kind = X86_P;
}

enum pw_status pw_cursor_begin(
	struct pw_cursor *cursor, const struct pw_space *space, pw_access access)
{
	*cursor = (struct pw_cursor){.space = space, .access = access, .seen = ~(pw_va)0};
	forget(cursor);
	return pw_is_access(space, access) ? PW_OK : PW_E_ARGUMENT;
}

/* A walk down to the table at which `level` is reached. */
struct way {
	pw_pa table;
	uint64_t all, any; /* the folds of the tables' entries */
};

/* False: not all of it is in the window, or in order. */
static bool walk_to(const struct pw_space *s, unsigned level, pw_va va, struct way *way)
{
	*way = (struct way){.table = s->root, .all = ~(uint64_t)0};
	for (unsigned i = s->format->levels - 1u;; i--) {
		const struct pw_level *row = &pw_row_x86_64.level[i];
		uint64_t offset = way->table - s->window.base, e;

		if (offset >= s->window_reach ||
			s->window.size - offset < PW_BIT(row->index_bits + 3))
			return false;
		if (i == level)
			return (way->all & X86_P) && !(way->any & s->quick_reserved);
		offset += (va >> row->shift & PW_LOW(row->index_bits)) << 3;
		e = pw_peek(&pw_row_x86_64, (const char *)s->window.host + offset);
		way->all &= e;
		way->any |= e;
		way->table = e & s->quick_address;
	}
}

/*
 * W, U and XD of the page, with the tables' folded in, decide about the access. As far as the pages
 * that grant it have bits in common, and these alone decide, they can be told by one comparison.
 */
static bool granting_pages(struct pw_cursor *c, const struct way *way)
{
	uint64_t all = ~(uint64_t)0, any = 0, decides;
	unsigned granting = 0, free_bits;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t e = X86_P | (uint64_t)(i & 3) << 1 | (uint64_t)(i >> 2) << 63;
		unsigned index = pw_quick_index(way->all & e, way->any | e);

		c->hit[pw_quick_index(e, e)] |= c->space->quick_grant[index] << 32;
		if (!(c->space->quick_allowed[index] >> c->access & 1))
			continue;
		all &= e;
		any |= e;
		granting++;
	}
	decides = (X86_W | X86_U | PW_BIT(63)) & ~(all ^ any);
	free_bits = 3u - !!(decides & X86_W) - !!(decides & X86_U) - !!(decides >> 63);
	c->check = X86_P | decides;
	c->value = X86_P | (decides & all);
	return granting && granting == 1u << free_bits;
}

/* Remembers the table in which va is a page of this level, by this entry. */
static void remember(struct pw_cursor *c, pw_va va, unsigned level, uint64_t entry)
{
	const struct pw_space *s = c->space;
	const struct pw_level *row = &pw_row_x86_64.level[level];
	uint64_t span = PW_LOW(row->shift + row->index_bits), page = row->table_mask & X86_PS;
	struct way way;

	forget(c);
	if (!walk_to(s, level, va, &way))
		return;
	for (unsigned i = 0; i < 16; i++)
		c->hit[i] = (uint64_t)level << 8 | (uint64_t)row->shift << 16;
	if (!granting_pages(c, &way)) {
		forget(c);
		return;
	}
	c->check |= s->quick_page[level] | page;
	c->value |= page;
	/* The tables above were read anew: they may say something else by now. */
	if ((entry & c->check) != c->value) {
		forget(c);
		return;
	}
	c->same = c->check | X86_W | X86_U | PW_BIT(63);
	c->kind = entry & c->same;
	c->info = c->hit[pw_quick_index(entry, entry)];
	c->table = (const uint64_t *)(const void *)((const char *)s->window.host +
						    (way.table - s->window.base));
	c->first = va & ~span;
	c->outside = ~span;
	c->scale = PW_BIT(64 - 9 - row->shift);
	c->low = PW_LOW(row->shift);
	c->address = s->quick_address & ~c->low;
}

/* The page lies where the last walk from the root ended: it pays to remember the table. */
static bool comes_back(struct pw_cursor *c, pw_va va, unsigned level)
{
	const struct pw_level *row = &pw_row_x86_64.level[level];
	pw_va seen = va >> (row->shift + row->index_bits);
	bool again = c->seen == seen;

	c->seen = seen;
	return again;
}

enum pw_status pw_cursor_walk(struct pw_cursor *c, pw_va va, struct pw_hit *hit)
{
	const struct pw_space *s = c->space;
	struct pw_result result;
	enum pw_status status = pw_translate(s, va, c->access, &result);

	pw_hit_from(&result, hit);
	if (status == PW_OK && s->window_reach && c->access < 64 &&
		s->quick_accesses >> c->access & 1 && comes_back(c, va, (unsigned)result.level))
		remember(c, va, (unsigned)result.level, result.entry);
	return status;
}
