/* SPDX-License-Identifier: MIT */
#include "random_tables.h"

#define LOW(n) ((n) >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (n)) - 1)

void image_store(struct image *image, uint64_t pa, unsigned bytes, uint64_t entry)
{
	uint64_t offset = pa - image->base;

	if (offset >= image->size || image->size - offset < bytes)
		return;
	for (unsigned i = 0; i < bytes; i++)
		image->bytes[offset + i] = (uint8_t)(entry >> (8 * i));
}

uint64_t random_va(struct random *random, const struct pw_format *format, bool high)
{
	uint64_t va = random_next(random) & LOW(format->va_bits);

	if (random_once_in(random, 50))
		return random_next(random) >> random_below(random, 64);
	if (high)
		return va | ~LOW(format->va_bits);
	if (format->extension == PW_SIGN_EXTENDED && va >> (format->va_bits - 1))
		va |= ~LOW(format->va_bits);
	return va;
}

/* Bits outside the address field, each set rarely, so that most entries stay good. */
static uint64_t some_bits(struct random *random, uint64_t address)
{
	uint64_t bits = random_next(random);

	if (!random_once_in(random, 4))
		bits &= LOW(12) | UINT64_C(0xfff0000000000000);
	if (random_once_in(random, 2))
		bits &= LOW(12);
	if (random_once_in(random, 2))
		bits &= random_next(random);
	return bits & ~address;
}

uint64_t random_table_entry(struct random *random, const struct image *image,
	const struct pw_format *format, unsigned level, uint64_t *next)
{
	const struct pw_level *row = &format->level[level];
	uint64_t bytes = pw_table_bytes(format, level - 1);
	uint64_t entry = row->table_bits;

	*next = image->base + random_below(random, image->size / bytes) * bytes;
	if (random_once_in(random, 100))
		*next = random_next(random) & row->table_address << format->address_left;
	if (random_once_in(random, 2))
		entry |= some_bits(random, row->table_address) & ~row->table_mask;
	if (format->family == PW_FAMILY_RISCV && !random_once_in(random, 8))
		entry &= UINT64_C(0x321);
	if (format->family == PW_FAMILY_EPT && !random_once_in(random, 8))
		entry = (entry & UINT64_C(0xf00)) | 7;
	return entry | (*next >> format->address_left & row->table_address);
}

uint64_t random_page_entry(struct random *random, const struct pw_format *format, unsigned level)
{
	const struct pw_level *row = &format->level[level];
	const struct pw_page *shape =
		row->span.size_log2 && random_once_in(random, 2) ? &row->span : &row->page;
	uint64_t entry = shape->bits | (random_next(random) & shape->address);

	entry |= some_bits(random, shape->address) & ~row->table_mask;
	if (format->family == PW_FAMILY_RISCV && !random_once_in(random, 8))
		entry = (entry & ~LOW(10)) | (random_next(random) & LOW(8)) | 3;
	if (format->family == PW_FAMILY_RISCV && format->entry_bytes == 8 &&
		!random_once_in(random, 8))
		entry &= LOW(54) | shape->value;
	if (!random_once_in(random, 8))
		entry &= ~shape->reserved;
	if (format->family == PW_FAMILY_EPT && !random_once_in(random, 8))
		entry = (entry & ~UINT64_C(0x3f)) | 0x30 | (1 + 2 * random_below(random, 4));
	return entry;
}

void random_path(struct random *random, struct image *image, const struct pw_format *format,
	uint64_t root, uint64_t va)
{
	uint64_t table = root;

	for (unsigned level = format->levels; level-- > 0;) {
		const struct pw_level *row = &format->level[level];
		uint64_t index = va >> row->shift & LOW(row->index_bits);
		uint64_t at = table + index * format->entry_bytes;
		bool page =
			level == 0 || (row->page.size_log2 && random_once_in(random, level + 2));
		uint64_t entry = page ? random_page_entry(random, format, level)
				      : random_table_entry(random, image, format, level, &table);

		if (random_once_in(random, 40))
			entry = random_next(random);
		if (random_once_in(random, 40))
			entry = 0;
		if (random_once_in(random, 20))
			entry ^= UINT64_C(1) << random_below(random, 8u * format->entry_bytes);
		image_store(image, at, format->entry_bytes, entry);
		if (page)
			return;
	}
}
