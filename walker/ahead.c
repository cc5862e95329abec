/* SPDX-License-Identifier: MIT */
#include "ahead.h"
#include "entry.h"
#include "kernels.h"
#include "memo.h"

#define ENTRIES_LOG2_MAX 9
/* As many as a core fetches at a time: more would delay the next table's. */
#define FIRST_LINES      16

/* Where a table of that level stands, as a whole, or NULL. */
static const char *table_at(const struct pw_space *s, unsigned level, pw_pa table)
{
	return pw_first_window(
		s, table, (uint64_t)s->format->entry_bytes << s->format->level[level].index_bits);
}

static uint64_t entry_at(const struct pw_space *s, const char *table, uint64_t index)
{
	return pw_peek(s->format, table + index * s->format->entry_bytes);
}

/* The next entry from `index` on that leads to a table. *index is behind it. */
static bool next_table(const struct pw_space *s, const char *table, unsigned level, uint64_t *index,
	uint64_t *entry)
{
	const struct pw_level *row = &s->format->level[level];

	while (*index < PW_BIT(row->index_bits)) {
		*entry = entry_at(s, table, (*index)++);
		if (pw_is_present(row, *entry) && pw_is_table(row, *entry))
			return true;
	}
	return false;
}

static pw_pa below(const struct pw_space *s, unsigned level, uint64_t entry)
{
	return pw_table_address(s->format, s, &s->format->level[level], entry);
}

static void look(const struct pw_space *s, pw_pa table, const char *next, struct pw_ahead *ahead)
{
	const struct pw_kernels *kernels = s->memory->kernels;
	const struct pw_level *row = &s->format->level[1];
	const char *at = table_at(s, 1, table);

	ahead->table = table;
	ahead->known = ahead->now = at != NULL;
	if (!at)
		return;
	if (kernels && pw_has_words(s->format))
		kernels->find_tables(
			row, at, next, pw_level_entries(row), ahead->tables, ahead->present);
	else
		pw_find_tables(s->format, 1, at, next, pw_level_entries(row), ahead->tables,
			ahead->present);
}

/* Looks at the table that comes after the present one, while the one after that is prefetched. */
static void look_at_next(struct pw_regions *regions)
{
	const struct pw_iter *it = &regions->it;
	const struct pw_space *s = it->space;
	const struct pw_level *row = &s->format->level[2];
	struct pw_ahead *ahead = &regions->ahead[1];
	const char *parent = table_at(s, 2, it->table[2]), *after = NULL;
	uint64_t index = (it->position >> (row->shift & 63) & PW_LOW(row->index_bits)) + 1;
	uint64_t next, next_but_one, role;

	ahead->known = false;
	if (!parent || !next_table(s, parent, 2, &index, &next))
		return;
	if (next_table(s, parent, 2, &index, &next_but_one))
		after = table_at(s, 1, below(s, 2, next_but_one));
	look(s, below(s, 2, next), after, ahead);
	ahead->and_fold = it->and_fold[2];
	ahead->or_fold = it->or_fold[2];
	role = pw_role_below(regions, 2, next, &ahead->and_fold, &ahead->or_fold);
	pw_memo_prefetch(regions, ahead->table, role);
}

void pw_ahead_enter(struct pw_regions *regions)
{
	const struct pw_iter *it = &regions->it;
	struct pw_ahead *now = &regions->ahead[0], *next = &regions->ahead[1];

	if (it->space->format->level[1].index_bits > ENTRIES_LOG2_MAX)
		return;
	if (next->known && next->table == it->pa)
		*now = *next;
	else
		look(it->space, it->pa, NULL, now);
	now->and_fold = it->and_fold[2];
	now->or_fold = it->or_fold[2];
	pw_fold(&it->space->format->level[2], it->entry, &now->and_fold, &now->or_fold);
	look_at_next(regions);
}

/* The first table below entries from `index` on of a table that was looked at, or NULL. */
static const char *first_below(struct pw_regions *regions, unsigned which, uint64_t index)
{
	const struct pw_ahead *ahead = &regions->ahead[which];
	const struct pw_space *s = regions->it.space;
	uint64_t entries = PW_BIT(s->format->level[1].index_bits), word = index / 64, some, entry;
	uint64_t and_fold = ahead->and_fold, or_fold = ahead->or_fold;

	if (!ahead->known || index >= entries)
		return NULL;
	some = ahead->tables[word] & ~(uint64_t)0 << (index & 63);
	while (!some && ++word < (entries + 63) / 64)
		some = ahead->tables[word];
	if (!some)
		return NULL;
	index = word * 64 + pw_lowest_bit(some);
	entry = entry_at(s, table_at(s, 1, ahead->table), index);
	pw_memo_prefetch(
		regions, below(s, 1, entry), pw_role_below(regions, 1, entry, &and_fold, &or_fold));
	regions->after = (struct pw_after){
		.table = ahead->table, .index = index, .at = table_at(s, 0, below(s, 1, entry))};
	return regions->after.at;
}

/* That behind the entry of that index of the table walked, or of the one after it. */
static const char *find_after(struct pw_regions *regions, pw_pa table, uint64_t index)
{
	const char *after = NULL;

	if (regions->ahead[0].table == table)
		after = first_below(regions, 0, index + 1);
	else if (regions->ahead[1].table == table)
		return first_below(regions, 1, index + 1);
	return after ? after : first_below(regions, 1, 0);
}

const char *pw_ahead_next(struct pw_regions *regions)
{
	const struct pw_iter *it = &regions->it;
	const struct pw_level *row = &it->space->format->level[1];
	uint64_t index = it->position >> (row->shift & 63) & PW_LOW(row->index_bits);
	struct pw_after next = regions->after;

	/* Found when the last table was met, if this is the one that was to follow it. */
	if (!next.at || regions->expected.table != it->table[1] ||
		regions->expected.index != index) {
		if (!find_after(regions, it->table[1], index))
			return NULL;
		next = regions->after;
	}
	regions->expected = next;
	if (!find_after(regions, next.table, next.index))
		regions->after.at = NULL;
	return next.at;
}

void pw_ahead_start(const struct pw_regions *regions)
{
	const char *at = regions->after.at;

	for (unsigned line = 0; at && line < FIRST_LINES; line++)
		PW_PREFETCH(at + line * PW_LINE_BYTES);
}

uint64_t pw_ahead_holes(const struct pw_regions *regions, uint64_t count)
{
	const struct pw_iter *it = &regions->it;
	const struct pw_ahead *ahead = &regions->ahead[0];
	const struct pw_level *row = &it->space->format->level[1];
	uint64_t begin = (it->position >> (row->shift & 63) & PW_LOW(row->index_bits)) + 1;
	uint64_t end = begin + count, word = begin / 64, some;

	if (!ahead->known || !ahead->now || ahead->table != it->table[1] || !count)
		return 0;
	some = ahead->present[word] & ~(uint64_t)0 << (begin & 63);
	while (!some && ++word <= (end - 1) / 64)
		some = ahead->present[word];
	if (!some)
		return count;
	begin = word * 64 + pw_lowest_bit(some) - begin;
	if (begin >= count)
		return count;
	return ahead->tables[word] & some & -some ? begin : 0;
}

void pw_ahead_forget(struct pw_regions *regions)
{
	regions->ahead[0].now = regions->ahead[1].now = false;
}
