/* SPDX-License-Identifier: MIT */
/*
 * Private: what the parts of the shadow share.
 *
 * A root is a space of its own, built with the library's builders. What ties it to the guest is the
 * uses: which guest table (by its page) was walked for which range of which root. A write to a page
 * finds the page's uses, and each tells the range to be dropped.
 */
#ifndef PW_PRIVATE_SHADOW_H
#define PW_PRIVATE_SHADOW_H

#include "live.h"
#include <pagewalk/shadow.h>

/* No root, no use. */
#define PW_SHADOW_NONE UINT32_MAX

#define PW_SHADOW_PAGE ((pw_pa)4096)

/* A table written so often without being walked is memory for something else by now. */
#define PW_SHADOW_FLOOD 16

PW_INLINE pw_pa pw_page_of(pw_pa pa)
{
	return pa & ~(PW_SHADOW_PAGE - 1);
}

/* ---- Uses (shadow_uses.c) ---- */

void pw_uses_begin(struct pw_shadow *shadow);

/* The first use of a table in the page at hpa, and the next in the same page. */
struct pw_shadow_use *pw_use_first(const struct pw_shadow *shadow, pw_pa hpa);
struct pw_shadow_use *pw_use_next(const struct pw_shadow *shadow, const struct pw_shadow_use *use);

/*
 * Notes `wanted`, of which hpa, gpa, first, root and level count, if it is not there yet;
 * protects the page if this is its first use. *fresh: no table in the page at hpa was in use
 * before. PW_E_NO_TABLES: there is no room.
 */
PW_NODISCARD enum pw_status pw_use_note(
	struct pw_shadow *shadow, const struct pw_shadow_use *wanted, bool *fresh);

/* Takes out the stale ones, and ends the protection of pages that are in use no more. */
void pw_uses_sweep(struct pw_shadow *shadow);

/* Any page in [hpa, hpa + bytes) with a table in use? */
bool pw_uses_overlap(const struct pw_shadow *shadow, pw_pa hpa, uint64_t bytes);

/* ---- Dropping (shadow_drop.c) ---- */

/* Makes holes of the guest's [first, last], linear, and of what reaches into it. */
PW_NODISCARD enum pw_status pw_shadow_drop_range(const struct pw_shadow *shadow,
	const struct pw_shadow_root *root, pw_va first, pw_va last, struct pw_flush *flush);

/* The root becomes as it was when it was made. */
PW_NODISCARD enum pw_status pw_shadow_empty(
	struct pw_shadow *shadow, struct pw_shadow_root *root, struct pw_flush *flush);

/* No shadow page stays writable that maps the page at hpa, which has become a table. */
PW_NODISCARD enum pw_status pw_shadow_retract(
	struct pw_shadow *shadow, pw_pa hpa, struct pw_flush *flush);

/* ---- Roots (shadow.c) ---- */

/* The range of the caller's own entry; false: it has none. */
bool pw_shadow_own_range(const struct pw_shadow *shadow, pw_va *first, pw_va *last);

/*
 * Makes room: takes the least recently loaded root apart, else empties the one in force, once:
 * *emptied is false before the first call. False: there is nothing left to take.
 */
bool pw_shadow_evict(struct pw_shadow *shadow, struct pw_flush *flush, bool *emptied);

#endif
