/* SPDX-License-Identifier: MIT */
/* Private: small functions of the builders. Included by build.h alone, which has what they need. */
#ifndef PW_PRIVATE_BUILD_INLINE_H
#define PW_PRIVATE_BUILD_INLINE_H

/* No instruction and no library function for it is at hand everywhere. */
PW_INLINE unsigned pw_count_bits(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(word * UINT64_C(0x0101010101010101) >> 56);
}

/* On Arm a page changes its size, address or memory type only by way of a hole and a flush
 * (break-before-make). */
PW_INLINE bool pw_breaks(const struct pw_build *b)
{
	return b->live && b->format->family == PW_FAMILY_ARM;
}

/* ... and nobody is there to flush. */
PW_INLINE bool pw_needs_break(const struct pw_build *b)
{
	return pw_breaks(b) && !b->flush->flush_now;
}

/*
 * The change of a page is one of those (Arm ARM D8, "Using break-before-make when updating
 * translation table entries"): of the memory type, or from non-global to global. Not of rights.
 */
PW_INLINE bool pw_must_break(
	const struct pw_page *shape, uint64_t type_bits, uint64_t entry, uint64_t changed)
{
	return ((entry ^ changed) & type_bits) || (entry & ~changed & shape->global_clear);
}

PW_INLINE bool pw_is_accessed(const struct pw_page *shape, uint64_t entry)
{
	return entry & shape->accessed;
}

PW_INLINE bool pw_is_dirty(const struct pw_page *shape, uint64_t entry)
{
	return shape->dirty && (entry & shape->dirty) == shape->dirty &&
	       !(entry & shape->dirty_clear);
}

PW_INLINE const struct pw_level *pw_row(const struct pw_build *b, unsigned level)
{
	return &b->format->level[level];
}

/* Entries of this level may form groups, */
PW_INLINE bool pw_has_groups(const struct pw_build *b, unsigned level)
{
	return pw_row(b, level)->page.hint || pw_has_spans(b->space, level);
}

/* and their size. */
PW_INLINE unsigned pw_groups_log2(const struct pw_build *b, unsigned level)
{
	const struct pw_level *row = pw_row(b, level);

	if (pw_has_spans(b->space, level))
		return row->span.size_log2;
	return row->page.hint ? row->page.hint_log2 : row->shift;
}

PW_INLINE uint64_t pw_index(const struct pw_level *row, pw_va at)
{
	return at >> row->shift & PW_LOW(row->index_bits);
}

PW_INLINE pw_va pw_block_last(const struct pw_level *row, pw_va at)
{
	return at | PW_LOW(row->shift);
}

PW_INLINE uint64_t pw_entry_count(const struct pw_level *row)
{
	return PW_BIT(row->index_bits);
}

/* The block that begins at `at` can be a page, all of it in one piece. */
PW_INLINE bool pw_may_be_page(struct pw_build *b, unsigned level, pw_va at)
{
	if (b->typed)
		pw_turn_to(b, at);
	return b->leaf[level] &&
	       (!b->typed || pw_block_last(pw_row(b, level), at) <= b->typed->last);
}

PW_INLINE bool pw_has_tables(const struct pw_level *row)
{
	return !(row->table_value & ~row->table_mask);
}

PW_INLINE bool pw_peek_at(
	const struct pw_build *b, const struct pw_table *table, uint64_t index, uint64_t *entry)
{
	if (table->host) {
		*entry = pw_peek(b->format, table->host + index * b->format->entry_bytes);
		return true;
	}
	return pw_load(b->format, b->space, table->pa + index * b->format->entry_bytes, entry);
}

/* A PAE CPU holds the root's entries in registers, which no flush of a range reloads. */
PW_INLINE bool pw_is_in_registers(const struct pw_build *b, unsigned level)
{
	return b->format->family == PW_FAMILY_X86 && b->format->levels == 3 && level == b->top;
}

/* A page entry at address 0, at this address instead. What does not fit is left out. */
PW_INLINE uint64_t pw_with_address(
	const struct pw_format *format, const struct pw_page *shape, uint64_t leaf, pw_pa pa)
{
	leaf |= pa >> format->address_left & shape->address;
	leaf |= pa >> shape->high[0].left & shape->high[0].mask;
	return leaf | (pa >> shape->high[1].left & shape->high[1].mask);
}

/* What an entry is, by the rules of the space. */
PW_INLINE enum pw_kind pw_kind_in(const struct pw_build *b, unsigned level, uint64_t entry)
{
	const struct pw_level *row = pw_row(b, level);

	if (!pw_is_present(row, entry))
		return PW_HOLE;
	if (pw_is_table(row, entry))
		return pw_table_is_bad(b->space, row, level, entry) ? PW_BAD : PW_TABLE;
	return pw_page_is_bad(b->space, row, pw_shape(row, entry), level, entry) ? PW_BAD : PW_PAGE;
}

/* A whole entry in one store. */
PW_INLINE void pw_put(const struct pw_format *format, void *at, uint64_t entry)
{
	bool swap = format->big_endian != PW_HOST_BIG;

	if (format->entry_bytes == 4)
		__atomic_store_n((uint32_t *)at,
			swap ? __builtin_bswap32((uint32_t)entry) : (uint32_t)entry,
			__ATOMIC_RELAXED);
	else
		__atomic_store_n(
			(pw_word *)at, swap ? __builtin_bswap64(entry) : entry, __ATOMIC_RELAXED);
}

#endif
