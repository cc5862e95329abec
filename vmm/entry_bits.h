/* SPDX-License-Identifier: MIT */
/* The names of an entry's bits, for people. */
#ifndef PAGEWALK_ENTRY_BITS_H
#define PAGEWALK_ENTRY_BITS_H

#include <stddef.h>
#include <stdint.h>

#include <pagewalk/translate.h>

#define ENTRY_BIT_NAME_BYTES 16

/*
 * Calls `each` for every bit or field that is set in the entry, lowest first, the address apart:
 * "RW", "PAT", "MT=6"; bits that are reserved are "RSVDn" unless they have a name, those left to
 * software "AVLn". A hole's bits mean nothing to the hardware: none is named.
 */
void entry_bits(const struct pw_space *space, unsigned level, uint64_t entry, enum pw_kind kind,
	void (*each)(void *ctx, const char *name), void *ctx);

/* The same for those bits alone that make the entry BAD in this space, whatever they are called. */
void entry_reserved_bits(const struct pw_space *space, unsigned level, uint64_t entry,
	void (*each)(void *ctx, const char *name), void *ctx);

/* The shape that a PAGE entry of this level has. */
const struct pw_page *entry_shape(const struct pw_format *format, unsigned level, uint64_t entry);

#endif
