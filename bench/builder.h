/* SPDX-License-Identifier: MIT */
/* Whoever builds tables. One row in the table of build.c each. */
#ifndef BENCH_BUILDER_H
#define BENCH_BUILDER_H

#include "image.h"

/* Where is built: a pool of tables, a root, and the range with the memory that it is mapped to. */
struct ground {
	struct image image;
	uint64_t root;
	uint64_t *pool; /* addresses of free tables */
	size_t free, tables;
	uint64_t va, pa, size;
	bool live; /* a processor may walk these tables */
	void *own; /* the builder's */
};

uint64_t ground_take(struct ground *ground);
void ground_give(struct ground *ground, uint64_t table);

/* Each is one call for the whole range, in 4 KiB pages for user mode, not executable. */
struct builder {
	const char *who;
	void *(*open)(struct ground *ground); /* may be NULL */
	void (*map)(struct ground *ground);
	void (*protect)(struct ground *ground, bool writable);
	void (*unmap)(struct ground *ground);
};

extern const struct builder builder_pagewalk;
extern const struct builder builder_pagewalk_scalar; /* without vector code */
extern const struct builder builder_limit;
extern const struct builder builder_memset;

#endif
