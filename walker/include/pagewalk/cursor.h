/* SPDX-License-Identifier: MIT */
/*
 * Translation of addresses that lie near each other: a cursor remembers the last table in which it
 * found a page, and goes there at once for every address that this table serves.
 *
 * The page's entry is read afresh for each address. The tables above are not: call
 * pw_cursor_begin() again when they may have changed, for example because a vCPU has run. So a
 * cursor is right for as long as nobody changes the upper tables, and never because it is young.
 *
 * x86-64 tables in the first window are remembered; everything else is answered as by
 * pw_translate(), no faster. A cursor belongs to one thread and refers to its space.
 */
#ifndef PAGEWALK_CURSOR_H
#define PAGEWALK_CURSOR_H

#include <pagewalk/batch.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The fields are private. */
struct pw_cursor {
	const struct pw_space *space;
	const uint64_t *table; /* the last table, */
	pw_va first;           /* and where the range that it serves begins; */
	uint64_t outside;      /* the va bits that lead out of that range */
	uint64_t check, value; /* (entry & check) == value: a page that grants the access */
	uint64_t same, kind;   /* (entry & same) == kind: one with the rights of the last, */
	uint64_t info;         /* and the second word of its hit */
	uint64_t address, low; /* the bits that its address takes from the entry and from va */
	uint64_t hit[16];      /* the second word of a hit, by XD, P, W and U of the entry */
	uint64_t scale;        /* times va, shifted right by 55: the index */
	pw_va seen;            /* where the last walk from the root ended */
	pw_access access;
};

/*
 * Starts, or starts again: nothing is remembered. `access` is what every address is translated for.
 * PW_E_ARGUMENT: an access that is none. It is told by each translation too.
 */
PW_API PW_NODISCARD enum pw_status pw_cursor_begin(
	struct pw_cursor *cursor, const struct pw_space *space, pw_access access);

/* The walk from the root. For pw_cursor_translate(). */
PW_API enum pw_status pw_cursor_walk(struct pw_cursor *cursor, pw_va va, struct pw_hit *hit);

/* Translates va for the cursor's access: *hit as by pw_translate_batch(). Returns hit->status. */
static inline enum pw_status pw_cursor_translate(
	struct pw_cursor *cursor, pw_va va, struct pw_hit *hit)
{
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	typedef uint64_t pair __attribute__((aligned(8), may_alias));

	if (__builtin_expect(((va ^ cursor->first) & cursor->outside) == 0, 1)) {
		uint64_t entry = __atomic_load_n(
			cursor->table + (va * cursor->scale >> 55), __ATOMIC_RELAXED);
		uint64_t info = cursor->info;
		bool good = (entry & cursor->same) == cursor->kind;
		pair *to = (pair *)(void *)hit;

		if (__builtin_expect(!good, 0)) {
			info = cursor->hit[(entry << 1 | entry >> 63) & 15];
			good = (entry & cursor->check) == cursor->value;
		}
		if (__builtin_expect(good, 1)) {
			to[0] = (entry & cursor->address) | (va & cursor->low);
			/* Accessed, Dirty and Global: bits 5, 6 and 8, where the flags stand. */
			to[1] = info | (entry << 19 & 0x0b000000);
			return PW_OK;
		}
	}
#endif
	return pw_cursor_walk(cursor, va, hit);
}

#ifdef __cplusplus
}
#endif

#endif
