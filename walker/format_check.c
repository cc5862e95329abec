/* SPDX-License-Identifier: MIT */
/* The self-check of a row: data needs a checker too. */
#include "entry.h"

_Static_assert(PW_GROUP_MAX == 1 << 7, "see check_page()");

static bool is_bit(unsigned bit, const struct pw_format *f)
{
	return bit == PW_NO_BIT || bit < 8u * f->entry_bytes;
}

static uint64_t bit_mask(unsigned bit)
{
	return bit == PW_NO_BIT ? 0 : PW_BIT(bit & 63);
}

static const char *check_header(const struct pw_format *f)
{
	/* A key of no bits may claim to be anywhere. */
	uint64_t key = f->key_bits ? PW_LOW(f->key_bits) << (f->key_bit & 63) : 0;

	if (!f->name || !f->manual)
		return "no name or no manual";
	if (f->levels > PW_MAX_LEVELS)
		return "more levels than PW_MAX_LEVELS";
	if (f->va_bits == 0 || f->va_bits > 64 || f->pa_bits == 0 || f->pa_bits > 64)
		return "an address width is not 1 to 64";
	if (f->extension > PW_ONE_EXTENDED)
		return "extension is no enum pw_extension";
	if (f->levels == 0)
		return NULL;
	if (f->entry_bytes != 4 && f->entry_bytes != 8)
		return "entries have neither 4 nor 8 bytes";
	if (f->attribute_count > PW_MAX_ATTRIBUTES)
		return "more attributes than PW_MAX_ATTRIBUTES";
	if (f->root_align & (f->root_align - 1))
		return "root_align is no power of two";
	if (f->root_align && f->root_align < f->entry_bytes)
		return "root_align is less than an entry";
	if (f->address_left > 63)
		return "address_left is not 0 to 63";
	if (f->key_bits > 4 || f->key_bit + f->key_bits > 8u * f->entry_bytes)
		return "the protection key is outside the entry, or wider than 4 bits";
	if (f->software & (~PW_LOW(8u * f->entry_bytes) | key))
		return "software bits are outside the entry, or in the protection key";
	if (f->ignore_pat >> PW_TYPE_BITS)
		return "ignore_pat is wider than a memory-type index";
	return NULL;
}

/* Widths add up to va_bits, and level 0 is the last one. */
static const char *check_widths(const struct pw_format *f)
{
	unsigned at = f->level[0].shift;

	for (unsigned i = 0; i < f->levels; i++) {
		const struct pw_level *row = &f->level[i];

		if (row->shift != at)
			return "a level does not begin where the one below ends";
		if (row->index_bits == 0 || row->index_bits > 32)
			return "a table has no entries, or too many";
		at += row->index_bits;
	}
	if (at != f->va_bits)
		return "the levels do not add up to va_bits";
	return NULL;
}

static const char *check_table(const struct pw_format *f, unsigned number)
{
	const struct pw_level *row = &f->level[number];
	uint64_t low = PW_LOW(8u * f->entry_bytes), all = 0, any = 0, folded;

	for (unsigned i = 0; i < f->attribute_count; i++)
		*(f->attribute[i].fold == PW_FOLD_AND ? &all : &any) |=
			bit_mask(f->attribute[i].table_bit);
	folded = (all | any) & row->fold;
	if (all & any)
		return "a bit of table entries is folded both ways";
	if (number == 0)
		return row->table_value & ~row->table_mask ? NULL : "level 0 has table entries";
	if (row->table_value & ~row->table_mask)
		return NULL; /* no tables here: a hierarchy may end early in huge pages only */
	if (!row->table_address || row->table_address & ~low)
		return "a table entry has no address field, or one wider than the entry";
	if (row->table_address & (folded | row->table_mask | row->table_reserved | row->table_bits |
					 row->present_all | row->present_any))
		return "a table's address field overlaps other bits";
	if (row->table_address << f->address_left & (f->entry_bytes - 1u))
		return "a table's address field is finer than its entries";
	if (pw_entry_kind(f, number, row->table_bits) != PW_TABLE)
		return "table_bits do not make a TABLE";
	return NULL;
}

/* The bits of a page's entry that have a meaning, beside the address, are added to *others. */
static const char *check_bits(
	const struct pw_format *f, const struct pw_page *shape, uint64_t *others)
{
	for (unsigned i = 0; i < f->attribute_count; i++) {
		if (!is_bit(shape->right_bit[i], f) || !is_bit(f->attribute[i].table_bit, f))
			return "an attribute's bit is outside the entry";
		*others |= bit_mask(shape->right_bit[i]);
	}
	for (unsigned i = 0; i < PW_TYPE_BITS; i++) {
		if (!is_bit(shape->type_bit[i], f))
			return "a memory-type bit is outside the entry";
		*others |= bit_mask(shape->type_bit[i]);
	}
	if (shape->shareable_bit >= 8u * f->entry_bytes)
		return "a page's shareable bit is outside the entry";
	if (shape->shareable_bit)
		*others |= PW_BIT(shape->shareable_bit);
	*others |= shape->bits | shape->mask | shape->hint | shape->accessed | shape->dirty |
		   shape->global | shape->global_clear;
	return NULL;
}

static const char *check_page(
	const struct pw_format *f, unsigned number, const struct pw_page *shape)
{
	const struct pw_level *row = &f->level[number];
	uint64_t field = shape->address | shape->high[0].mask | shape->high[1].mask, others = 0;
	const char *wrong;

	if (shape->high[0].left > 63 || shape->high[1].left > 63)
		return "high address bits are moved out of the address";
	if (!shape->size_log2)
		return NULL;
	if (shape == &row->page ? shape->size_log2 != row->shift
				: shape->size_log2 <= row->shift ||
					  shape->size_log2 > row->shift + row->index_bits ||
					  shape->size_log2 > 63)
		return "a page's size does not fit its level";
	if (shape->size_log2 - row->shift > 7 ||
		(shape->hint && (shape->hint_log2 <= row->shift ||
					shape->hint_log2 > row->shift + row->index_bits ||
					shape->hint_log2 - row->shift > 7)))
		return "a group of entries does not fit its level, or is larger than PW_GROUP_MAX";
	if (shape->address << f->address_left & PW_LOW(shape->size_log2))
		return "a page's address field is finer than the page";
	wrong = check_bits(f, shape, &others);
	if (wrong)
		return wrong;
	if (f->software & (field | others | shape->dirty_clear | shape->reserved |
				  row->present_all | row->present_any | row->table_mask))
		return "a software bit of a page is in use";
	if (field & (others | shape->reserved))
		return "a page's address field overlaps other bits";
	if (others & shape->reserved)
		return "a page's reserved bits overlap bits in use";
	return NULL;
}

/* Each combination of rights that can be encoded is decoded as itself. */
static const char *check_rights(const struct pw_format *f)
{
	for (unsigned rights = 0; rights < 16; rights++) {
		unsigned attributes = f->encode[rights];

		if (attributes == PW_CANNOT)
			continue;
		if (attributes >> f->attribute_count)
			return "encode names an attribute that is not there";
		if (f->grant[attributes] >> 12 != rights)
			return "encoded rights are not those decoded";
		if (rights & PW_U && !f->has_user)
			return "a user's rights in a format without users";
	}
	for (unsigned type = 0; type < 8; type++) {
		if (f->encode_type[type] != PW_CANNOT && f->encode_type[type] >> PW_TYPE_BITS)
			return "encode_type is wider than a memory-type index";
	}
	return NULL;
}

static const char *check(const struct pw_format *f)
{
	const char *why = check_header(f);

	if (why || f->levels == 0)
		return why;
	why = check_widths(f);
	for (unsigned i = 0; i < f->levels && !why; i++) {
		why = check_page(f, i, &f->level[i].page);
		if (!why)
			why = check_page(f, i, &f->level[i].span);
		if (!why)
			why = check_table(f, i);
	}
	if (!why && !f->level[0].page.size_log2)
		why = "level 0 has no pages";
	return why ? why : check_rights(f);
}

enum pw_status pw_format_check(const struct pw_format *format, const char **why)
{
	const char *broken = format ? check(format) : "no format";

	if (why)
		*why = broken;
	return broken ? PW_E_ARGUMENT : PW_OK;
}
