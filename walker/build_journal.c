/* SPDX-License-Identifier: MIT */
#include "build_journal.h"

/* The last record of this operation, or NULL. */
static struct pw_record *last_of(const struct pw_build *b)
{
	struct pw_journal *journal = b->journal;

	return journal->count > b->mark ? &journal->records[journal->count - 1] : NULL;
}

/* Freed pages, or entries of a table that the record before may hold entries of too. */
static bool is_mergeable(const struct pw_build *b, const struct pw_record *record)
{
	if (record->kind <= PW_RECORD_FILL)
		return record->pa & (pw_table_bytes(b->format, record->level) - 1);
	return record->kind == PW_RECORD_FREED && record->page;
}

/* The entries follow those of the record, by the same steps; a single one makes the steps. */
static bool extends(struct pw_build *b, struct pw_record *last, const struct pw_record *more)
{
	unsigned shift = pw_row(b, more->level)->shift;
	uint64_t count = last->count, before, after;

	if (!is_mergeable(b, more) || last->kind != more->kind || last->page != more->page ||
		last->level != more->level || last->bytes != more->bytes ||
		last->count + more->count < last->count ||
		last->pa + count * last->bytes != more->pa ||
		(more->kind == PW_RECORD_ENTRY && last->va + (count << shift) != more->va))
		return false;
	before = count == 1 ? more->before - last->before : last->before_step;
	after = count == 1 ? more->after - last->after : last->after_step;
	if (last->before + count * before != more->before ||
		last->after + count * after != more->after ||
		(more->count > 1 && (more->before_step != before || more->after_step != after)))
		return false;
	last->before_step = before;
	last->after_step = after;
	last->count += more->count;
	return true;
}

static bool add(struct pw_build *b, const struct pw_record *record)
{
	struct pw_journal *journal = b->journal;
	struct pw_record *last = last_of(b);

	if (b->overflow)
		return false;
	if (last && extends(b, last, record))
		return true;
	if (!journal->records || journal->count == journal->max) {
		b->overflow = true;
		return false;
	}
	journal->records[journal->count++] = *record;
	return true;
}

bool pw_journal_entry(struct pw_build *b, const struct pw_run *run, uint64_t index, uint64_t before,
	uint64_t after)
{
	const struct pw_level *row = pw_row(b, run->level);
	pw_va at = (run->at & ~PW_LOW(row->shift)) + ((index - run->index) << row->shift);
	const struct pw_record record = {.kind = PW_RECORD_ENTRY,
		.level = run->level,
		.count = 1,
		.bytes = b->format->entry_bytes,
		.pa = run->table->pa + index * b->format->entry_bytes,
		.va = pw_extend(b->space->extension, b->format->va_bits, at),
		.before = before,
		.after = after};

	return add(b, &record);
}

void pw_journal_retract(struct pw_build *b)
{
	struct pw_record *last = last_of(b);

	if (last && --last->count == 0)
		b->journal->count--;
}

void pw_journal_fill(struct pw_build *b, const struct pw_run *run)
{
	const struct pw_record record = {.kind = PW_RECORD_FILL,
		.level = run->level,
		.count = (uint32_t)run->count,
		.bytes = b->format->entry_bytes,
		.pa = run->table->pa + run->index * b->format->entry_bytes,
		.after = run->value,
		.after_step = run->count > 1 ? run->stride : 0};

	(void)add(b, &record);
}

/* A table, or a page if level is negative. Its frame is not to be on the stack for longer. */
static PW_SEPARATE bool add_whole(
	struct pw_build *b, enum pw_record_kind kind, int level, pw_pa pa, uint64_t bytes)
{
	const struct pw_record record = {.kind = (uint8_t)kind,
		.level = level < 0 ? 0 : (uint8_t)level,
		.page = level < 0,
		.count = 1,
		.bytes = bytes,
		.pa = pa};

	return add(b, &record);
}

bool pw_journal_table(struct pw_build *b, unsigned level, pw_pa pa)
{
	return !b->journal ||
	       add_whole(b, PW_RECORD_TAKEN, (int)level, pa, pw_table_room(b, level));
}

bool pw_journal_page(struct pw_build *b, pw_pa pa, uint64_t bytes)
{
	return !b->journal || add_whole(b, PW_RECORD_TAKEN, -1, pa, bytes);
}

void pw_journal_unused(struct pw_build *b, pw_pa pa)
{
	struct pw_journal *journal = b->journal;

	if (!journal)
		return;
	for (size_t n = journal->count; n > b->mark; n--) {
		struct pw_record *record = &journal->records[n - 1];

		if (record->kind == PW_RECORD_TAKEN && record->pa == pa) {
			record->kind = PW_RECORD_UNUSED;
			return;
		}
	}
}

bool pw_journal_free_table(
	struct pw_build *b, unsigned level, const struct pw_table *table, bool chained)
{
	struct pw_record *record;

	if (!b->journal)
		return true;
	if (!add_whole(b, PW_RECORD_FREED, (int)level, table->pa, pw_table_room(b, level)))
		return false;
	record = last_of(b);
	for (record->count = 0; chained && record->count < 2; record->count++) {
		uint64_t *entry = record->count ? &record->after : &record->before, seen;
		uint32_t index = record->count;

		if (!pw_peek_at(b, table, index, entry))
			break;
		/* A hole takes its place on a live space: no mark is set after the look. */
		do {
			seen = *entry;
		} while (b->live && !pw_exchange(b, table, index, entry, b->empty) &&
			 *entry != seen);
	}
	return true;
}

bool pw_journal_free_page(struct pw_build *b, pw_pa pa, uint64_t bytes)
{
	return add_whole(b, PW_RECORD_FREED, -1, pa, bytes);
}

void pw_journal_drop(struct pw_build *b)
{
	if (b->journal)
		b->journal->count = b->mark;
	b->journal = NULL;
}

bool pw_swap_recorded(struct pw_build *b, const struct pw_run *run, uint64_t index,
	uint64_t *expected, uint64_t entry)
{
	/* A replacement says what it replaces, on whatever space. */
	bool exchanges = b->live || run->op == PW_OP_REPLACE;

	if (!pw_journal_entry(b, run, index, *expected, entry))
		return false;
	if (exchanges ? pw_exchange(b, run->table, index, expected, entry)
		      : pw_poke(b, run->table, index, entry))
		return true;
	pw_journal_retract(b);
	return false;
}

bool pw_poke_recorded(
	struct pw_build *b, const struct pw_run *run, uint64_t index, uint64_t old, uint64_t entry)
{
	if (!pw_journal_entry(b, run, index, old, entry))
		return false;
	if (pw_poke(b, run->table, index, entry))
		return true;
	pw_journal_retract(b);
	return false;
}
