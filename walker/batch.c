/* SPDX-License-Identifier: MIT */
/* Batches: groups of walks that go down together, and the full path for what is left over. */
#include "hit.h"
#include "kernels.h"
#include "quick.h"

/* Walks in flight. Fewer leave the memory idle, more fall out of the first-level cache. */
#define GROUP 128

#if defined(__GNUC__)
#define PREFETCH(at) __builtin_prefetch(at)
#else
#define PREFETCH(at) (void)(at)
#endif

struct group {
	uint64_t offset[GROUP]; /* of the next entry, in the window */
	uint64_t and_fold[GROUP], or_fold[GROUP];
	uint16_t active[GROUP]; /* the walks that still go down */
	unsigned active_count;
};

PW_INLINE uint64_t entry_offset(
	const struct pw_space *s, const struct pw_level *row, pw_pa table, pw_va va)
{
	return table + ((va >> row->shift & PW_LOW(row->index_bits)) << 3) - s->window.base;
}

static void group_begin(const struct pw_format *f, const struct pw_space *s, const pw_va *va,
	unsigned count, struct group *g, struct pw_hit *hits)
{
	g->active_count = 0;
	for (unsigned i = 0; i < count; i++) {
		hits[i].status = PW_UNSTABLE;
		g->and_fold[i] = ~(uint64_t)0;
		g->or_fold[i] = 0;
		g->offset[i] = entry_offset(s, &f->level[f->levels - 1], s->root, va[i]);
		g->active[g->active_count] = (uint16_t)i;
		g->active_count += pw_takes(f->extension, f->va_bits, va[i]);
	}
}

PW_INLINE bool group_page(const struct pw_format *f, const struct pw_space *s, unsigned level,
	uint64_t e, uint64_t and_fold, uint64_t or_fold, pw_va va, pw_access access,
	struct pw_hit *hit)
{
	const struct pw_page *shape = &f->level[level].page;
	uint64_t low = PW_LOW(shape->size_log2);
	unsigned index = pw_quick_index(and_fold & e, or_fold | e);
	uint64_t grant = s->quick_grant[index];

	if (!shape->size_log2 || e & s->quick_page[level] ||
		!(s->quick_allowed[index] >> access & 1))
		return false;
	hit->pa = (e & s->quick_address & ~low) | (va & low);
	hit->status = PW_OK;
	hit->level = (int8_t)level;
	hit->size_log2 = shape->size_log2;
	hit->flags = (uint8_t)(pw_look(level, e) >> 32) & ~PW_RESULT_ENTRY;
	hit->rights = (uint8_t)grant;
	hit->user = (uint8_t)(grant >> 8);
	hit->supervisor = (uint8_t)(grant >> 16);
	hit->implicit = (uint8_t)(grant >> 24);
	return true;
}

/* One level for every walk of the group. Returns how many ended in a page. */
PW_INLINE size_t group_step(const struct pw_format *f, const struct pw_space *s, unsigned level,
	const pw_va *va, pw_access access, struct group *g, struct pw_hit *hits)
{
	const struct pw_level *row = &f->level[level];
	unsigned left = 0;
	size_t done = 0;

	for (unsigned n = 0; n < g->active_count; n++) {
		unsigned i = g->active[n];
		uint64_t e;

		if (PW_UNLIKELY(g->offset[i] >= s->window_reach))
			continue;
		e = pw_peek(f, (const char *)s->window.host + g->offset[i]);
		if (!pw_is_table(row, e)) {
			done += group_page(f, s, level, e, g->and_fold[i], g->or_fold[i], va[i],
				access, &hits[i]);
			continue;
		}
		if (PW_UNLIKELY((e & (s->quick_reserved | row->present_all)) != row->present_all))
			continue;
		pw_fold(row, e, &g->and_fold[i], &g->or_fold[i]);
		g->offset[i] = entry_offset(
			s, &f->level[level ? level - 1 : 0], e & s->quick_address, va[i]);
		PREFETCH((const char *)s->window.host + g->offset[i]);
		g->active[left++] = (uint16_t)i;
	}
	g->active_count = left;
	return done;
}

PW_INLINE size_t group_walk(const struct pw_format *f, const struct pw_space *s, const pw_va *va,
	unsigned count, pw_access access, struct group *g, struct pw_hit *hits)
{
	size_t done = 0;

	group_begin(f, s, va, count, g, hits);
#pragma GCC unroll 6
	for (unsigned level = f->levels; level > 0; level--)
		done += group_step(f, s, level - 1, va, access, g, hits);
	return done;
}

size_t pw_batch_plain(const struct pw_space *space, const pw_va *va, size_t count, pw_access access,
	struct pw_hit *hits)
{
	struct group group;
	size_t done = 0;

	for (size_t at = 0; at < count; at += GROUP) {
		unsigned some = count - at < GROUP ? (unsigned)(count - at) : GROUP;

		done += group_walk(&pw_row_x86_64, space, va + at, some, access, &group, hits + at);
	}
	return done;
}

/* The full path for what the quick one has not decided. */
static size_t decide_rest(const struct pw_space *space, const pw_va *va, size_t count,
	pw_access access, struct pw_hit *hits)
{
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		struct pw_result result;

		if (hits[i].status != PW_UNSTABLE)
			continue;
		done += pw_translate(space, va[i], access, &result) == PW_OK;
		pw_hit_from(&result, &hits[i]);
	}
	return done;
}

size_t pw_translate_batch(const struct pw_space *space, const pw_va *va, size_t count,
	pw_access access, struct pw_hit *hits)
{
	const struct pw_kernels *kernels = space->memory->kernels;
	size_t done = 0;

	if (space->window_reach && access < 64 && space->quick_accesses >> access & 1) {
		done = kernels ? kernels->batch(space, va, count, access, hits)
			       : pw_batch_plain(space, va, count, access, hits);
	} else {
		for (size_t i = 0; i < count; i++)
			hits[i].status = PW_UNSTABLE;
	}
	if (done < count)
		done += decide_rest(space, va, count, access, hits);
	return done;
}
