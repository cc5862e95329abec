/* SPDX-License-Identifier: MIT */
/* Undoing what a journal says, from its end: every entry becomes what it was, but for the marks. */
#include "build_journal.h"

struct undo {
	struct pw_build *b;
	struct pw_journal *journal;
	bool broken; /* live Arm: a page has become a hole since the last flush */
	bool unseen; /* no CPU has walked the tables since they were changed */
};

/* ---- Entries ---- */

/* On Arm a page may take another one's place only after the hole between them was flushed. */
static void break_before_make(
	struct undo *u, const struct pw_level *row, uint64_t now, uint64_t next)
{
	if (!pw_breaks(u->b))
		return;
	if (pw_is_present(row, now) && !pw_is_present(row, next)) {
		u->broken = true;
	} else if (!pw_is_present(row, now) && u->broken) {
		(void)pw_flush_now(u->b);
		u->broken = false;
	}
}

static enum pw_status undo_entry(struct undo *u, const struct pw_record *record, uint64_t n)
{
	struct pw_build *b = u->b;
	const struct pw_level *row = pw_row(b, record->level);
	pw_va at = (record->va & PW_LOW(b->format->va_bits)) + (n << row->shift);
	uint64_t after = record->after + n * record->after_step, now, seen;
	struct pw_table table = {record->pa + n * record->bytes, NULL};
	struct pw_run run = {.table = &table,
		.op = PW_OP_REPLACE,
		.level = record->level,
		.linked = true,
		.count = 1,
		.at = at};

	if (!pw_peek_at(b, &table, 0, &now))
		return PW_NO_MEMORY;
	do {
		if (!pw_is_but_for_marks(b, record->level, now, after))
			return PW_UNSTABLE;
		seen = run.expected = now;
		run.value = pw_restored(b, record, n, pw_index(row, at), now, u->unseen);
		run.tables = (pw_is_present(row, now) && pw_is_table(row, now)) ||
			     (pw_is_present(row, run.value) && pw_is_table(row, run.value));
		break_before_make(u, row, now, run.value);
		if (pw_restore(b, &run))
			return PW_OK;
		now = run.expected;
	} while (now != seen);
	return PW_E_READ_ONLY;
}

/* ---- Records ---- */

static void return_record(const struct undo *u, const struct pw_record *record)
{
	const struct pw_memory *memory = u->b->memory;

	if (record->page)
		memory->free_page(memory->ctx, record->pa, record->bytes);
	else if (memory->free_table)
		memory->free_table(memory->ctx, record->pa, record->bytes);
}

/* A table is about to be linked again: what stood where notes have been. */
static void revive(struct undo *u, const struct pw_record *record)
{
	const struct pw_table table = {record->pa, NULL};

	if (record->page)
		return;
	if (record->count > 0)
		u->b->refused |= !pw_poke(u->b, &table, 0, record->before);
	if (record->count > 1)
		u->b->refused |= !pw_poke(u->b, &table, 1, record->after);
}

static enum pw_status undo_record(struct undo *u, struct pw_record *record)
{
	enum pw_status status = PW_OK;

	switch ((enum pw_record_kind)record->kind) {
	case PW_RECORD_ENTRY:
		for (; record->count; record->count--) {
			status = undo_entry(u, record, record->count - 1);
			if (status != PW_OK)
				return status;
		}
		break;
	case PW_RECORD_TAKEN:
		if (!u->unseen) {
			record->kind = PW_RECORD_LEFT;
			return PW_OK;
		}
		return_record(u, record);
		break;
	case PW_RECORD_FREED:
		revive(u, record);
		break;
	case PW_RECORD_LEFT:
		return PW_OK;
	case PW_RECORD_FILL:
	case PW_RECORD_UNUSED:
		break;
	}
	record->kind = PW_RECORD_UNUSED;
	return PW_OK;
}

/* From the end on; what is left to wait stays in the journal. */
static enum pw_status undo_all(struct undo *u, size_t mark)
{
	struct pw_journal *journal = u->journal;
	enum pw_status status = PW_OK;
	size_t n = journal->count, kept;

	while (n > mark && status == PW_OK) {
		status = undo_record(u, &journal->records[n - 1]);
		n -= status == PW_OK;
	}
	kept = n;
	for (; n < journal->count; n++) {
		if (journal->records[n].kind == PW_RECORD_LEFT)
			journal->records[kept++] = journal->records[n];
	}
	journal->count = kept;
	return status == PW_OK && u->b->refused ? PW_E_READ_ONLY : status;
}

/* ---- Before anything is changed ---- */

static bool covers(const struct pw_record *record, pw_pa pa)
{
	bool entries = record->kind == PW_RECORD_ENTRY || record->kind == PW_RECORD_FILL;
	uint64_t bytes = entries ? record->bytes * record->count : record->bytes;

	return !record->page && pa >= record->pa && pa - record->pa < bytes;
}

/* The entry at pa has changed again since record number n, or its table is in use no more. */
static bool is_outdated(const struct undo *u, size_t n, pw_pa pa)
{
	for (size_t i = 0; i < u->journal->count; i++) {
		const struct pw_record *record = &u->journal->records[i];

		if (covers(record, pa) && record->kind != PW_RECORD_TAKEN &&
			(i > n || record->kind == PW_RECORD_UNUSED))
			return true;
	}
	return false;
}

static enum pw_status check_entries(const struct undo *u, size_t n)
{
	const struct pw_build *b = u->b;
	const struct pw_record *record = &u->journal->records[n];
	bool entries = record->kind == PW_RECORD_ENTRY;

	if (record->bytes != b->format->entry_bytes || (entries && record->level > b->top))
		return PW_E_ARGUMENT;
	for (uint64_t i = 0; i < record->count && record->level <= b->top; i++) {
		const struct pw_table table = {record->pa + i * record->bytes, NULL};
		uint64_t after = record->after + i * record->after_step, now;
		bool there = pw_peek_at(b, &table, 0, &now);

		if (there && pw_is_but_for_marks(b, record->level, now, after)) {
			if (entries && !pw_can_write(b, &table, 0, 1))
				return PW_E_READ_ONLY;
		} else if (!is_outdated(u, n, table.pa)) {
			return there ? PW_UNSTABLE : PW_NO_MEMORY;
		}
	}
	return PW_OK;
}

static enum pw_status check(const struct undo *u, size_t mark)
{
	enum pw_status status = PW_OK;

	if (pw_needs_break(u->b))
		return PW_E_UNSUPPORTED;
	for (size_t n = u->journal->count; n > mark && status == PW_OK; n--) {
		const struct pw_record *record = &u->journal->records[n - 1];

		if (record->kind == PW_RECORD_ENTRY || record->kind == PW_RECORD_FILL)
			status = check_entries(u, n - 1);
	}
	return status;
}

enum pw_status pw_undo(const struct pw_space *space, struct pw_flush *flush, size_t mark)
{
	struct pw_build b;
	struct undo u = {.b = &b};
	enum pw_status status;

	if (!space || !flush || !flush->journal || mark > flush->journal->count)
		return PW_E_ARGUMENT;
	if (!space->format->levels || (space->flags & PW_SPACE_PDPTE))
		return PW_E_UNSUPPORTED;
	u.journal = flush->journal;
	b = (struct pw_build){.space = space,
		.format = space->format,
		.memory = space->memory,
		.flush = flush,
		.top = space->format->levels - 1u,
		.live = flush->live,
		.last = PW_LOW(space->format->va_bits),
		.empty = space->empty};
	status = check(&u, mark);
	if (status != PW_OK)
		return status;
	status = undo_all(&u, mark);
	flush->entries_written += b.written;
	return status;
}

/* On a quiescent space nobody has seen anything. */
void pw_journal_roll_back(struct pw_build *b)
{
	struct undo u = {.b = b, .journal = b->journal, .unseen = !b->live};

	b->journal = NULL;
	b->first = 0;
	b->last = PW_LOW(b->format->va_bits);
	(void)undo_all(&u, b->mark);
}
