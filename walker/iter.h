/* SPDX-License-Identifier: MIT */
/* Private: what loops over the iterator need beside its public verbs. */
#ifndef PW_PRIVATE_ITER_H
#define PW_PRIVATE_ITER_H

#include <pagewalk/walk.h>

/* Judges it->entry anew, as if it had just been read there: a handler has changed it. */
void pw_iter_judge(struct pw_iter *it);

/* The next step reads an entry, for the address *at; false: it does not, or there is none. */
bool pw_iter_reads_next(const struct pw_iter *it, pw_va *at);

/* The one step of a space without tables: everything, mapped to itself. */
void pw_iter_identity(struct pw_iter *it);

#endif
