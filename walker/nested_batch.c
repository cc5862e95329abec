/* SPDX-License-Identifier: MIT */
/* Two-stage walks in groups that go down together, and the rest one by one. */
#include "nested_walk.h"

/* Walks in flight; see batch.c. */
#define GROUP 128

/* No level: this walk is made alone. */
#define ALONE 4

struct group {
	uint64_t at[GROUP]; /* offset in the window of the next entry, or of the page's */
	uint64_t and_fold[GROUP], or_fold[GROUP]; /* of the tables' entries */
	uint8_t level[GROUP];                     /* of that entry */
};

/* The entries of the root. */
static void group_begin(const struct pw_space *one, const struct pw_space *two, struct under *u,
	const pw_va *va, unsigned count, struct group *g)
{
	for (unsigned i = 0; i < count; i++) {
		g->and_fold[i] = ~(uint64_t)0;
		g->or_fold[i] = 0;
		g->level[i] = ALONE;
		if (PW_LIKELY(is_canonical(va[i]) &&
			      guest_at(u, two, entry_pa(one->root, 3, va[i]), &g->at[i])))
			g->level[i] = 3;
	}
}

/* One level for every walk that has come to it and finds a table. */
PW_INLINE void group_step(const struct pw_space *one, const struct pw_space *two, struct under *u,
	unsigned level, const pw_va *va, unsigned count, struct group *g)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t e;

		if (PW_UNLIKELY(g->level[i] != level))
			continue;
		e = peek(u->host, g->at[i]);
		if (level < 3 && PW_UNLIKELY(e & PS))
			continue; /* a page: its entry stays where g->at[i] is */
		g->and_fold[i] &= e;
		g->or_fold[i] |= e;
		g->level[i] = ALONE;
		/* Without P there is nothing to go on to, and the next address would be noise. */
		if (PW_UNLIKELY(!(e & X86_P)) ||
			PW_UNLIKELY(!guest_at(u, two,
				entry_pa(e & one->quick_address, level - 1, va[i]), &g->at[i])))
			continue;
		g->level[i] = (uint8_t)(level - 1);
		PW_PREFETCH((const char *)u->host + g->at[i]);
	}
}

/* The page's entry, which is loaded here and nowhere else, and what stage 2 makes of it. */
PW_INLINE bool group_page(const struct pw_space *one, const struct pw_space *two,
	const struct under *u, const struct need *need, pw_va va, const struct group *g, unsigned i,
	struct pw_nested_hit *hit)
{
	struct nested_page from = {.level = g->level[i]}, to;
	uint64_t e = peek(u->host, g->at[i]), bad;
	struct nested_grant grant;

	/* Where a page stood a moment ago there may be a table now. */
	if (PW_UNLIKELY(from.level && !(e & PS)))
		return false;
	from.entry = e;
	from.index = guest_index(g->and_fold[i], g->or_fold[i], e);
	from.offset = PW_LOW(12 + 9 * from.level);
	from.pa = (e & one->quick_address & ~from.offset) | (va & from.offset);
	bad = guest_refuses(one, need, g->and_fold[i], g->or_fold[i], &from);
	if (PW_UNLIKELY(!second_2m(u, two, from.pa, &to, &bad)) &&
		!pw_nested_aside(two, from.pa, 0, &to))
		return false;
	grant = pw_nested_grant(one, two, &from, &to);
	if (PW_UNLIKELY(bad | (~grant.both & need->grant)))
		return false;
	hit->gpa = from.pa;
	hit->pa = to.pa;
	hit->page_size = (from.offset < to.offset ? from.offset : to.offset) + 1;
	pw_nested_put_hit_head(hit, grant.both);
	return true;
}

/* A group of addresses, together. What they come to nothing for is left PW_UNSTABLE. */
static size_t walk_group(const struct pw_space *one, const struct pw_space *two, const pw_va *va,
	unsigned count, pw_access access, struct pw_nested_hit *hits)
{
	struct under u = under(two, two->engine == PW_ENGINE_EPT_4, two->window.base, access);
	const struct need need = needed(two, access);
	bool together = find_tables(&u, two, one->root);
	struct group g;
	size_t done = 0;

	if (together) {
		group_begin(one, two, &u, va, count, &g);
		group_step(one, two, &u, 3, va, count, &g);
		group_step(one, two, &u, 2, va, count, &g);
		group_step(one, two, &u, 1, va, count, &g);
		/* The pages of all tables are judged together. */
		together = tables_are_good(&u, two);
	}
	for (unsigned i = 0; i < count; i++) {
		if (PW_LIKELY(together && g.level[i] != ALONE &&
			      group_page(one, two, &u, &need, va[i], &g, i, &hits[i])))
			done++;
		else
			hits[i].status = PW_UNSTABLE;
	}
	return done;
}

static bool answer_alone(const struct pw_space *one, const struct pw_space *two, pw_va va,
	pw_access access, struct pw_nested_hit *hit)
{
	struct pw_nested_result r;
	enum pw_status status = pw_nested_translate(one, two, va, access, &r);

	*hit = (struct pw_nested_hit){
		.gpa = r.gpa,
		.pa = r.pa,
		.page_size = r.page_size,
		.status = r.status,
		.stage = r.stage,
		.during = r.during,
		.level = r.level,
		.rights = r.rights,
		.user = r.user,
		.supervisor = r.supervisor,
		.implicit = r.implicit,
	};
	return status == PW_OK;
}

size_t pw_nested_translate_batch(const struct pw_space *stage1, const struct pw_space *stage2,
	const pw_va *va, size_t count, pw_access access, struct pw_nested_hit *hits)
{
	bool quick = stage1 && stage2 && is_quick_pair(stage1, stage2, access);
	size_t done = 0;

	for (size_t at = 0; at < count; at += GROUP) {
		unsigned some = count - at < GROUP ? (unsigned)(count - at) : GROUP;
		size_t together =
			quick ? walk_group(stage1, stage2, va + at, some, access, hits + at) : 0;

		done += together;
		for (size_t i = at; i < at + some && together < some; i++)
			if (!quick || hits[i].status == PW_UNSTABLE)
				done += answer_alone(stage1, stage2, va[i], access, &hits[i]);
	}
	return done;
}
