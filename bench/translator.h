/* SPDX-License-Identifier: MIT */
/* Whoever translates: the library, a limit, a rival. One row in the table of translate.c each. */
#ifndef BENCH_TRANSLATOR_H
#define BENCH_TRANSLATOR_H

#include "workload.h"

/* One translation as the translator told it. */
struct answer {
	bool mapped;
	uint64_t pa;
	int level;  /* -1: it does not say */
	int rights; /* RIGHT_..., -1: it does not say */
};

struct translator {
	const char *who;
	/* Why it cannot run here, or NULL. The function may be NULL: it always can. */
	const char *(*missing)(void);
	/* Why it cannot do 1 GiB pages (W4), or NULL. */
	const char *(*refuses_large)(void);
	/* Makes its own state over the workload; dies if it cannot. */
	void *(*open)(const struct workload *w, enum order order);
	/* Translates va[0..count). The results of the last `group` addresses stay. */
	void (*run)(void *self, const uint64_t *va, size_t count);
	/* The result of va[index] of the last run(), whose count was at most `group`. */
	void (*answer)(const void *self, size_t index, struct answer *answer);
	void (*close)(void *self);
	size_t group;
	unsigned verify_count; /* verify that many addresses only: it is slow. 0: all */
	bool sequential_only;  /* measured in that order only */
	bool sweeps;           /* has a line in the plot */
	bool huge;             /* measured over huge pages of the host too */
};

extern const struct translator translator_pagewalk;
extern const struct translator translator_pagewalk_callbacks;
extern const struct translator translator_pagewalk_batch;
extern const struct translator translator_pagewalk_scalar;
extern const struct translator translator_limit;
extern const struct translator translator_limit_checked;
extern const struct translator translator_limit_called;
extern const struct translator translator_limit_last;
extern const struct translator translator_limit_batch;
extern const struct translator translator_limit_batch_scalar;
extern const struct translator translator_addrxlat;
extern const struct translator translator_kvm;
extern const struct translator translator_pointers;
extern const struct translator translator_slow;

/* Results of one-by-one translation go round in a ring that stays in the first-level cache. */
#define RING       64u
#define RING_AT(i) ((i) & (RING - 1))

#endif
