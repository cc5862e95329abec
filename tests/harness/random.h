/* SPDX-License-Identifier: MIT */
/* A small generator of reproducible random numbers; the seed comes from PW_SEED or is fixed. */
#ifndef HARNESS_RANDOM_H
#define HARNESS_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

struct random {
	uint64_t state;
};

/* xorshift64*: good enough to choose test cases, the same on every host. */
static inline uint64_t random_next(struct random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number below `limit` (> 0). */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
	return random_next(random) % limit;
}

/* True once in `n`. */
static inline int random_once_in(struct random *random, unsigned n)
{
	return random_below(random, n) == 0;
}

static inline uint64_t random_seed(uint64_t fixed)
{
	const char *text = getenv("PW_SEED");

	return text ? strtoull(text, NULL, 0) : fixed;
}

static inline struct random random_from(uint64_t seed)
{
	return (struct random){seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
}

#endif
