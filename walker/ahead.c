/* SPDX-License-Identifier: MIT */
#include "ahead.h"
#include "entry.h"
#include "kernels.h"

#define ENTRIES_MAX 512

/* Where a table of that level stands, as a whole, or NULL. */
static const char *table_at(const struct pw_space *s, unsigned level, pw_pa table)
{
	return pw_first_window(s, table, pw_table_bytes(s->format, level));
}

static uint64_t entry_at(const struct pw_space *s, const char *table, uint64_t index)
{
	return pw_peek(s->format, table + index * s->format->entry_bytes);
}

/* The table below the next entry from `index` on that leads to one. *index is behind it. */
static bool next_table(
	const struct pw_space *s, const char *table, unsigned level, uint64_t *index, pw_pa *below)
{
	const struct pw_level *row = &s->format->level[level];

	for (uint64_t i = *index; i < pw_level_entries(row); i++) {
		uint64_t entry = entry_at(s, table, i);

		if (pw_is_present(row, entry) && pw_is_table(row, entry)) {
			*below = pw_table_address(s->format, s, row, entry);
			*index = i + 1;
			return true;
		}
	}
	*index = pw_level_entries(row);
	return false;
}

static void look(const struct pw_space *s, pw_pa table, const char *next, struct pw_ahead *ahead)
{
	const struct pw_kernels *kernels = s->memory->kernels;
	const struct pw_level *row = &s->format->level[1];
	const char *at = table_at(s, 1, table);

	ahead->table = table;
	ahead->known = at != NULL;
	if (!at)
		return;
	if (kernels && pw_has_words(s->format))
		kernels->find_tables(row, at, next, pw_level_entries(row), ahead->tables);
	else
		pw_find_tables(s->format, 1, at, next, pw_level_entries(row), ahead->tables);
}

void pw_ahead_enter(struct pw_regions *regions)
{
	const struct pw_iter *it = &regions->it;
	const struct pw_space *s = it->space;
	const struct pw_level *row = &s->format->level[2];
	const char *parent = table_at(s, 2, it->table[2]), *after = NULL;
	uint64_t index = (it->position >> row->shift & PW_LOW(row->index_bits)) + 1;
	pw_pa next, next_but_one;

	if (pw_level_entries(&s->format->level[1]) > ENTRIES_MAX)
		return;
	if (regions->ahead[1].known && regions->ahead[1].table == it->pa)
		regions->ahead[0] = regions->ahead[1];
	else
		look(s, it->pa, NULL, &regions->ahead[0]);
	regions->ahead[1].known = false;
	if (!parent || !next_table(s, parent, 2, &index, &next))
		return;
	if (next_table(s, parent, 2, &index, &next_but_one))
		after = table_at(s, 1, next_but_one);
	look(s, next, after, &regions->ahead[1]);
}

/* The table below the first entry from `index` on of a table that was looked at, or NULL. */
static const char *first_below(
	const struct pw_space *s, const struct pw_ahead *ahead, uint64_t index, uint64_t *entry)
{
	const struct pw_level *row = &s->format->level[1];
	const char *at = table_at(s, 1, ahead->table);
	uint64_t some, word = index / 64;

	if (index >= pw_level_entries(row))
		return NULL;
	some = ahead->tables[word] & ~(uint64_t)0 << (index & 63);
	while (!some && ++word < (pw_level_entries(row) + 63) / 64)
		some = ahead->tables[word];
	if (!some)
		return NULL;
	index = word * 64;
	while (!(some & 1)) {
		some >>= 1;
		index++;
	}
	*entry = entry_at(s, at, index);
	return table_at(s, 0, pw_table_address(s->format, s, row, *entry));
}

const char *pw_ahead_next(const struct pw_regions *regions, uint64_t *entry)
{
	const struct pw_iter *it = &regions->it;
	const struct pw_space *s = it->space;
	const struct pw_level *row = &s->format->level[1];
	uint64_t index = (it->position >> row->shift & PW_LOW(row->index_bits)) + 1;
	const struct pw_ahead *ahead = regions->ahead;
	const char *next = NULL;

	*entry = 0;
	if (ahead[0].known && ahead[0].table == it->table[1])
		next = first_below(s, &ahead[0], index, entry);
	if (!next && ahead[1].known) {
		next = first_below(s, &ahead[1], 0, entry);
		*entry = 0;
	}
	return next;
}
