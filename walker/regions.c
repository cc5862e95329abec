/* SPDX-License-Identifier: MIT */
/*
 * Enumeration as merged regions. Every distinct table is visited once for each role (level and
 * folded rights) in which it is met; a second meeting is one region.
 */
#include "ahead.h"
#include "entry.h"
#include "iter.h"
#include "kernels.h"
#include "list.h"
#include "memo.h"

/*
 * Repetitions of fewer items than this are listed in full, as long as the reads for it stay below a
 * constant and half of all: short lists can be hidden behind long chains of tables, many times
 * over.
 */
#define FEW       512
#define AGAIN     PW_BIT(20)
/* Vector code needs room that shorter lists would miss. */
#define LONG_LIST 32

/* ---- Growing the last region ---- */

/* Entries that may still be read. */
static uint64_t left(const struct pw_regions *regions)
{
	return regions->budget > regions->it.reads ? regions->budget - regions->it.reads : 0;
}

/*
 * Takes pages and holes of a table of that level. Returns how many. The caller says where and how
 * many there are, and what comes next.
 */
static uint64_t scan(
	struct pw_regions *regions, struct pw_list *list, struct pw_scan *scan, unsigned level)
{
	const struct pw_space *s = regions->it.space;
	const struct pw_kernels *kernels = s->memory->kernels;
	ptrdiff_t room = 1;
	uint64_t count = 0;

	if (scan->count > left(regions))
		scan->count = left(regions);
	if (!scan->count)
		return 0;
	scan->space = s;
	scan->sieve = &regions->sieve[level];
	scan->keep = regions->fold[level].keep;
	scan->set = regions->fold[level].set;
	scan->info = regions->fold[level].info;
	scan->open = regions->has_pending;
	scan->next = list->next;
	scan->end = list->end;
	scan->pages = 0;
	if (!kernels || list->end - list->first < LONG_LIST || !pw_has_words(s->format))
		count = pw_scan_plain(scan);
	else if (list->end - list->next >= (room = PW_SCAN_ROOM))
		count = kernels->scan(scan);
	list->cut = count < scan->count && list->end - scan->next < room;
	list->next = scan->next;
	regions->has_pending = scan->open;
	regions->items += scan->pages;
	return count;
}

/* Those of the `count` entries behind the present one that are known to be holes. */
static bool pass_holes(struct pw_regions *regions, uint64_t count)
{
	uint64_t most = left(regions), holes;

	holes = pw_ahead_holes(regions, count < most ? count : most);
	if (holes)
		pw_iter_pass(&regions->it, holes);
	return holes > 0;
}

/* Goes on behind the page or hole that was just stepped over. */
static void scan_on(struct pw_regions *regions, struct pw_list *list)
{
	struct pw_iter *it = &regions->it;
	unsigned level = it->level;
	struct pw_scan rest;
	uint64_t count;

	regions->resume = false;
	rest.count = pw_iter_rest(it, &rest.at);
	if (!rest.count)
		return;
	if (level == 1 && pass_holes(regions, rest.count))
		return;
	rest.first = it->last + 1;
	rest.ahead = NULL;
	if (level + 1u < it->space->format->levels &&
		regions->fold[level].role != regions->visit[level].memo.role)
		pw_regions_fold(regions, level, regions->visit[level].memo.role,
			it->and_fold[level], it->or_fold[level]);
	count = scan(regions, list, &rest, level);
	if (count)
		pw_iter_pass(it, count);
	regions->resume = list->cut;
}

static void page(struct pw_regions *regions, struct pw_list *list)
{
	const struct pw_iter *it = &regions->it;
	struct pw_region *last = pw_list_last(regions, list);
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
	if (pw_follows(last, PW_REGION_MAPPED, it->first) && last->page_size == it->page_size &&
		last->grant == it->grant && last->pa + (it->first - last->first) == it->pa)
		last->last = it->last;
	else
		pw_list_append(regions, list, &next);
}

static void bad_or_lost(struct pw_regions *regions, struct pw_list *list)
{
	const struct pw_iter *it = &regions->it;
	struct pw_region *last = pw_list_last(regions, list);
	struct pw_region next = {
		.first = it->first,
		.last = it->last,
		.kind = it->step == PW_STEP_BAD ? PW_REGION_BAD : PW_REGION_LOST,
		.level = it->level,
		.entry = it->entry,
	};

	regions->items++;
	if (next.kind == PW_REGION_LOST && pw_follows(last, PW_REGION_LOST, it->first) &&
		last->level == it->level && last->entry == it->entry)
		last->last = it->last;
	else
		pw_list_append(regions, list, &next);
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
static void repetition(struct pw_regions *regions, pw_va source, bool in_run, struct pw_list *list)
{
	const struct pw_iter *it = &regions->it;
	struct pw_region *last = pw_list_last(regions, list);
	pw_va run = regions->run[it->level].first, size = it->last - it->first;
	struct pw_region next = {
		.first = it->first,
		.last = it->last,
		.kind = PW_REGION_REPEATS,
		.level = it->level,
		.repeats = in_run ? run : source,
	};

	if (pw_follows(last, PW_REGION_REPEATS, it->first)) {
		pw_va here = last->repeats + (it->first - last->first);

		if (here + size < last->first && (here == source || (in_run && here >= run))) {
			last->last = it->last;
			return;
		}
	}
	pw_list_append(regions, list, &next);
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
	pw_memo_keep(regions, &seen);
}

/* ---- Tables ---- */

/* A last table that lies in the walk and in the first window as a whole needs no steps. */
static void scan_table(struct pw_regions *regions, const struct pw_memo *as, uint64_t and_fold,
	uint64_t or_fold, struct pw_list *list)
{
	struct pw_iter *it = &regions->it;
	const struct pw_space *s = it->space;
	uint64_t entries = PW_BIT(s->format->level[0].index_bits), count;
	struct pw_scan all; /* scan() fills in the rest */

	all.at = pw_first_window(s, it->pa, entries * s->format->entry_bytes);
	if (!all.at)
		return;
	all.count = entries;
	all.first = it->first;
	if (regions->fold[0].role != as->role)
		pw_regions_fold(regions, 0, as->role, and_fold, or_fold);
	all.ahead = pw_ahead_next(regions);
	count = scan(regions, list, &all, 0);
	pw_ahead_start(regions);
	if (count < entries) {
		pw_iter_enter(it, count);
		regions->resume = list->cut && count;
		return;
	}
	it->reads += entries;
	leave(regions);
	pw_iter_skip(it);
	(void)pass_holes(regions, pw_iter_rest(it, &all.at));
}

static void table(struct pw_regions *regions, struct pw_list *list)
{
	struct pw_iter *it = &regions->it;
	unsigned below = it->level - 1u;
	bool whole = is_whole(it);
	uint64_t and_fold = it->and_fold[it->level], or_fold = it->or_fold[it->level];
	uint64_t role = pw_role_below(regions, it->level, it->entry, &and_fold, &or_fold);
	bool in_run = continues_run(regions, role, whole);
	struct pw_memo *memo =
		whole && regions->memo_slots ? pw_memo_find(regions, it->pa, role) : NULL;

	regions->visit[below].memo =
		(struct pw_memo){.table = it->pa, .role = role, .first = it->first};
	regions->visit[below].items = regions->items;
	regions->visit[below].reads = it->reads;
	regions->visit[below].whole = whole;
	if (memo && memo->role && !regions->expand) {
		if (memo->items >= FEW || (memo->items && !again(regions, memo->reads))) {
			regions->items += memo->items;
			pw_iter_skip(it);
			repetition(regions, memo->first, in_run, list);
			return;
		}
		if (memo->items == 0) {
			pw_iter_skip(it);
			return;
		}
	}
	if (below == 1)
		pw_ahead_enter(regions);
	if (below == 0 && whole)
		scan_table(regions, &regions->visit[0].memo, and_fold, or_fold, list);
}

/* ---- The list ---- */

static void advance(struct pw_regions *regions, struct pw_list *list)
{
	switch (pw_iter_next(&regions->it)) {
	case PW_STEP_PAGE:
		page(regions, list);
		scan_on(regions, list);
		break;
	case PW_STEP_HOLE:
		scan_on(regions, list);
		break;
	case PW_STEP_BAD:
	case PW_STEP_LOST:
		bad_or_lost(regions, list);
		break;
	case PW_STEP_TABLE:
		table(regions, list);
		break;
	case PW_STEP_LEAVE:
		leave(regions);
		break;
	case PW_STEP_END:
		regions->done = true;
		break;
	}
}

static bool is_spent(struct pw_regions *regions)
{
	return regions->it.reads >= regions->budget &&
	       pw_iter_reads_next(&regions->it, &regions->position);
}

static size_t fill(struct pw_regions *regions, struct pw_list *list)
{
	pw_ahead_forget(regions);
	if (regions->has_pending)
		*list->next++ = regions->pending;
	if (regions->resume && !is_spent(regions))
		scan_on(regions, list);
	while (!regions->done && !list->cut) {
		if (list->next == list->end) {
			list->cut = true;
		} else if (is_spent(regions)) {
			regions->done = true;
			regions->status = PW_E_BUDGET;
		} else {
			advance(regions, list);
		}
	}
	if (list->cut)
		regions->pending = *--list->next;
	else
		regions->has_pending = false;
	return (size_t)(list->next - list->first);
}

/* One at a time, nothing read ahead. */
static size_t fill_one(struct pw_regions *regions, struct pw_region *region)
{
	struct pw_region two[2];
	struct pw_list list = {.first = two, .next = two, .end = two + 2};
	size_t count = fill(regions, &list);

	if (count > 0)
		*region = two[0];
	if (count == 2) { /* the last one of all */
		regions->pending = two[1];
		regions->has_pending = true;
		count = 1;
	}
	return count;
}

size_t pw_regions_fill(struct pw_regions *regions, struct pw_region *to, size_t max)
{
	struct pw_list list = {.first = to, .next = to, .end = to + max};
	size_t count;

	for (count = 0; count < max && regions->ready_at < regions->ready_count; count++)
		to[count] = regions->ready[regions->ready_at++];
	if (count > 0 || max == 0)
		return count;
	return max == 1 ? fill_one(regions, to) : fill(regions, &list);
}

bool pw_regions_next(struct pw_regions *regions, struct pw_region *region)
{
	if (regions->ready_at == regions->ready_count) {
		regions->ready_count =
			(uint8_t)pw_regions_fill(regions, regions->ready, PW_REGIONS_READY);
		regions->ready_at = 0;
		if (!regions->ready_count)
			return false;
	}
	*region = regions->ready[regions->ready_at++];
	return true;
}
