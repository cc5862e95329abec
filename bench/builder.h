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
	uint64_t bytes; /* of the tables that this takes */
	bool live;      /* a processor may walk these tables */
	void *own;      /* the builder's */
};

uint64_t ground_take(struct ground *ground);
void ground_give(struct ground *ground, uint64_t table);
/* Nothing is mapped, and all tables are in the pool again, the lowest on top. */
void ground_clear(struct ground *ground);

/* Each is one call for the whole range, in 4 KiB pages for user mode, not executable. */
struct builder {
	const char *who;
	void *(*open)(struct ground *ground); /* may be NULL */
	void (*map)(struct ground *ground);
	void (*protect)(struct ground *ground, bool writable);
	void (*unmap)(struct ground *ground);
	/* A huge page to the smallest, and back. */
	void (*split)(struct ground *ground);
	void (*collapse)(struct ground *ground);
	/* Clears Dirty; a bit for each page that was, in order. */
	void (*harvest)(struct ground *ground, uint64_t *dirty);
};

void build_large_add(void);

extern const struct builder builder_pagewalk;
extern const struct builder builder_pagewalk_scalar; /* without vector code */
extern const struct builder builder_limit;
extern const struct builder builder_memset;

#endif
