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
 * After PW_STEP_HOLE: passes at most `most` holes that follow it in its table, as far as they are
 * directly addressable. The step then describes the last of them.
 */
void pw_iter_pass_holes(struct pw_iter *it, uint64_t most);

/*
 * After PW_STEP_PAGE with an ordinary page: passes at most `most` pages that follow in its table
 * whose entries under `mask` are those of this one with the address counted up. Returns how many.
 */
uint64_t pw_iter_pass_run(struct pw_iter *it, uint64_t mask, uint64_t most);

/* The one step of a space without tables: everything, mapped to itself. */
void pw_iter_identity(struct pw_iter *it);

#endif
