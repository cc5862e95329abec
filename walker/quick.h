/* SPDX-License-Identifier: MIT */
/*
 * Private: how the quick paths put results together: in registers, from what the space and the
 * format have ready, so that a result costs a few stores.
 */
#ifndef PW_PRIVATE_QUICK_H
#define PW_PRIVATE_QUICK_H

#include "entry.h"
#include "formats/x86.h"
#include <pagewalk/translate.h>

/*
 * The second word of a result: what bits 3 to 8 of a page's entry (PWT, PCD, A, D, then PAT in a
 * PTE and PS in larger pages, G) say: flags and memory type. The PAT bit of larger pages, 12, is
 * added by pw_look(). Held against pw_page_flags() and pw_type_index() by the unit tests.
 */
#define PW_LOOK(i, pat)                                                                            \
	((uint64_t)(PW_RESULT_ENTRY | ((i)&4 ? PW_RESULT_ACCESSED : 0) |                           \
		    ((i)&8 ? PW_RESULT_DIRTY : 0) | ((i)&32 ? PW_RESULT_GLOBAL : 0) |              \
		    ((i)&3) << 8 | ((i) & (pat) ? 4 : 0) << 8)                                     \
		<< 32)
#define PW_LOOKS_4(i, pat)                                                                         \
	PW_LOOK(i, pat), PW_LOOK((i) + 1, pat), PW_LOOK((i) + 2, pat), PW_LOOK((i) + 3, pat)
#define PW_LOOKS_16(i, pat)                                                                        \
	PW_LOOKS_4(i, pat), PW_LOOKS_4((i) + 4, pat), PW_LOOKS_4((i) + 8, pat),                    \
		PW_LOOKS_4((i) + 12, pat)
#define PW_LOOKS(pat)                                                                              \
	{                                                                                          \
		PW_LOOKS_16(0, pat), PW_LOOKS_16(16, pat), PW_LOOKS_16(32, pat),                   \
			PW_LOOKS_16(48, pat)                                                       \
	}
#define PW_LOOK_SHIFT 3
#define PW_LOOK_COUNT 64

/* [0] for PTEs, [1] for larger pages. */
static const uint64_t pw_looks[2][PW_LOOK_COUNT] = {PW_LOOKS(16), PW_LOOKS(0)};

PW_INLINE uint64_t pw_look(unsigned level, uint64_t entry)
{
	uint64_t look = pw_looks[level != 0][entry >> PW_LOOK_SHIFT & (PW_LOOK_COUNT - 1)];

	return level ? look | (entry >> 12 & 1) << 42 : look;
}

/*
 * The index into the space's quick tables, as they stand in an entry that is rotated: XD, bit 63,
 * ORed over all entries, is bit 0; P, W and U, bits 0 to 2, ANDed, follow. Without P nothing is
 * allowed.
 */
PW_INLINE unsigned pw_quick_index(uint64_t and_fold, uint64_t or_fold)
{
	return (unsigned)(or_fold >> 63) | (unsigned)(and_fold << 1 & 14);
}

/* The same of a page whose folded attributes, W, U and XD, are given. */
PW_INLINE unsigned pw_quick_index_of(unsigned attributes)
{
	return attributes >> 2 | 2 | (attributes & 3) << 2;
}

/* What a packed grant must have for an access that the quick path serves. */
PW_INLINE uint32_t pw_quick_need(pw_access access)
{
	if (access & PW_ACCESS_ANY)
		return 0;
	if (access & PW_ACCESS_IMPLICIT)
		return (access & 7) << 24;
	return (access & 7) << (access & PW_ACCESS_USER ? 8 : 16);
}

#if defined(__GNUC__)
typedef uint64_t pw_pair __attribute__((aligned(8), may_alias));
#endif

#define PW_TAIL   offsetof(struct pw_result, error_code)
#define PW_KEY_AT 56 /* the bit of the first word where the key stands */
_Static_assert(offsetof(struct pw_result, level) == PW_TAIL + 5 &&
		       offsetof(struct pw_result, key) == PW_TAIL + PW_KEY_AT / 8 &&
		       offsetof(struct pw_result, rights) == PW_TAIL + 8 &&
		       offsetof(struct pw_result, implicit) == PW_TAIL + 11 &&
		       offsetof(struct pw_result, flags) == PW_TAIL + 12 &&
		       offsetof(struct pw_result, memory_type) == PW_TAIL + 13 &&
		       sizeof(struct pw_result) == PW_TAIL + 16 && PW_OK == 0 && PW_RULE_NONE == 0,
	"the last fields of a result are two words");

/* The key of a page's entry, in its place. */
PW_INLINE uint64_t pw_quick_key(uint64_t entry)
{
	const struct pw_format *f = &pw_row_x86_64;

	return entry >> (f->key_bit - PW_KEY_AT) & PW_LOW(f->key_bits) << PW_KEY_AT;
}

/* All from error_code on, of a page that grants the access; the key is in its place. */
PW_INLINE void pw_put_tail(
	struct pw_result *r, unsigned level, uint64_t key, uint64_t grant_and_look)
{
#if defined(__GNUC__)
	if (!PW_HOST_BIG) {
		pw_pair *tail = (pw_pair *)(void *)&r->error_code;

		tail[0] = key | (uint64_t)level << 40;
		tail[1] = grant_and_look;
		return;
	}
#endif
	r->error_code = 0;
	r->status = PW_OK;
	r->level = (int8_t)level;
	r->rule = PW_RULE_NONE;
	r->key = (uint8_t)(key >> PW_KEY_AT);
	r->rights = (uint8_t)grant_and_look;
	r->user = (uint8_t)(grant_and_look >> 8);
	r->supervisor = (uint8_t)(grant_and_look >> 16);
	r->implicit = (uint8_t)(grant_and_look >> 24);
	r->flags = (uint8_t)(grant_and_look >> 32);
	r->memory_type = (uint8_t)(grant_and_look >> 40);
	r->zero[0] = r->zero[1] = 0;
}

#endif
