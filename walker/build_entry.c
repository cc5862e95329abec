/* SPDX-License-Identifier: MIT */
/* Entries made and changed: rights, types and addresses into bits, by the rows of the format. */
#include "build.h"

static uint64_t bit_of(unsigned bit)
{
	return bit == PW_NO_BIT ? 0 : PW_BIT(bit & 63);
}

uint64_t pw_right_bit(const struct pw_page *shape, unsigned attribute)
{
	return bit_of(shape->right_bit[attribute]);
}

uint64_t pw_rights_mask(const struct pw_format *format, const struct pw_page *shape)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < format->attribute_count; i++)
		mask |= bit_of(shape->right_bit[i]);
	return mask;
}

uint64_t pw_type_bits(const struct pw_page *shape, unsigned type)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < PW_TYPE_BITS; i++)
		bits |= type >> i & 1 ? bit_of(shape->type_bit[i]) : 0;
	return bits;
}

static uint64_t type_mask(const struct pw_page *shape)
{
	return pw_type_bits(shape, ~0u);
}

uint64_t pw_address_mask(const struct pw_page *shape)
{
	return shape->address | shape->high[0].mask | shape->high[1].mask;
}

static uint64_t shareable(const struct pw_page *shape)
{
	return shape->shareable_bit ? PW_BIT(shape->shareable_bit & 63) : 0;
}

uint64_t pw_leaf_of(const struct pw_build *b, const struct pw_page *shape)
{
	uint64_t mask = shape->global | shape->global_clear, set;

	set = b->wish.global ? shape->global : shape->global_clear;
	for (unsigned i = 0; i < b->format->attribute_count; i++) {
		uint64_t bit = bit_of(shape->right_bit[i]);

		mask |= bit;
		set |= b->wish.attributes >> i & 1 ? bit : 0;
	}
	for (unsigned i = 0; i < PW_TYPE_BITS; i++) {
		uint64_t bit = bit_of(shape->type_bit[i]);

		mask |= bit;
		set |= b->wish.type >> i & 1 ? bit : 0;
	}
	return (shape->bits & ~mask) | set | shareable(shape) | b->wish.software;
}

/* The entry at address 0 is a page of this shape that says the wish, and the hardware takes it. */
static bool says_the_wish(
	const struct pw_build *b, unsigned level, const struct pw_page *shape, uint64_t leaf)
{
	if (!shape->size_log2 || pw_kind_in(b, level, leaf) != PW_PAGE ||
		pw_shape(pw_row(b, level), leaf) != shape)
		return false;
	if (b->wish.global && !shape->global && !shape->global_clear)
		return false;
	return pw_type_index(shape, leaf) == b->wish.type &&
	       pw_attributes(b->format, shape, leaf, ~(uint64_t)0, 0) == b->wish.attributes;
}

/* Tables only ever deny: this ends every denial of the wish. */
static struct pw_change widening(const struct pw_build *b, const struct pw_level *row)
{
	struct pw_change change = {~(uint64_t)0, 0};

	for (unsigned i = 0; i < b->format->attribute_count; i++) {
		const struct pw_attribute *attribute = &b->format->attribute[i];
		uint64_t bit = bit_of(attribute->table_bit) & row->fold;
		bool one = b->wish.ones >> i & 1, zero = b->wish.zeros >> i & 1;

		if (attribute->fold == PW_FOLD_AND && one)
			change.set |= bit;
		if ((attribute->fold == PW_FOLD_OR && zero) ||
			(attribute->fold == PW_FOLD_AND_NOT && one))
			change.keep &= ~bit;
	}
	if (b->wish.local)
		change.keep &= ~(b->format->global_table & row->fold);
	return change;
}

struct pw_change pw_widening(struct pw_build *b, unsigned level)
{
	if (!(b->widenings >> level & 1)) {
		b->widening[level] = widening(b, pw_row(b, level));
		b->widenings |= 1u << level;
	}
	return b->widening[level];
}

bool pw_are_rights(pw_rights rights)
{
	const pw_rights known = PW_RIGHTS_MASK | PW_GLOBAL | PW_MEM_MASK | PW_MEM_INDEX_MASK |
				PW_IPAT | PW_CONTIGUOUS | PW_SOFTWARE_MASK;

	return !(rights & ~known) &&
	       (!(rights & PW_MEM_INDEX_MASK) || (rights & PW_MEM_MASK) == PW_MEM_INDEX(0));
}

unsigned pw_type_of(const struct pw_format *format, pw_rights rights)
{
	unsigned type = format->encode_type[(rights & PW_MEM_MASK) >> PW_MEM_SHIFT];

	if ((rights & PW_MEM_MASK) == PW_MEM_INDEX(0))
		type = (rights & PW_MEM_INDEX_MASK) >> PW_MEM_INDEX_SHIFT;
	if (type == PW_CANNOT || !(rights & PW_IPAT))
		return type;
	return format->ignore_pat ? type | format->ignore_pat : PW_CANNOT;
}

bool pw_software_of(const struct pw_format *format, pw_rights rights, uint64_t *bits)
{
	uint64_t left = format->software;

	*bits = 0;
	for (pw_rights value = rights >> PW_SOFTWARE_SHIFT; value; value >>= 1) {
		if (value & 1)
			*bits |= left & (~left + 1);
		if (!left)
			return false;
		left &= left - 1;
	}
	return true;
}

static void wish_for_groups(struct pw_build *b, unsigned level)
{
	const struct pw_level *row = pw_row(b, level);
	uint64_t leaf = 0;

	if (!pw_has_groups(b, level) || !b->leaf[level])
		return;
	if (pw_has_spans(b->space, level)) {
		leaf = pw_leaf_of(b, &row->span);
		if (!says_the_wish(b, level, &row->span, leaf))
			return;
	}
	b->group[level] = (struct pw_group){
		(uint8_t)pw_groups_log2(b, level), pw_has_spans(b->space, level), leaf};
}

enum pw_status pw_build_wish(struct pw_build *b, pw_rights rights)
{
	unsigned attributes = b->format->encode[rights & PW_RIGHTS_MASK];
	unsigned type = pw_type_of(b->format, rights);

	if (!pw_are_rights(rights))
		return PW_E_ARGUMENT;
	if (attributes == PW_CANNOT || type == PW_CANNOT ||
		!pw_software_of(b->format, rights, &b->wish.software))
		return PW_E_RIGHTS;
	b->has_wish = true;
	b->wish.attributes = b->wish.ones = attributes;
	b->wish.zeros = ~attributes;
	b->wish.type = type;
	b->wish.type_given = (rights & PW_MEM_MASK) != 0;
	b->wish.global = (rights & PW_GLOBAL) != 0;
	b->wish.local = !b->wish.global;
	for (unsigned i = 0; i <= b->top; i++) {
		const struct pw_level *row = pw_row(b, i);

		if (b->last - b->first < PW_LOW(row->shift))
			break;
		b->leaf[i] = pw_leaf_of(b, &row->page);
		if (!says_the_wish(b, i, &row->page, b->leaf[i]))
			b->leaf[i] = 0;
		if (rights & PW_CONTIGUOUS)
			wish_for_groups(b, i);
	}
	return b->leaf[0] ? PW_OK : PW_E_RIGHTS;
}

struct pw_change pw_change_of(const struct pw_build *b, const struct pw_page *shape)
{
	uint64_t rights = pw_rights_mask(b->format, shape);
	uint64_t mask = rights | shape->global | shape->global_clear;
	struct pw_change change;

	if (b->wish.type_given)
		mask |= type_mask(shape);
	change.keep = ~mask;
	change.set = pw_leaf_of(b, shape) & mask;
	/*
	 * Where "dirty" is a writable page with a mark (Arm DBM), the mark alone would let the
	 * hardware make a read-only page writable: it goes with the right to write.
	 */
	if ((change.set & shape->dirty_clear) || (shape->dirty & rights & ~change.set))
		change.keep &= ~shape->dirty;
	return change;
}

bool pw_wish_holds(const struct pw_build *b, unsigned level, uint64_t and_fold, uint64_t or_fold)
{
	const struct pw_page *shape = &pw_row(b, level)->page;

	if (!b->wish.global && (or_fold & b->format->global_table))
		return false;
	return pw_attributes(b->format, shape, b->leaf[level], and_fold, or_fold) ==
	       b->wish.attributes;
}

bool pw_leaf_at(const struct pw_build *b, unsigned level, const struct pw_page *shape,
	uint64_t leaf, pw_pa pa, uint64_t *entry)
{
	uint64_t made = pw_with_address(b->format, shape, leaf, pa);

	*entry = made;
	return pw_page_address(b->format, b->space, shape, made) == pa &&
	       !pw_page_is_bad(b->space, pw_row(b, level), shape, level, made) &&
	       pa <= PW_LOW(b->space->pa_bits);
}

/* Address bits at several places (PSE-36): adding must not carry from one into the other. */
uint64_t pw_pages_in_stride(
	const struct pw_format *format, const struct pw_page *shape, pw_pa pa, uint64_t count)
{
	uint64_t field = shape->address << format->address_left;
	uint64_t left = ((field & ~pa) >> shape->size_log2) + 1;

	return left < count ? left : count;
}

uint64_t pw_link_to(const struct pw_format *format, unsigned level, pw_pa pa)
{
	const struct pw_level *row = &format->level[level];

	return row->table_bits | (pa >> format->address_left & row->table_address);
}

bool pw_may_be_written(const struct pw_build *b, const struct pw_page *shape, uint64_t page)
{
	pw_grant grant = b->format->grant[pw_attributes(b->format, shape, page, ~(uint64_t)0, 0)];

	return grant & (PW_GRANT_USER(PW_W) | PW_GRANT_SUPERVISOR(PW_W));
}

uint64_t pw_dirty_flag(const struct pw_format *format, const struct pw_page *shape)
{
	return shape->dirty_clear || shape->dirty & pw_rights_mask(format, shape) ? 0
										  : shape->dirty;
}

struct pw_change pw_cleaning(const struct pw_format *format, const struct pw_page *shape)
{
	uint64_t right = shape->dirty & pw_rights_mask(format, shape);

	if (shape->dirty_clear)
		return (struct pw_change){~(uint64_t)0, shape->dirty_clear};
	return (struct pw_change){~(right ? right : shape->dirty), 0};
}

/* Bits whose meaning the shape gives, beside the address. */
static uint64_t meaning(const struct pw_format *format, const struct pw_page *shape)
{
	return pw_rights_mask(format, shape) | type_mask(shape) | shape->accessed | shape->dirty |
	       shape->global | shape->global_clear | shareable(shape);
}

/* The bits that have a meaning, each at its place in the other shape. */
static uint64_t translate_bits(const struct pw_format *format, const struct pw_page *from,
	const struct pw_page *to, uint64_t entry)
{
	uint64_t made = 0;

	for (unsigned i = 0; i < format->attribute_count; i++)
		made |= entry & bit_of(from->right_bit[i]) ? bit_of(to->right_bit[i]) : 0;
	made |= pw_type_bits(to, pw_type_index(from, entry));
	made |= entry & from->accessed ? to->accessed : 0;
	if (from->dirty == to->dirty)
		made |= entry & to->dirty; /* part of them may be set: "writable but clean" */
	else if (from->dirty && (entry & from->dirty) == from->dirty)
		made |= to->dirty;
	made |= entry & from->global ? to->global : 0;
	made |= entry & from->global_clear ? to->global_clear : 0;
	made |= entry & shareable(from) ? shareable(to) : 0;
	return made;
}

/* Nothing was lost on the way. */
static bool says_the_same(const struct pw_format *format, const struct pw_page *from,
	const struct pw_page *to, uint64_t entry, uint64_t made)
{
	return translate_bits(format, to, from, made) == (entry & meaning(format, from)) &&
	       pw_attributes(format, from, entry, ~(uint64_t)0, 0) ==
		       pw_attributes(format, to, made, ~(uint64_t)0, 0);
}

bool pw_convert(const struct pw_build *b, const struct pw_page *from, const struct pw_page *to,
	unsigned level, uint64_t entry, uint64_t *out)
{
	const struct pw_format *f = b->format;
	uint64_t from_means = meaning(f, from), to_means = meaning(f, to);
	pw_pa pa = pw_page_address(f, b->space, from, entry);
	pw_pa last = pa + (PW_BIT(from->size_log2) - PW_BIT(to->size_log2));
	/* Bits that a builder sets in both shapes are taken over as they are (Arm shareability). */
	uint64_t shared = from->bits & to->bits & ~from_means & ~to_means;
	uint64_t rest = entry & ~(pw_address_mask(from) | from_means | from->bits);
	uint64_t made = translate_bits(f, from, to, entry);

	if (!to->size_log2)
		return false;
	if (to->size_log2 > from->size_log2)
		last = pa; /* there is one, and it begins there */
	/* What the row does not know stays where it is, if that place is free. */
	if (rest & (pw_address_mask(to) | to_means | to->bits | to->reserved))
		return false;
	made |= rest | (entry & shared) | (to->bits & ~from->bits & ~to_means);
	if (!says_the_same(f, from, to, entry, made))
		return false;
	*out = made;
	return pw_leaf_at(b, level, to, made, last, &made) &&
	       pw_leaf_at(b, level, to, *out, pa, out) && pw_kind_in(b, level, *out) == PW_PAGE;
}
