/* SPDX-License-Identifier: MIT */
/* Questions about formats, levels and entries, and the self-check of a row. */
#include "entry.h"
#include "rules.h"

static const struct pw_format *const formats[] = {
	&pw_format_x86_none,
	&pw_format_x86_32,
	&pw_format_x86_pae,
	&pw_format_x86_64,
	&pw_format_x86_64_la57,
	&pw_format_ept_4,
	&pw_format_ept_5,
	&pw_format_npt_4,
	&pw_format_npt_5,
	&pw_format_armv7_short,
	&pw_format_armv7_lpae,
	&pw_format_arm64_4k,
	&pw_format_arm64_4k_39,
	&pw_format_arm64_16k,
	&pw_format_arm64_64k,
	&pw_format_arm64_s2_4k,
	&pw_format_arm64_s2_16k,
	&pw_format_arm64_s2_64k,
	&pw_format_riscv_sv32,
	&pw_format_riscv_sv39,
	&pw_format_riscv_sv48,
	&pw_format_riscv_sv57,
	&pw_format_riscv_sv32x4,
	&pw_format_riscv_sv39x4,
	&pw_format_riscv_sv48x4,
	&pw_format_riscv_sv57x4,
};

const struct pw_format *pw_format_at(size_t index)
{
	return index < sizeof formats / sizeof formats[0] ? formats[index] : NULL;
}

static bool same_text(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct pw_format *pw_format_find(const char *name)
{
	const struct pw_format *format;

	if (!name)
		return NULL;
	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (same_text(format->name, name))
			return format;
	}
	return NULL;
}

uint64_t pw_level_entries(const struct pw_level *level)
{
	return PW_BIT(level->index_bits);
}

uint64_t pw_level_page_size(const struct pw_level *level)
{
	return PW_BIT(level->shift);
}

uint64_t pw_level_mask(const struct pw_level *level)
{
	return PW_LOW(level->index_bits) << level->shift;
}

pw_va pw_level_last(const struct pw_level *level, pw_va va)
{
	return va | PW_LOW(level->shift);
}

uint64_t pw_level_index(const struct pw_level *level, pw_va va)
{
	return va >> level->shift & PW_LOW(level->index_bits);
}

uint64_t pw_table_bytes(const struct pw_format *format, unsigned level)
{
	return level < format->levels
		       ? pw_level_entries(&format->level[level]) * format->entry_bytes
		       : 0;
}

uint64_t pw_format_va_mask(const struct pw_format *format)
{
	return PW_LOW(format->va_bits);
}

bool pw_format_takes(const struct pw_format *format, pw_va va)
{
	return pw_takes(format->extension, format->va_bits, va);
}

pw_va pw_format_extend(const struct pw_format *format, pw_va va)
{
	return pw_extend(format->extension, format->va_bits, va);
}

static bool illegal(uint64_t bitmap, uint64_t entry)
{
	return bitmap >> (entry & 63) & 1;
}

enum pw_kind pw_entry_kind(const struct pw_format *format, unsigned level, uint64_t entry)
{
	if (level >= format->levels)
		return PW_BAD;

	const struct pw_level *row = &format->level[level];

	if (!pw_is_present(row, entry))
		return PW_HOLE;
	if (pw_is_table(row, entry)) {
		if (illegal(row->table_illegal_low6, entry) ||
			(entry & pw_reserved_table(format, level, format->pa_bits)))
			return PW_BAD;
		return PW_TABLE;
	}

	const struct pw_page *shape = pw_shape(row, entry);

	if (!shape->size_log2 || illegal(shape->illegal_low6, entry) ||
		(entry & pw_reserved_page(format, shape, format->pa_bits)))
		return PW_BAD;
	return PW_PAGE;
}

bool pw_entry_is_present(const struct pw_format *format, unsigned level, uint64_t entry)
{
	return pw_entry_kind(format, level, entry) != PW_HOLE;
}

bool pw_entry_is_page(const struct pw_format *format, unsigned level, uint64_t entry)
{
	return pw_entry_kind(format, level, entry) == PW_PAGE;
}

bool pw_entry_is_table(const struct pw_format *format, unsigned level, uint64_t entry)
{
	return pw_entry_kind(format, level, entry) == PW_TABLE;
}

bool pw_entry_is_huge_page(const struct pw_format *format, unsigned level, uint64_t entry)
{
	return level > 0 && pw_entry_is_page(format, level, entry);
}

pw_pa pw_entry_address(const struct pw_format *format, unsigned level, uint64_t entry)
{
	const struct pw_level *row = &format->level[level];
	static const struct pw_space as_is = {.address_clear = 0};

	switch (pw_entry_kind(format, level, entry)) {
	case PW_TABLE:
		return pw_table_address(format, &as_is, row, entry);
	case PW_PAGE:
		return pw_page_address(format, &as_is, pw_shape(row, entry), entry);
	default:
		return 0;
	}
}

uint64_t pw_entry_page_size(const struct pw_format *format, unsigned level, uint64_t entry)
{
	if (!pw_entry_is_page(format, level, entry))
		return 0;
	return PW_BIT(pw_shape(&format->level[level], entry)->size_log2);
}

uint64_t pw_entry_software(const struct pw_format *format, uint64_t entry)
{
	uint64_t value = 0;
	unsigned n = 0;

	for (uint64_t left = format->software; left; left &= left - 1, n++)
		value |= (uint64_t)((entry & left & (~left + 1)) != 0) << n;
	return value;
}
