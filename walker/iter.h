/* SPDX-License-Identifier: MIT */
/* Private: what loops over the iterator need beside its public verbs. */
#ifndef PW_PRIVATE_ITER_H
#define PW_PRIVATE_ITER_H

#include <pagewalk/walk.h>

/* Judges it->entry anew, as if it had just been read there: a handler has changed it. */
void pw_iter_judge(struct pw_iter *it);

/* The present entry is a PDPTE register: it stands nowhere in memory. */
bool pw_iter_is_register(const struct pw_iter *it);

/* The next step reads an entry, for the address *at; false: it does not, or there is none. */
bool pw_iter_reads_next(const struct pw_iter *it, pw_va *at);

/*
 * The entries after the present one that lie in its table, on this side of the canonical hole,
 * wholly in the walk and in the first window: how many, and where the first one stands. 0: they
 * have to be asked for one by one.
 */
uint64_t pw_iter_rest(const struct pw_iter *it, const char **at);

/* Goes `count` of these entries on, as if each had been stepped over. */
void pw_iter_pass(struct pw_iter *it, uint64_t count);

/* After PW_STEP_TABLE: into that table, as if its first `count` entries had been stepped over. */
void pw_iter_enter(struct pw_iter *it, uint64_t count);

/* The one step of a space without tables: everything, mapped to itself. */
void pw_iter_identity(struct pw_iter *it);

#endif
