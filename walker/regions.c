/* SPDX-License-Identifier: MIT */
/*
 * Enumeration as merged regions. Every distinct table is visited once for each role (level and
 * folded rights) in which it is met; a second meeting is one region.
 */
#include "entry.h"
#include "iter.h"
#include <pagewalk/regions.h>

void *memset(void *to, int byte, size_t bytes);

/*
 * Repetitions of fewer items than this are listed in full, as long as the reads for it stay below a
 * constant and half of all: short lists can be hidden behind long chains of tables, many times
 * over.
 */
#define FEW            512
#define AGAIN          PW_BIT(20)
#define DEFAULT_BUDGET PW_BIT(26)
#define SLOTS_MAX      (SIZE_MAX < UINT32_MAX ? SIZE_MAX : UINT32_MAX)

void pw_regions_begin(struct pw_regions *regions, const struct pw_space *space, pw_va first,
	pw_va last, void *scratch, size_t scratch_bytes)
{
	size_t skew = (size_t)(-(uintptr_t)scratch & 7);

	*regions = (struct pw_regions){.budget = DEFAULT_BUDGET, .position = first};
	regions->status = pw_iter_begin(&regions->it, space, first, last);
	regions->done = regions->status != PW_OK;
	if (scratch && scratch_bytes > skew) {
		regions->memo = (struct pw_memo *)(void *)((char *)scratch + skew);
		regions->memo_slots = (scratch_bytes - skew) / sizeof *regions->memo;
		if (regions->memo_slots > SLOTS_MAX)
			regions->memo_slots = SLOTS_MAX;
		memset(regions->memo, 0, regions->memo_slots * sizeof *regions->memo);
	}
}

/* ---- Memory of the tables met ---- */

/* The bits of the folds that can make a difference below, by attribute, and the level. Never 0. */
static uint64_t role_of(const struct pw_iter *it)
{
	const struct pw_format *f = it->space->format;
	uint64_t and_fold = it->and_fold[it->level], or_fold = it->or_fold[it->level];
	uint64_t role = PW_BIT(16) | (uint64_t)it->level << 8;

	pw_fold(&f->level[it->level], it->entry, &and_fold, &or_fold);
	for (unsigned i = 0; i < f->attribute_count; i++) {
		unsigned bit = f->attribute[i].table_bit;

		if (bit == PW_NO_BIT)
			continue;
		if (f->attribute[i].fold == PW_FOLD_AND)
			role |= (and_fold >> bit & 1) << i;
		else
			role |= (or_fold >> bit & 1) << i;
	}
	return role;
}

/* The slot that holds (table, role), or the free one where it belongs, or NULL if none is free. */
static struct pw_memo *find(struct pw_regions *regions, pw_pa table, uint64_t role)
{
	uint64_t hash = ((table >> 4) ^ role << 40) * UINT64_C(0x9e3779b97f4a7c15);
	size_t slots = regions->memo_slots;
	/* A fraction of the slots, without a division. */
	size_t at = (size_t)((hash >> 32) * (uint64_t)slots >> 32);

	for (size_t tries = 0; tries < slots; tries++) {
		struct pw_memo *memo = &regions->memo[at];

		if (!memo->role || (memo->table == table && memo->role == role))
			return memo;
		at = at + 1 == slots ? 0 : at + 1;
	}
	return NULL;
}

static void remember(struct pw_regions *regions, const struct pw_memo *seen)
{
	/* One quarter stays free, so that searching stays short. */
	struct pw_memo *memo = NULL;

	if (regions->memo_used < regions->memo_slots - regions->memo_slots / 4)
		memo = find(regions, seen->table, seen->role);
	if (memo && !memo->role) {
		*memo = *seen;
		regions->memo_used++;
	}
}

/* ---- Growing the pending region ---- */

/* Makes `next` the pending region; the one before it, if any, goes out through *region. */
static bool replace(
	struct pw_regions *regions, const struct pw_region *next, struct pw_region *region)
{
	bool out = regions->has_pending;

	if (out)
		*region = regions->pending;
	regions->pending = *next;
	regions->has_pending = true;
	return out;
}

static bool follows(const struct pw_regions *regions, enum pw_region_kind kind, pw_va first)
{
	return regions->has_pending && regions->pending.kind == kind &&
	       regions->pending.last + 1 == first;
}

/* Entries that may still be read. */
static uint64_t left(const struct pw_regions *regions)
{
	return regions->budget > regions->it.reads ? regions->budget - regions->it.reads : 0;
}

/* The bits in which the pages of one region agree; 0 if they do not go one entry each. */
static uint64_t run_mask(const struct pw_iter *it)
{
	const struct pw_space *s = it->space;
	const struct pw_level *row = &s->format->level[it->level];
	const struct pw_page *page = &row->page;
	uint64_t mask = page->address | page->high[0].mask | page->high[1].mask | page->mask |
			page->bits | row->present_all | row->present_any | row->table_mask |
			s->reserved_page[it->level];

	if (s->format->levels == 0 || row->span.size_log2 ||
		it->page_size != PW_BIT(page->size_log2))
		return 0;
	if (page->illegal_low6)
		mask |= PW_LOW(6);
	for (unsigned i = 0; i < s->format->attribute_count; i++) {
		if (page->right_bit[i] != PW_NO_BIT)
			mask |= PW_BIT(page->right_bit[i]);
	}
	return mask;
}

/* The entries that go on with the pending region are taken in one go. */
static void take_run(struct pw_regions *regions)
{
	uint64_t mask = run_mask(&regions->it);

	if (!mask)
		return;
	regions->items += pw_iter_pass_run(&regions->it, mask, left(regions));
	regions->pending.last = regions->it.last;
}

static bool page(struct pw_regions *regions, struct pw_region *region)
{
	const struct pw_iter *it = &regions->it;
	struct pw_region *pending = &regions->pending;
	struct pw_region next = {
		.first = it->first,
		.last = it->last,
		.kind = PW_REGION_MAPPED,
		.level = it->level,
		.pa = it->pa,
		.page_size = it->page_size,
		.grant = it->grant,
	};

	regions->items++;
	if (follows(regions, PW_REGION_MAPPED, it->first) && pending->page_size == it->page_size &&
		pending->grant == it->grant &&
		pending->pa + (it->first - pending->first) == it->pa) {
		pending->last = it->last;
		take_run(regions);
		return false;
	}
	return replace(regions, &next, region);
}

static bool bad_or_lost(struct pw_regions *regions, struct pw_region *region)
{
	const struct pw_iter *it = &regions->it;
	struct pw_region next = {
		.first = it->first,
		.last = it->last,
		.kind = it->step == PW_STEP_BAD ? PW_REGION_BAD : PW_REGION_LOST,
		.level = it->level,
		.entry = it->entry,
	};

	regions->items++;
	if (next.kind == PW_REGION_LOST && follows(regions, PW_REGION_LOST, it->first) &&
		regions->pending.level == it->level && regions->pending.entry == it->entry) {
		regions->pending.last = it->last;
		return false;
	}
	return replace(regions, &next, region);
}

/* ---- Repetitions ---- */

/* Notes the table entry just met; true if its left neighbour leads to the same table. */
static bool continues_run(struct pw_regions *regions, uint64_t role, bool whole)
{
	const struct pw_iter *it = &regions->it;
	unsigned level = it->level;
	bool same = regions->run[level].table == it->pa && regions->run[level].role == role &&
		    regions->run[level].last + 1 == it->first;

	if (!same) {
		regions->run[level].table = it->pa;
		/* One cut by the walk's begin is out of step with those that follow: no run. */
		regions->run[level].role = whole ? role : 0;
		regions->run[level].first = it->first;
	}
	regions->run[level].last = it->last;
	return same;
}

/*
 * This table entry's range repeats what was listed at `source`. In a run of entries that lead to
 * one table everything from the run's first entry on repeats with the entry's period, so a region
 * can go on as long as its source lies inside the run and wholly before the region.
 */
static bool repetition(
	struct pw_regions *regions, pw_va source, bool in_run, struct pw_region *region)
{
	const struct pw_iter *it = &regions->it;
	struct pw_region *pending = &regions->pending;
	pw_va run = regions->run[it->level].first, size = it->last - it->first;
	struct pw_region next = {
		.first = it->first,
		.last = it->last,
		.kind = PW_REGION_REPEATS,
		.level = it->level,
		.repeats = in_run ? run : source,
	};

	if (follows(regions, PW_REGION_REPEATS, it->first)) {
		pw_va here = pending->repeats + (it->first - pending->first);

		if (here + size < pending->first && (here == source || (in_run && here >= run))) {
			pending->last = it->last;
			return false;
		}
	}
	return replace(regions, &next, region);
}

static bool is_whole(const struct pw_iter *it)
{
	pw_va low = PW_LOW(it->space->format->level[it->level].shift);

	return (it->first & low) == 0 && (it->last & low) == low;
}

/* A short list that cost `reads` may be given in full once more. */
static bool again(struct pw_regions *regions, uint64_t reads)
{
	if (regions->again + reads > AGAIN + regions->it.reads / 2)
		return false;
	regions->again += reads;
	return true;
}

static bool table(struct pw_regions *regions, struct pw_region *region)
{
	struct pw_iter *it = &regions->it;
	unsigned below = it->level - 1u;
	bool whole = is_whole(it);
	uint64_t role = role_of(it);
	bool in_run = continues_run(regions, role, whole);
	struct pw_memo *memo = whole && regions->memo_slots ? find(regions, it->pa, role) : NULL;

	regions->visit[below].memo =
		(struct pw_memo){.table = it->pa, .role = role, .first = it->first};
	regions->visit[below].items = regions->items;
	regions->visit[below].reads = it->reads;
	regions->visit[below].whole = whole;
	if (!memo || !memo->role || regions->expand)
		return false;
	if (memo->items >= FEW || (memo->items && !again(regions, memo->reads))) {
		regions->items += memo->items;
		pw_iter_skip(it);
		return repetition(regions, memo->first, in_run, region);
	}
	if (memo->items == 0)
		pw_iter_skip(it);
	return false;
}

static uint32_t at_most_32_bits(uint64_t count)
{
	return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static void leave(struct pw_regions *regions)
{
	unsigned below = regions->it.level - 1u;
	struct pw_memo seen = regions->visit[below].memo;

	if (!regions->visit[below].whole)
		return;
	seen.items = at_most_32_bits(regions->items - regions->visit[below].items);
	seen.reads = at_most_32_bits(regions->it.reads - regions->visit[below].reads);
	remember(regions, &seen);
}

/* One step; true if it completed a region. */
static bool advance(struct pw_regions *regions, struct pw_region *region)
{
	struct pw_iter *it = &regions->it;

	switch (pw_iter_next(it)) {
	case PW_STEP_PAGE:
		return page(regions, region);
	case PW_STEP_BAD:
	case PW_STEP_LOST:
		return bad_or_lost(regions, region);
	case PW_STEP_TABLE:
		return table(regions, region);
	case PW_STEP_LEAVE:
		leave(regions);
		return false;
	case PW_STEP_HOLE:
		pw_iter_pass_holes(it, left(regions));
		return false;
	case PW_STEP_END:
		break;
	}
	regions->done = true;
	return false;
}

bool pw_regions_next(struct pw_regions *regions, struct pw_region *region)
{
	while (!regions->done) {
		if (regions->it.reads >= regions->budget &&
			pw_iter_reads_next(&regions->it, &regions->position)) {
			regions->done = true;
			regions->status = PW_E_BUDGET;
			break;
		}
		if (advance(regions, region))
			return true;
	}
	if (!regions->has_pending)
		return false;
	*region = regions->pending;
	regions->has_pending = false;
	return true;
}
