/* SPDX-License-Identifier: MIT */
/* Private: protecting in one pass, and what it shares with planning first. */
#ifndef PW_PRIVATE_BUILD_PROTECT_H
#define PW_PRIVATE_BUILD_PROTECT_H

#include "build_trail.h"

/* What becomes of this page of this shape and level. */
struct pw_change pw_protect_change(
	struct pw_build *b, unsigned level, const struct pw_page *shape, uint64_t entry);

/* The operation, once range, cuts and wish (and amend) are planned. */
PW_NODISCARD enum pw_status pw_protect_run(struct pw_build *b);

/* What amend does to pages of this shape with these attributes (build_modify.c), */
struct pw_change pw_amend_change(
	const struct pw_build *b, const struct pw_page *shape, unsigned attributes);
/* and whether the page is afterwards what it was to become. */
bool pw_amend_holds(
	const struct pw_trail *t, const struct pw_page *shape, uint64_t before, uint64_t after);

/* The page has the wished rights afterwards, and its entry can be written. */
PW_NODISCARD enum pw_status pw_protect_plan_page(
	struct pw_build *b, const struct pw_trail *t, uint64_t entry);

/*
 * A last table whose entries are holes and good pages, as its bits in common tell: then its first
 * page stands for all of them.
 */
bool pw_protect_is_uniform(const struct pw_build *b, const struct pw_common *common);

/* What a sweep has changed, and how to undo it. */
struct pw_sweep {
	pw_va next; /* where it stopped */
	bool complete, changed;
	struct pw_change undo;
	struct pw_hold hold;
	struct pw_run run; /* of the table at hand: made once */
};

/*
 * On a quiescent space, where nothing can fail later than it is seen: changes last tables one by
 * one, each looked at while it is in the cache anyway, as long as one and the same change back
 * undoes all of it. Without cuts. What is not swept is to be planned and committed from `next` on;
 * then pw_sweep_end() tells the outcome.
 */
void pw_sweep(struct pw_build *b, struct pw_sweep *s);
void pw_sweep_end(struct pw_build *b, const struct pw_sweep *s, bool keep);

#endif
