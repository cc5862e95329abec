/* SPDX-License-Identifier: MIT */
#include "page_attributes.h"
#include <string.h>

static bool is_named(const struct pw_format *format, const char *start)
{
	return strncmp(format->name, start, strlen(start)) == 0;
}

static uint64_t bits(unsigned low, unsigned high)
{
	uint64_t mask = 0;

	for (unsigned i = low; i <= high; i++)
		mask |= UINT64_C(1) << i;
	return mask;
}

uint64_t page_software_mask(const struct pw_format *format)
{
	if (is_named(format, "x86-32") || is_named(format, "x86-pae"))
		return bits(9, 11);
	if (is_named(format, "x86-64") || is_named(format, "npt"))
		return bits(9, 11) | bits(52, 58);
	if (is_named(format, "ept"))
		return bits(11, 11) | bits(52, 56) | bits(59, 59) | bits(62, 62);
	if (is_named(format, "riscv"))
		return bits(8, 9);
	if (is_named(format, "armv7-short") || is_named(format, "x86-none"))
		return 0;
	return bits(55, 58); /* Arm's long descriptors */
}

uint64_t page_software(const struct pw_format *format, uint64_t entry)
{
	uint64_t mask = page_software_mask(format), value = 0;

	for (unsigned i = 0; mask; i++) {
		uint64_t lowest = mask & -mask;

		value |= entry & lowest ? UINT64_C(1) << i : 0;
		mask -= lowest;
	}
	return value;
}

unsigned page_type(const struct pw_format *format, uint64_t size, uint64_t entry)
{
	unsigned pat = size == 4096 ? 7 : 12;

	if (is_named(format, "x86") || is_named(format, "npt"))
		return (unsigned)(entry >> 3 & 3) | (unsigned)(entry >> pat & 1) << 2;
	if (is_named(format, "ept"))
		return (unsigned)(entry >> 3 & 15); /* IPAT is the highest */
	if (is_named(format, "arm64-s2"))
		return (unsigned)(entry >> 2 & 15);
	if (is_named(format, "arm64") || is_named(format, "armv7-lpae"))
		return (unsigned)(entry >> 2 & 7);
	return 0;
}

bool page_has_type(const struct pw_format *format, unsigned type)
{
	if (is_named(format, "ept"))
		return type < 16 && (type & 7) != 2 && (type & 7) != 3 && (type & 7) != 7;
	if (is_named(format, "arm64-s2"))
		return type < 16;
	if (is_named(format, "riscv"))
		return type == 0;
	return type < 8 && !is_named(format, "armv7-short");
}

unsigned page_ordinary_type(const struct pw_format *format)
{
	if (is_named(format, "ept"))
		return 6;
	return is_named(format, "arm64-s2") ? 15 : 0;
}
