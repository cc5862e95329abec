/* SPDX-License-Identifier: MIT */
/* The list of what is to be flushed. */
#include "build_journal.h"

static bool touches(const struct pw_flush_range *range, const struct pw_flush_range *other)
{
	/* One past the top of the address space is 0 and touches nothing. */
	bool before = other->last < range->first && other->last + 1 != range->first;
	bool after = range->last < other->first && range->last + 1 != other->first;

	return !before && !after;
}

static void absorb(struct pw_flush_range *range, const struct pw_flush_range *other)
{
	if (other->first < range->first)
		range->first = other->first;
	if (other->last > range->last)
		range->last = other->last;
	if (other->level < range->level)
		range->level = other->level;
	if (other->highest > range->highest)
		range->highest = other->highest;
	range->tables |= other->tables;
}

static void add(struct pw_flush *flush, struct pw_flush_range range)
{
	size_t i = 0;

	/* The range may grow and then touch one that it did not touch before: start again. */
	while (i < flush->range_count) {
		if (touches(&range, &flush->ranges[i])) {
			absorb(&range, &flush->ranges[i]);
			flush->ranges[i] = flush->ranges[--flush->range_count];
			i = 0;
		} else {
			i++;
		}
	}
	if (flush->ranges && flush->range_count < flush->range_max)
		flush->ranges[flush->range_count++] = range;
	else
		flush->everything = true;
}

static void put(struct pw_build *b, pw_va first, pw_va last, unsigned level, unsigned leaf_level,
	bool tables)
{
	unsigned extension = b->space->extension, bits = b->format->va_bits;

	add(b->flush, (struct pw_flush_range){pw_extend(extension, bits, first),
			      pw_extend(extension, bits, last), (uint8_t)leaf_level, tables,
			      (uint8_t)level});
}

void pw_record(struct pw_build *b, pw_va first, pw_va last, unsigned level, unsigned leaf_level,
	bool tables)
{
	if (b->hold) {
		b->hold->first = b->hold->any ? b->hold->first : first;
		b->hold->last = last;
		b->hold->any = true;
		return;
	}
	if (!b->flush || b->flush->everything)
		return;
	if (pw_is_in_registers(b, level)) {
		b->flush->everything = true;
		return;
	}
	/* Outside the operation's range everything translates as it did before. */
	if (first < b->first && last >= b->first)
		first = b->first;
	if (last > b->last && first <= b->last)
		last = b->last;
	put(b, first, last, level, leaf_level, tables);
}

void pw_record_whole(struct pw_build *b, pw_va first, pw_va last, unsigned level)
{
	if (b->flush && !b->flush->everything)
		put(b, first, last, level, level, false);
}

static void hand_back(const struct pw_memory *memory, struct pw_flush *flush)
{
	for (size_t i = 0; i < flush->freed_count && memory->free_table; i++)
		memory->free_table(memory->ctx, flush->freed[i].pa, flush->freed[i].bytes);
	flush->freed_count = 0;
	flush->range_count = 0;
	flush->everything = false;
}

static void empty_journal(const struct pw_memory *memory, struct pw_journal *journal)
{
	for (size_t n = 0; n < journal->count; n++) {
		const struct pw_record *record = &journal->records[n];

		if (record->kind != PW_RECORD_FREED && record->kind != PW_RECORD_LEFT)
			continue;
		if (!record->page && memory->free_table)
			memory->free_table(memory->ctx, record->pa, record->bytes);
		for (uint32_t i = 0; record->page && memory->free_page && i < record->count; i++)
			memory->free_page(
				memory->ctx, record->pa + i * record->bytes, record->bytes);
	}
	journal->count = 0;
}

void pw_flush_done(const struct pw_space *space, struct pw_flush *flush)
{
	if (!space || !flush)
		return;
	hand_back(space->memory, flush);
	if (flush->journal)
		empty_journal(space->memory, flush->journal);
}

bool pw_flush_now(struct pw_build *b)
{
	if (!b->flush || !b->flush->flush_now)
		return false;
	b->flush->flush_now(b->flush->ctx, b->flush);
	hand_back(b->memory, b->flush);
	return true;
}

void pw_hand_over_table(struct pw_build *b, unsigned level, pw_pa pa)
{
	struct pw_flush *flush = b->flush;

	if (flush && !b->unlinked)
		flush->tables_freed++;
	if (b->journal && !b->unlinked)
		return; /* it waits there */
	if (b->journal)
		pw_journal_unused(b, pa);
	if (!flush || b->unlinked || b->flushed) {
		pw_return_table(b, level, pa);
		return;
	}
	if (flush->freed && flush->freed_count < flush->freed_max) {
		flush->freed[flush->freed_count++] =
			(struct pw_freed_table){pa, pw_table_room(b, level)};
		return;
	}
	if (pw_flush_now(b))
		b->flushed = true;
	else
		flush->everything = true;
	pw_return_table(b, level, pa);
}

void pw_hand_over(struct pw_build *b)
{
	for (unsigned level = 0; level <= b->top; level++) {
		struct pw_chain *chain = &b->dead[level];

		while (chain->count) {
			struct pw_table table = pw_table_open(b, level, chain->head);
			uint64_t link = 0;

			if (--chain->count && pw_peek_at(b, &table, 0, &link))
				chain->head = pw_chain_target(b, link);
			pw_hand_over_table(b, level, table.pa);
		}
	}
}

void pw_free_pending(struct pw_build *b)
{
	const struct pw_memory *memory = b->memory;
	struct pw_pending *pending = b->pending;

	if (b->unflushed)
		(void)pw_flush_now(b);
	b->unflushed = false;
	for (unsigned i = 0; i < pending->count; i++)
		memory->free_page(memory->ctx, pending->page[i].pa, pending->page[i].bytes);
	pending->count = 0;
}
