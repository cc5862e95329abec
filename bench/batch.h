/* SPDX-License-Identifier: MIT */
/*
 * The limits of translating many addresses at once: all of a group go down one level, each issues
 * the prefetch of its next entry, then all go down the next. They trust the tables but for the
 * present bit. The answers are the physical address and a byte with rights, level and presence.
 */
#ifndef BENCH_BATCH_H
#define BENCH_BATCH_H

#include "translator.h"

#define BATCH_MAX 4096u

/* The byte: RIGHT_... in the low nibble, the level in two bits, and this. */
#define INFO_HOLE 0x40u

struct batch {
	const uint8_t *image;
	uint64_t root;
	uint64_t pa[BATCH_MAX];
	uint8_t info[BATCH_MAX];
};

void *batch_open(const struct workload *w, enum order order);
void batch_answer(const void *self, size_t index, struct answer *answer);

#endif
