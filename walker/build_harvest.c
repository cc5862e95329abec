/* SPDX-License-Identifier: MIT */
#include "build_trail.h"
#include <pagewalk/harvest.h>

struct harvest {
	struct pw_marks *public;
	struct pw_take take;
	struct pw_run run;
};

/* Bits [from, from + 64) of a map become set where they are in `word`. */
static void set_word(uint64_t *map, uint64_t from, uint64_t word)
{
	if (!map || !word)
		return;
	map[from >> 6] |= word << (from & 63);
	if (from & 63 && word >> (64 - (from & 63)))
		map[(from >> 6) + 1] |= word >> (64 - (from & 63));
}

static void set_range(uint64_t *map, uint64_t from, uint64_t count)
{
	for (; map && count; count--, from++) {
		if (!(from & 63) && count >= 64) {
			map[from >> 6] = ~(uint64_t)0;
			from += 63;
			count -= 63;
		} else {
			map[from >> 6] |= PW_BIT(from & 63);
		}
	}
}

/* A page of a group is marked if one of them is. */
static void spread(const struct pw_build *b, const struct pw_run *run, uint64_t *words)
{
	const struct pw_level *row = pw_row(b, run->level);
	uint64_t entry;

	for (uint64_t n = 0; n < run->count; n++) {
		uint64_t index = run->index + n, group, first;

		if (!(words[n >> 6] >> (n & 63) & 1) || !pw_peek_at(b, run->table, index, &entry))
			continue;
		group = PW_BIT(pw_group_log2(b, run->level, entry) - row->shift);
		first = index & ~(group - 1);
		for (uint64_t i = first; i < first + group; i++) {
			uint64_t other = i - run->index;

			if (i >= run->index && other < run->count)
				words[other >> 6] |= PW_BIT(other & 63);
		}
	}
}

/* Entry number n of the run, as far as it lies in the range. */
static void tell(const struct pw_build *b, const struct harvest *h, uint64_t n, unsigned marks)
{
	const struct pw_level *row = pw_row(b, h->run.level);
	pw_va at = (h->run.at & ~PW_LOW(row->shift)) + (n << row->shift);

	if (h->public->page && marks)
		h->public->page(h->public->ctx,
			pw_extend(b->space->extension, b->format->va_bits, at), PW_BIT(row->shift),
			marks);
}

/* Entries of the smallest pages: the maps take them as they are. */
static void keep_small(const struct pw_build *b, const struct harvest *h)
{
	struct pw_marks *p = h->public;
	uint64_t from = (h->run.at - b->first) >> pw_row(b, 0)->shift;

	for (uint64_t i = 0; i << 6 < h->run.count; i++) {
		set_word(p->accessed, from + (i << 6), h->take.accessed[i]);
		set_word(p->dirty, from + (i << 6), h->take.dirty[i]);
	}
	p->accessed_pages += h->take.count.accessed;
	p->dirty_pages += h->take.count.dirty;
}

static void keep_large(const struct pw_build *b, const struct harvest *h, uint64_t n)
{
	const struct pw_level *row = pw_row(b, h->run.level);
	unsigned shift = pw_row(b, 0)->shift;
	pw_va at = (h->run.at & ~PW_LOW(row->shift)) + (n << row->shift);
	pw_va last = pw_block_last(row, at);
	uint64_t from, count;

	at = at < b->first ? b->first : at;
	last = last > b->last ? b->last : last;
	from = (at - b->first) >> shift;
	count = ((last - at) >> shift) + 1;
	if (h->take.accessed[n >> 6] >> (n & 63) & 1) {
		set_range(h->public->accessed, from, count);
		h->public->accessed_pages += count;
	}
	if (h->take.dirty[n >> 6] >> (n & 63) & 1) {
		set_range(h->public->dirty, from, count);
		h->public->dirty_pages += count;
	}
}

static void keep(const struct pw_build *b, struct harvest *h)
{
	bool small = h->run.level == 0;

	if (pw_has_groups(b, h->run.level)) {
		spread(b, &h->run, h->take.accessed);
		spread(b, &h->run, h->take.dirty);
		pw_count_marks(&h->take);
	}
	if (small)
		keep_small(b, h);
	if (small && !h->public->page)
		return;
	for (uint64_t n = 0; n < h->run.count; n++) {
		unsigned marks = (h->take.accessed[n >> 6] >> (n & 63) & 1 ? PW_MARK_ACCESSED : 0) |
				 (h->take.dirty[n >> 6] >> (n & 63) & 1 ? PW_MARK_DIRTY : 0);

		if (!small && marks)
			keep_large(b, h, n);
		tell(b, h, n, marks);
	}
}

/* Entry `index` is a page of the group of `log2` bytes around the one that the trail is at. */
static bool is_of_group(const struct pw_trail *t, unsigned log2, uint64_t index)
{
	uint64_t entry;

	return pw_peek_at(t->b, &t->table[t->level], index, &entry) &&
	       pw_group_log2(t->b, t->level, entry) == log2;
}

/* Large pages from the trail's place on: one, or what follows of its group, as far as it goes. */
static uint64_t group_length(const struct pw_trail *t)
{
	const struct pw_level *row = pw_row(t->b, t->level);
	unsigned log2 = pw_groups_log2(t->b, t->level);
	uint64_t index = pw_index(row, t->at), count = 1;
	pw_va last = t->at | PW_LOW(log2);

	last = last < t->limit[t->level] ? last : t->limit[t->level];
	if (log2 == row->shift || !is_of_group(t, log2, index))
		return 1;
	while (t->at >> row->shift < (last >> row->shift) - (count - 1) &&
		is_of_group(t, log2, index + count))
		count++;
	return count;
}

/* Entries from the trail's place on that one run takes: a last table's, a page, or a group. */
static uint64_t run_length(const struct pw_trail *t)
{
	uint64_t room = PW_TAKE_MAX - (pw_index(pw_row(t->b, t->level), t->at) & (PW_TAKE_MAX - 1));
	uint64_t whole = t->level == 0 ? pw_trail_whole(t) : group_length(t);

	return whole < room ? whole : room;
}

/* The entries of entry n's group that the run does not reach: their marks are its own. */
static void take_others(struct pw_build *b, const struct pw_trail *t, struct harvest *h, uint64_t n)
{
	const struct pw_level *row = pw_row(b, t->level);
	unsigned log2 = pw_groups_log2(b, t->level);
	pw_va base = (h->run.at + (n << row->shift)) & ~PW_LOW(log2);
	struct pw_take take = {h->take.clear_accessed, h->take.clear_dirty, NULL, {0}, {0}, {0}};
	struct pw_run run = h->run;

	if (!is_of_group(t, log2, h->run.index + n))
		return;
	run.take = &take;
	run.count = 1;
	run.index = pw_index(row, base);
	for (uint64_t i = 0; i < PW_BIT(log2 - row->shift); i++, run.index++) {
		run.at = base + (i << row->shift);
		if (run.index - h->run.index < h->run.count || !is_of_group(t, log2, run.index))
			continue;
		(void)pw_commit(b, &run);
		h->take.accessed[n >> 6] |= (take.accessed[0] & 1) << (n & 63);
		h->take.dirty[n >> 6] |= (take.dirty[0] & 1) << (n & 63);
	}
}

static enum pw_status take_run(struct pw_build *b, struct pw_trail *t, struct harvest *h)
{
	struct pw_run *run = &h->run;

	run->table = &t->table[t->level];
	run->level = (uint8_t)t->level;
	run->index = pw_index(pw_row(b, t->level), t->at);
	run->count = run_length(t);
	run->at = t->at;
	h->take.ahead = t->level == 0 ? pw_trail_table_ahead(t) : NULL;
	if ((h->take.clear_accessed || h->take.clear_dirty) &&
		!pw_can_write(b, run->table, run->index, run->count))
		return PW_E_READ_ONLY;
	(void)pw_commit(b, run);
	if (pw_has_groups(b, t->level)) {
		take_others(b, t, h, 0);
		take_others(b, t, h, run->count - 1);
	}
	keep(b, h);
	pw_trail_skip(t, run->count);
	return b->refused ? PW_E_READ_ONLY : PW_OK;
}

static enum pw_status visit(struct pw_build *b, struct pw_trail *t, struct harvest *h)
{
	uint64_t entry;

	if (!pw_peek_at(b, &t->table[t->level], pw_index(pw_row(b, t->level), t->at), &entry))
		return PW_NO_MEMORY;
	if (t->level == 0)
		return take_run(b, t, h);
	switch (pw_kind_in(b, t->level, entry)) {
	case PW_TABLE:
		return pw_trail_down(t, entry);
	case PW_PAGE:
		return take_run(b, t, h);
	default:
		pw_trail_skip(t, 1);
		return PW_OK;
	}
}

enum pw_status pw_harvest(const struct pw_space *space, pw_va va, uint64_t size,
	struct pw_marks *marks, struct pw_flush *flush)
{
	struct pw_build b;
	struct pw_trail t;
	struct harvest h = {.public = marks};
	enum pw_status status, end;

	if (!marks || marks->clear & ~(PW_MARK_ACCESSED | PW_MARK_DIRTY))
		return PW_E_ARGUMENT;
	status = pw_build_begin(&b, space, va, size, flush);
	if (status != PW_OK)
		return status;
	h.run.op = PW_OP_TAKE_MARKS;
	h.run.linked = true;
	h.run.take = &h.take;
	h.take.clear_accessed = marks->clear & PW_MARK_ACCESSED;
	h.take.clear_dirty = marks->clear & PW_MARK_DIRTY;
	pw_trail_begin(&t, &b);
	while (status == PW_OK) {
		if (!t.finished) {
			status = visit(&b, &t, &h);
		} else if (t.level == b.top) {
			break;
		} else {
			pw_trail_up(&t);
			pw_trail_skip(&t, 1);
		}
	}
	end = pw_build_finish(&b);
	return status == PW_OK || b.overflow ? end : status;
}
