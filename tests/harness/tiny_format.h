/* SPDX-License-Identifier: MIT */
/*
 * x86-like formats with few entries a table, so that a whole address space can be looked at page by
 * page. Every level may hold pages (bit 7); R/W, U/S and XD fold as on x86; addresses are
 * sign-extended.
 */
#ifndef HARNESS_TINY_FORMAT_H
#define HARNESS_TINY_FORMAT_H

#include <pagewalk/format.h>

/* `levels` levels of 1 << `bits` entries each. Tables are aligned to 4096 all the same. */
static inline struct pw_format tiny_format(unsigned levels, unsigned bits)
{
	struct pw_format format = pw_format_x86_64_la57;

	format.name = "tiny";
	format.levels = (uint8_t)levels;
	format.va_bits = (uint8_t)(12 + levels * bits);
	format.level[0].index_bits = (uint8_t)bits;
	for (unsigned i = 1; i < levels; i++) {
		unsigned shift = 12 + i * bits;
		uint64_t low = (UINT64_C(1) << shift) - 1;

		format.level[i] = pw_format_x86_64.level[1];
		format.level[i].shift = (uint8_t)shift;
		format.level[i].index_bits = (uint8_t)bits;
		format.level[i].page.size_log2 = (uint8_t)shift;
		format.level[i].page.address = UINT64_C(0xffffffffff000) & ~low;
		format.level[i].page.reserved = low & ~UINT64_C(0x1fff);
	}
	return format;
}

#endif
