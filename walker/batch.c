/* SPDX-License-Identifier: MIT */
/* Batches: groups of walks that go down together, and the full path for what is left over. */
#include "kernels.h"
#include "plan.h"
#include "quick_walk.h"

/* Walks in flight. Fewer leave the memory idle, more fall out of the first-level cache. */
#define GROUP 128

/* ---- One walk after the other: best where nothing has to be waited for ---- */

PW_INLINE void put_hit(const struct pw_space *s, const struct pw_quick *q, pw_va va, void *to)
{
	unsigned shift = pw_row_x86_64.level[q->level].shift;
	uint64_t low = PW_LOW(shift);

	pw_put_hit(to, (q->entry & s->quick_address & ~low) | (va & low),
		pw_x86_info(q->level, shift, q->entry, s->quick_grant[q->index]));
}

static size_t walk_singly(const struct pw_space *s, const pw_va *va, unsigned count,
	pw_access access, struct pw_hit *hits)
{
	uint64_t base = s->window.base;
	size_t done = 0;

	for (unsigned i = 0; i < count; i++) {
		if (PW_LIKELY(base ? pw_quick_walk(s, base, va[i], access, put_hit, &hits[i])
				   : pw_quick_walk(s, 0, va[i], access, put_hit, &hits[i])))
			done++;
		else
			hits[i].status = PW_UNSTABLE;
	}
	return done;
}

/* ---- All walks of a group together ---- */

/*
 * There is no branch that depends on an entry: mixed page sizes would mispredict every other one. A
 * walk that has ended goes round with the others, but what it loads is its own copy of the entry in
 * which it ended; one that leaves the window loads a hole.
 */
struct group {
	const pw_word *at[GROUP]; /* the next entry */
	uint64_t entry[GROUP];    /* the last one */
	uint64_t fold[GROUP];     /* AND of all, with XD turned round */
	uint16_t level[GROUP];    /* of the next entry */
};

static const pw_word hole;

static void group_begin(const struct pw_space *s, const pw_va *va, unsigned count, struct group *g)
{
	for (unsigned i = 0; i < count; i++) {
		if (PW_UNLIKELY(!pw_quick_begin(s, va[i], &g->at[i])))
			g->at[i] = &hole;
		g->fold[i] = ~(uint64_t)0;
		g->level[i] = 3;
	}
}

/* One level for every walk of the group. */
PW_INLINE void group_step(const struct pw_space *s, const struct pw_plan *plan, unsigned level,
	const pw_va *va, unsigned count, struct group *g)
{
	const struct pw_level *below = &pw_row_x86_64.level[level - 1];

	const char *host = s->window.host;

	for (unsigned i = 0; i < count; i++) {
		uint64_t e = pw_peek(&pw_row_x86_64, g->at[i]);
		uint64_t down = (e & plan->table) == X86_P;
		uint64_t next = (e & s->quick_address) + (pw_index_at(below, va[i]) << 3);
		uintptr_t self = (uintptr_t)&g->entry[i];

		/* Masked first, so that the comparison almost never comes out otherwise. */
		next = (next - s->window.base) & -down;
		g->entry[i] = PW_HOST_BIG ? __builtin_bswap64(e) : e; /* as in the window */
		g->fold[i] &= e ^ X86_XD;
		g->level[i] = (uint16_t)(g->level[i] - down);
		self ^= (self ^ ((uintptr_t)host + (uintptr_t)next)) & -(uintptr_t)down;
		if (PW_UNLIKELY(next >= s->window_reach))
			self = (uintptr_t)&hole;
		g->at[i] = (const pw_word *)self;
		PW_PREFETCH((const pw_word *)self);
	}
}

/* The last level, and the answers. Returns how many there are. */
static size_t group_end(const struct pw_space *s, const struct pw_plan *plan, const pw_va *va,
	unsigned count, const struct group *g, struct pw_hit *hits)
{
	size_t done = 0;

	for (unsigned i = 0; i < count; i++) {
		uint64_t e = pw_peek(&pw_row_x86_64, g->at[i]), level = g->level[i];
		uint64_t fold = g->fold[i] & (e ^ X86_XD), low = plan->page[level].low;
		unsigned index = (unsigned)(fold << 1 | fold >> 63) & 15;
		uint64_t good = plan->good[index] &
				((e & plan->page[level].check) == plan->page[level].value);
		uint64_t info =
			pw_x86_info(0, 0, e, 0) | plan->page[level].info | plan->grant[index];

		if (PW_UNLIKELY(!good))
			info = PW_UNSTABLE;
		pw_put_hit(&hits[i], (e & s->quick_address & ~low) | (va[i] & low), info);
		done += good;
	}
	return done;
}

static size_t walk_together(const struct pw_space *s, const struct pw_plan *plan, const pw_va *va,
	unsigned count, struct pw_hit *hits)
{
	struct group g;

	group_begin(s, va, count, &g);
	group_step(s, plan, 3, va, count, &g);
	group_step(s, plan, 2, va, count, &g);
	group_step(s, plan, 1, va, count, &g);
	return group_end(s, plan, va, count, &g, hits);
}

size_t pw_batch_plain(const struct pw_space *space, const pw_va *va, size_t count, pw_access access,
	struct pw_hit *hits)
{
	struct pw_plan plan;
	size_t done = 0;

	pw_make_plan(space, access, &plan);
	for (size_t at = 0; at < count; at += GROUP) {
		unsigned some = count - at < GROUP ? (unsigned)(count - at) : GROUP;

		if (pw_lie_near(va + at, some))
			done += walk_singly(space, va + at, some, access, hits + at);
		else
			done += walk_together(space, &plan, va + at, some, hits + at);
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
