/* SPDX-License-Identifier: MIT */
/* The beginning and the end of an operation, and the tables it reserves in between. */
#include "build_journal.h"

/* Where a chained table's address stands. */
static uint64_t link_mask(const struct pw_format *format)
{
	uint64_t mask = 0;

	for (unsigned i = 1; i < format->levels; i++)
		mask |= format->level[i].table_address;
	return mask ? mask : format->level[0].page.address;
}

enum pw_status pw_build_begin(struct pw_build *b, const struct pw_space *space, pw_va va,
	uint64_t size, struct pw_flush *flush)
{
	const struct pw_format *f;
	pw_va last = va + (size - 1), low;

	if (!space || !space->format || !space->memory)
		return PW_E_ARGUMENT;
	f = space->format;
	/* The four PDPTE registers are no table that could be changed. */
	if (!f->levels || (space->flags & PW_SPACE_PDPTE))
		return PW_E_UNSUPPORTED;
	if ((va | size) & PW_LOW(f->level[0].shift))
		return PW_E_ALIGNMENT;
	if (!size || last < va || !pw_takes(space->extension, f->va_bits, va) ||
		!pw_takes(space->extension, f->va_bits, last))
		return PW_E_RANGE;
	low = PW_LOW(f->va_bits);
	/* Both ends are canonical, but the canonical hole lies between them. */
	if ((last & low) - (va & low) != last - va)
		return PW_E_RANGE;
	*b = (struct pw_build){.space = space,
		.format = f,
		.memory = space->memory,
		.flush = flush,
		.journal = flush ? flush->journal : NULL,
		.top = f->levels - 1u,
		.live = flush && flush->live,
		.first = va & low,
		.last = last & low,
		.link_mask = link_mask(f),
		.empty = space->empty};
	if (b->journal)
		b->mark = b->journal->count;
	return PW_OK;
}

void pw_build_return(struct pw_build *b)
{
	for (unsigned level = 0; level <= b->top; level++) {
		struct pw_reserve *reserve = &b->reserve[level];

		while (reserve->count)
			pw_return_table(b, level, reserve->table[--reserve->count]);
	}
}

enum pw_status pw_build_reserve(struct pw_build *b)
{
	for (unsigned level = 0; level <= b->top; level++) {
		struct pw_reserve *reserve = &b->reserve[level];

		for (; reserve->count < b->need[level] - b->kept[level]; reserve->count++) {
			if (!pw_new_table(b, level, &reserve->table[reserve->count])) {
				pw_build_return(b);
				return PW_E_NO_TABLES;
			}
		}
	}
	return PW_OK;
}

enum pw_status pw_build_finish(struct pw_build *b)
{
	if (b->overflow) {
		pw_journal_roll_back(b);
		pw_build_return(b);
		return PW_E_BUDGET;
	}
	if (b->pending && b->pending->count)
		pw_free_pending(b);
	pw_hand_over(b);
	pw_build_return(b);
	if (b->flush) {
		b->flush->entries_written += b->written;
		b->flush->tables_allocated += b->taken;
		b->flush->splits += b->splits;
	}
	return b->refused ? PW_E_READ_ONLY : PW_OK;
}
