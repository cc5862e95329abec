/* SPDX-License-Identifier: MIT */
/*
 * Joining: pages of one table that follow each other become a group (see build_group.c), each in
 * its place. They say what they said, with the marks of any of them, as the hardware may mark any
 * entry of a group for all.
 *
 * In a RISC-V table that CPUs walk the entries become parts of a NAPOT page one by one: as long as
 * some of them have and others have not, all lead to the same addresses with the same rights, so
 * that it is no matter which of them a CPU takes ("Svnapot": inconsistencies "known to be benign").
 */
#include "build_journal.h"

/* Pages that can be a group. */
struct join {
	uint64_t keep;          /* the bits that all must have, */
	uint64_t first, stride; /* which are those of first + n * stride in number n */
	uint64_t flags;         /* Accessed and Dirty, if that is a flag */
	uint64_t marks;         /* those of them that one page has */
	uint64_t hint, span;    /* what makes it a group: this bit, or else this entry */
};

/* Pages made holes on the way, from the first one on, and by bits what they had before. */
struct hidden {
	uint64_t count;
	uint64_t hinted[PW_GROUP_MAX / 64], accessed[PW_GROUP_MAX / 64], dirty[PW_GROUP_MAX / 64];
};

static bool is_next(const struct join *j, uint64_t n, uint64_t entry)
{
	return (entry & j->keep) == j->first + n * j->stride;
}

/* The pages of the run are alike and follow each other, and are no group yet. */
static bool look(const struct pw_build *b, const struct pw_run *run, struct join *j)
{
	const struct pw_level *row = pw_row(b, run->level);
	const struct pw_page *shape = &row->page;
	uint64_t flags = shape->accessed | pw_dirty_flag(b->format, shape), entry, all;

	if (!pw_peek_at(b, run->table, run->index, &entry) ||
		pw_kind_in(b, run->level, entry) != PW_PAGE || pw_shape(row, entry) != shape ||
		(pw_page_address(b->format, b->space, shape, entry) &
			PW_LOW(pw_groups_log2(b, run->level))))
		return false;
	*j = (struct join){.keep = ~(flags | shape->hint),
		.first = entry & ~(flags | shape->hint),
		.stride = PW_BIT(row->shift) >> b->format->address_left,
		.flags = flags,
		.marks = entry & flags,
		.hint = shape->hint};
	all = entry;
	for (uint64_t n = 1; n < run->count; n++) {
		if (!pw_peek_at(b, run->table, run->index + n, &entry) || !is_next(j, n, entry))
			return false;
		all &= entry;
		j->marks |= entry & flags;
	}
	if (pw_has_spans(b->space, run->level))
		return pw_convert(b, shape, &row->span, run->level, j->first, &j->span);
	return !(all & shape->hint);
}

/* What becomes of a page of the group; its marks are the group's. */
static uint64_t as_part(
	const struct pw_build *b, const struct pw_run *run, struct join *j, uint64_t entry)
{
	const struct pw_level *row = pw_row(b, run->level);
	uint64_t part = j->span;

	j->marks |= entry & j->flags;
	if (!part)
		return entry | j->hint | j->marks;
	if (j->marks & row->page.accessed)
		part |= row->span.accessed;
	if (j->marks & ~row->page.accessed)
		part |= pw_dirty_flag(b->format, &row->span);
	return part;
}

static bool join_entry(struct pw_build *b, const struct pw_run *run, uint64_t n, struct join *j)
{
	uint64_t index = run->index + n, entry, seen;

	if (!pw_peek_at(b, run->table, index, &entry))
		return false;
	do {
		if (!is_next(j, n, entry))
			return false;
		seen = entry;
		if (pw_swap(b, run, index, &entry, as_part(b, run, j, entry))) {
			b->written++;
			return true;
		}
	} while (entry != seen);
	b->refused = true;
	return false;
}

/* ---- Break-before-make ---- */

static uint64_t present_bits(const struct pw_build *b, const struct pw_run *run)
{
	return pw_row(b, run->level)->present_all | pw_row(b, run->level)->present_any;
}

static void note(const struct join *j, struct hidden *hidden, uint64_t accessed, uint64_t seen)
{
	uint64_t n = hidden->count++;

	hidden->hinted[n >> 6] |= (uint64_t)((seen & j->hint) != 0) << (n & 63);
	hidden->accessed[n >> 6] |= (uint64_t)((seen & accessed) != 0) << (n & 63);
	hidden->dirty[n >> 6] |= (uint64_t)((seen & j->flags & ~accessed) != 0) << (n & 63);
}

/* As it was, of what is now a part of the group. */
static uint64_t as_noted(const struct join *j, const struct hidden *hidden, uint64_t accessed,
	uint64_t n, uint64_t page)
{
	page &= ~(j->hint | j->flags);
	page |= hidden->hinted[n >> 6] >> (n & 63) & 1 ? j->hint : 0;
	page |= hidden->accessed[n >> 6] >> (n & 63) & 1 ? accessed : 0;
	return page | (hidden->dirty[n >> 6] >> (n & 63) & 1 ? j->flags & ~accessed : 0);
}

/*
 * Made a hole, which keeps the rest of what it says where the hardware does not look at it. If it
 * can it says already what it will in the group: by that a journal tells it from a page that
 * becomes a hole alone.
 */
static bool hide_entry(
	struct pw_build *b, const struct pw_run *run, struct join *j, struct hidden *hidden)
{
	uint64_t accessed = pw_row(b, run->level)->page.accessed;
	uint64_t n = hidden->count, index = run->index + n, entry, seen, hole;

	if (!pw_peek_at(b, run->table, index, &entry))
		return false;
	do {
		/* The hardware has said "dirty" by the right to write. */
		if (!is_next(j, n, entry))
			return false;
		seen = entry;
		hole = (j->span ? entry : as_part(b, run, j, entry)) & ~present_bits(b, run);
		if (pw_swap(b, run, index, &entry, hole)) {
			note(j, hidden, accessed, seen);
			return true;
		}
	} while (entry != seen);
	b->refused = true;
	return false;
}

/* Present again: as a part of the group, or as it was. */
static bool show_entry(struct pw_build *b, const struct pw_run *run, uint64_t n, struct join *j,
	const struct hidden *hidden)
{
	uint64_t index = run->index + n, entry, page;

	if (!pw_peek_at(b, run->table, index, &entry))
		return false;
	page = entry | (j->first & present_bits(b, run));
	if (hidden->count == run->count)
		page = as_part(b, run, j, page);
	else
		page = as_noted(j, hidden, pw_row(b, run->level)->page.accessed, n, page);
	b->written += 2;
	return b->journal ? pw_poke_recorded(b, run, index, entry, page)
			  : pw_poke(b, run->table, index, page);
}

/* All out, flushed, and back. If one has changed meanwhile they are what they were. */
static bool break_and_join(struct pw_build *b, const struct pw_run *run, struct join *j)
{
	struct hidden hidden = {0, {0}, {0}, {0}};

	while (hidden.count < run->count && hide_entry(b, run, j, &hidden))
		;
	if (!hidden.count)
		return false;
	pw_record_whole(b, run->at, run->at | PW_LOW(pw_groups_log2(b, run->level)), run->level);
	(void)pw_flush_now(b);
	for (uint64_t n = 0; n < hidden.count; n++)
		b->refused |= !show_entry(b, run, n, j, &hidden);
	return hidden.count == run->count;
}

/* ---- Groups of a table ---- */

bool pw_join(struct pw_build *b, const struct pw_run *run)
{
	uint64_t done = 0;
	struct join j;

	if (!look(b, run, &j))
		return false;
	if (!pw_can_write(b, run->table, run->index, run->count)) {
		b->refused = true;
		return false;
	}
	if (pw_breaks(b))
		return break_and_join(b, run, &j);
	while (done < run->count && join_entry(b, run, done, &j))
		done++;
	if (done)
		pw_record(b, run->at, run->at | PW_LOW(pw_groups_log2(b, run->level)), run->level,
			run->level, false);
	return done == run->count;
}

uint64_t pw_join_pages(
	struct pw_build *b, const struct pw_table *table, unsigned level, pw_va first, pw_va last)
{
	const struct pw_level *row = pw_row(b, level);
	uint64_t low = PW_LOW(pw_groups_log2(b, level)), joined = 0;
	struct pw_run run = {.table = table,
		.op = PW_OP_JOIN,
		.level = (uint8_t)level,
		.linked = true,
		.count = (low + 1) >> row->shift,
		.at = first & low ? (first | low) + 1 : first};

	if (!pw_has_groups(b, level) || run.at < first)
		return 0;
	for (; run.at <= last && last - run.at >= low && !b->refused && !b->overflow;
		run.at += low + 1) {
		run.index = pw_index(row, run.at);
		joined += pw_commit(b, &run);
	}
	return joined;
}
