/* SPDX-License-Identifier: MIT */
/*
 * What pages say beside address and rights, by the manuals' tables of entry formats, and without
 * the library's rows: memory types and the bits that are left to software.
 */
#ifndef HARNESS_PAGE_ATTRIBUTES_H
#define HARNESS_PAGE_ATTRIBUTES_H

#include <pagewalk/format.h>

/* The bits of a page that are software's, whatever its size; and their value in an entry. */
uint64_t page_software_mask(const struct pw_format *format);
uint64_t page_software(const struct pw_format *format, uint64_t entry);

/* The memory-type index of a page of `size` bytes. Always 0 where none is known (ARMv7 short). */
unsigned page_type(const struct pw_format *format, uint64_t size, uint64_t entry);
/* The hardware takes this index, and what it is for ordinary memory. */
bool page_has_type(const struct pw_format *format, unsigned type);
unsigned page_ordinary_type(const struct pw_format *format);

#endif
