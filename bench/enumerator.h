/* SPDX-License-Identifier: MIT */
/* Whoever lists all mappings in order, merged. One row in the table of enumerate.c each. */
#ifndef BENCH_ENUMERATOR_H
#define BENCH_ENUMERATOR_H

#include "workload.h"

struct enumerator {
	const char *who;
	/* Why it cannot run here, or NULL. The function may be NULL: it always can. */
	const char *(*missing)(void);
	void *(*open)(const struct workload *w);
	/* Lists everything; returns the number of regions. Adds them to *sum if it is not NULL. */
	uint64_t (*run)(void *self, struct regions *sum);
	void (*close)(void *self);
};

extern const struct enumerator enumerator_pagewalk;
extern const struct enumerator enumerator_pagewalk_scalar;
extern const struct enumerator enumerator_limit;
extern const struct enumerator enumerator_limit_scalar;

/* Where the limits put regions: a reader takes them from here, a part at a time. */
#define SINK_SIZE 1024u

struct sink {
	uint64_t first[SINK_SIZE + 8], last[SINK_SIZE + 8], key[SINK_SIZE + 8];
	size_t starts, ends; /* starts == ends, or one more: a region is open */
	uint64_t count;
	struct regions *sum;
};

/* Empties the sink, but for the open region. */
void sink_take(struct sink *sink);

#endif
