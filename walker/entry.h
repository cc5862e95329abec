/* SPDX-License-Identifier: MIT */
/*
 * One entry: load, classify, decode. The only place where the masks of a format are applied.
 *
 * Everything here is inline over `const struct pw_format *`: given a constant row the compiler
 * folds the row away, given a run-time pointer the same source serves any format.
 */
#ifndef PW_PRIVATE_ENTRY_H
#define PW_PRIVATE_ENTRY_H

#include "bits.h"
#include <pagewalk/space.h>

/* struct pw_space.flags */
#define PW_SPACE_CAREFUL                                                                           \
	1u                    /* more than the folded rights decides: keys, Accessed, shadow stack \
			       */
#define PW_SPACE_FETCH_BIT 2u /* x86: the I/D bit of error codes is in use */
#define PW_SPACE_PKE       4u
#define PW_SPACE_PKS       8u
#define PW_SPACE_WP        16u
#define PW_SPACE_PDPTE     32u /* the root is the four PDPTE registers */
#define PW_SPACE_CET       64u

/* struct pw_space.stage2 */
#define PW_STAGE2_TABLES_WRITTEN 1u /* a stage-1 table's entry is read as if it were written */
#define PW_STAGE2_SHADOW_STACK   2u /* EPTP bit 7 */
#define PW_STAGE2_ADVANCED       4u /* EPT: exit qualification bits 9-11 */
#define PW_STAGE2_FETCH_BIT      8u /* NPT: the I/D bit of EXITINFO1 is in use */
#define PW_STAGE2_GMET           16u

/* struct pw_space.engine */
enum pw_engine {
	PW_ENGINE_ANY,    /* the format as run-time data */
	PW_ENGINE_X86_64, /* instances for this format: the first window, then all others */
	PW_ENGINE_X86_64_BY_CALLBACK, /* there are no windows */
	/* Stage 2 of the quick two-stage walk; alone it is walked as any. */
	PW_ENGINE_EPT_4,
	PW_ENGINE_NPT_4,
};

/* Out of line: other windows, then the callback. */
bool pw_load_elsewhere(const struct pw_space *space, pw_pa pa, unsigned bytes, uint64_t *entry);

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define PW_HOST_BIG true
#else
#define PW_HOST_BIG false
#endif

/* An entry as it stands in a window: one aligned single-copy-atomic load, then byte order. */
PW_INLINE uint64_t pw_peek(const struct pw_format *format, const void *at)
{
	if (format->entry_bytes == 4) {
		uint32_t word = __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);

		return format->big_endian != PW_HOST_BIG ? __builtin_bswap32(word) : word;
	}
	uint64_t word = __atomic_load_n((const pw_word *)at, __ATOMIC_RELAXED);

	return format->big_endian != PW_HOST_BIG ? __builtin_bswap64(word) : word;
}

/* The host address of `bytes` at pa if the first window holds all of them, else NULL. */
PW_INLINE char *pw_first_window(const struct pw_space *space, pw_pa pa, uint64_t bytes)
{
	uint64_t offset = pa - space->window.base;

	if (PW_LIKELY(offset < space->window.size && space->window.size - offset >= bytes))
		return (char *)space->window.host + offset;
	return NULL;
}

PW_INLINE bool pw_load(
	const struct pw_format *format, const struct pw_space *space, pw_pa pa, uint64_t *entry)
{
	/* Reach is size - bytes + 1, made once: one comparison tells the whole entry is inside. */
	uint64_t offset = pa - space->window.base;

	if (PW_LIKELY(offset < space->window_reach)) {
		*entry = pw_peek(format, (const char *)space->window.host + offset);
		return true;
	}
	if (!space->window.size && space->memory->read_pte)
		return space->memory->read_pte(space->memory->ctx, pa, format->entry_bytes, entry);
	return pw_load_elsewhere(space, pa, format->entry_bytes, entry);
}

PW_INLINE bool pw_is_present(const struct pw_level *level, uint64_t entry)
{
	return (entry & level->present_all) == level->present_all &&
	       (!level->present_any || (entry & level->present_any));
}

PW_INLINE bool pw_is_table(const struct pw_level *level, uint64_t entry)
{
	return (entry & level->table_mask) == level->table_value;
}

/* The shape of a present entry that is no table. */
PW_INLINE const struct pw_page *pw_shape(const struct pw_level *level, uint64_t entry)
{
	if (level->span.size_log2 && (entry & level->span.mask) == level->span.value)
		return &level->span;
	return &level->page;
}

/* Pages of this level may span several entries, by the format and by the rules of the space. */
PW_INLINE bool pw_has_spans(const struct pw_space *space, unsigned level)
{
	const struct pw_page *span = &space->format->level[level].span;

	return span->size_log2 && !(space->reserved_span[level] & span->value);
}

/* A present TABLE entry that the hardware would refuse. */
PW_INLINE bool pw_table_is_bad(
	const struct pw_space *space, const struct pw_level *level, unsigned number, uint64_t entry)
{
	if (level->table_illegal_low6 &&
		((level->table_illegal_low6 | space->illegal_low6) >> (entry & 63) & 1))
		return true;
	return (entry & space->reserved_table[number]) != 0;
}

PW_INLINE bool pw_page_is_bad(const struct pw_space *space, const struct pw_level *level,
	const struct pw_page *shape, unsigned number, uint64_t entry)
{
	uint64_t reserved =
		shape == &level->span ? space->reserved_span[number] : space->reserved_page[number];

	if (shape->illegal_low6 &&
		((shape->illegal_low6 | space->illegal_low6) >> (entry & 63) & 1))
		return true;
	return !shape->size_log2 || (entry & reserved);
}

PW_INLINE pw_pa pw_table_address(const struct pw_format *format, const struct pw_space *space,
	const struct pw_level *level, uint64_t entry)
{
	return ((entry & level->table_address) << format->address_left) & ~space->address_clear;
}

PW_INLINE pw_pa pw_page_address(const struct pw_format *format, const struct pw_space *space,
	const struct pw_page *shape, uint64_t entry)
{
	pw_pa pa = (entry & shape->address) << format->address_left;

	for (unsigned i = 0; i < 2; i++)
		pa |= (entry & shape->high[i].mask) << shape->high[i].left;
	return pa & ~space->address_clear;
}

/* Folds a table entry into the accumulators: AND of what allows, OR of what denies. */
PW_INLINE void pw_fold(
	const struct pw_level *level, uint64_t entry, uint64_t *and_fold, uint64_t *or_fold)
{
	*and_fold &= entry | ~level->fold;
	*or_fold |= entry & level->fold;
}

PW_INLINE unsigned pw_attribute_value(const struct pw_attribute *attribute, unsigned page_bit,
	uint64_t entry, uint64_t and_fold, uint64_t or_fold)
{
	uint64_t page =
		page_bit == PW_NO_BIT ? attribute->fold == PW_FOLD_AND : entry >> (page_bit & 63);
	unsigned table_bit = attribute->table_bit;

	if (table_bit != PW_NO_BIT) {
		if (attribute->fold == PW_FOLD_AND)
			page &= and_fold >> (table_bit & 63);
		else if (attribute->fold == PW_FOLD_OR)
			page |= or_fold >> (table_bit & 63);
		else if (attribute->fold == PW_FOLD_AND_NOT)
			page &= ~(or_fold >> (table_bit & 63));
	}
	return (unsigned)page & 1;
}

/*
 * The folded attributes of a page, attribute 0 lowest: the index into the grants. No loop, here and
 * below: with a constant row each line becomes a few instructions or none.
 */
PW_INLINE unsigned pw_attributes(const struct pw_format *format, const struct pw_page *shape,
	uint64_t entry, uint64_t and_fold, uint64_t or_fold)
{
#define PW_ATTRIBUTE(i)                                                                            \
	((i) < format->attribute_count ? pw_attribute_value(&format->attribute[i],                 \
						 shape->right_bit[i], entry, and_fold, or_fold)    \
						 << (i)                                            \
				       : 0)
	_Static_assert(PW_MAX_ATTRIBUTES == 6, "one term an attribute");
	return PW_ATTRIBUTE(0) | PW_ATTRIBUTE(1) | PW_ATTRIBUTE(2) | PW_ATTRIBUTE(3) |
	       PW_ATTRIBUTE(4) | PW_ATTRIBUTE(5);
#undef PW_ATTRIBUTE
}

PW_INLINE uint8_t pw_type_index(const struct pw_page *shape, uint64_t entry)
{
#define PW_TYPE_BIT(i)                                                                             \
	(shape->type_bit[i] != PW_NO_BIT                                                           \
			? (unsigned)(entry >> (shape->type_bit[i] & 63) & 1) << (i)                \
			: 0)
	_Static_assert(PW_TYPE_BITS == 5, "one term a bit");
	return (uint8_t)(PW_TYPE_BIT(0) | PW_TYPE_BIT(1) | PW_TYPE_BIT(2) | PW_TYPE_BIT(3) |
			 PW_TYPE_BIT(4));
#undef PW_TYPE_BIT
}

PW_INLINE bool pw_takes(unsigned extension, unsigned va_bits, pw_va va)
{
	if (va_bits >= 64)
		return true;
	if (extension == PW_SIGN_EXTENDED)
		return (pw_va)((int64_t)(va << (64 - va_bits)) >> (64 - va_bits)) == va;
	if (extension == PW_ONE_EXTENDED)
		return ~va >> va_bits == 0;
	return va >> va_bits == 0;
}

/* Linear positions leave the extension bits out; this puts them back. */
PW_INLINE pw_va pw_extend(unsigned extension, unsigned va_bits, pw_va va)
{
	if (va_bits >= 64)
		return va;
	va &= PW_LOW(va_bits);
	if (extension == PW_ONE_EXTENDED ||
		(extension == PW_SIGN_EXTENDED && (va >> (va_bits - 1) & 1)))
		va |= ~PW_LOW(va_bits);
	return va;
}

#endif
