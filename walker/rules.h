/* SPDX-License-Identifier: MIT */
/* Reserved bits that depend on the physical width in force. */
#ifndef PW_PRIVATE_RULES_H
#define PW_PRIVATE_RULES_H

#include "bits.h"
#include <pagewalk/format.h>

/* Address bits of an entry above `pa_bits`, where the format refuses them. */
PW_INLINE uint64_t pw_reserved_above(const struct pw_format *format, unsigned pa_bits)
{
	return format->reserved_above_pa & ~(PW_LOW(pa_bits) >> format->address_left);
}

PW_INLINE uint64_t pw_reserved_table(
	const struct pw_format *format, unsigned level, unsigned pa_bits)
{
	return format->level[level].table_reserved | pw_reserved_above(format, pa_bits);
}

/* Moved address bits (PSE-36) are reserved too where they would land above the width. */
PW_INLINE uint64_t pw_reserved_page(
	const struct pw_format *format, const struct pw_page *shape, unsigned pa_bits)
{
	uint64_t reserved = shape->reserved | pw_reserved_above(format, pa_bits);

	for (unsigned i = 0; i < 2; i++)
		reserved |= shape->high[i].mask & ~(PW_LOW(pa_bits) >> shape->high[i].left);
	return reserved;
}

#endif
