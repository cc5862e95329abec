/* SPDX-License-Identifier: MIT */
/*
 * What is translated: x86-64 tables in shuffled frames of one flat image, and lists of addresses
 * with the answers that the generator knows from its own flat model, without reading a table.
 *
 *   W1  64 MiB in 4 KiB pages, contiguous: code, constants, data.
 *   W2  16 GiB in 4 KiB pages to shuffled frames; one 2 MiB in eight is read-only above the page.
 *   W3  262,144 pages of 4 KiB, scattered over the lower half.
 *   W4  64 GiB from 0xffff888000000000: even GiB one 1 GiB page, odd GiB 2 MiB pages, one in eight
 *       of them broken into 4 KiB pages, one in eight of these a hole.
 *   and for the plots: 4 KiB pages to shuffled frames, with tables of a given size or number, or
 *   one page a table.
 *
 * Data frames need not exist: they have physical addresses behind the image.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "image.h"

enum workload_id {
	W1,
	W2,
	W3,
	W4,
	WORKLOADS,
};

enum order {
	ORDER_RANDOM,     /* uniform over the mapped 4 KiB units */
	ORDER_SEQUENTIAL, /* the mapped 4 KiB units as they follow each other */
	ORDER_UNMAPPED,   /* random, one in ten not mapped */
	ORDERS,
};

#define LIST_HOLE (~UINT64_C(0)) /* the pa of an address that is not mapped */

struct list {
	size_t count;
	uint64_t *va, *pa;
	uint8_t *level, *rights; /* RIGHT_...; of mapped addresses */
};

/* A page as the model has it. */
struct leaf {
	uint64_t va, pa;
	unsigned level, rights;
	uint64_t entry;
	uint64_t table_bits; /* of the entry that leads to its table */
};

struct workload {
	char name[32];
	uint64_t first, span; /* all pages lie in here */
	bool large;           /* has pages above level 0 */
	uint64_t leaves, tables;
	struct image image;
	uint64_t root;
	struct list list[ORDERS];

	/* The flat model. */
	bool (*lookup)(const struct workload *w, uint64_t va, struct leaf *leaf);
	unsigned frame_bits;     /* W2 and sweeps: frames are a permutation of that many bits */
	uint64_t *page;          /* W3: the pages' addresses, ascending */
	uint8_t *broken, *holes; /* W4: bits, by 2 MiB and by 4 KiB */
};

/* A walk over the model's pages in address order. */
struct cursor {
	uint64_t va;
	size_t index;
};

/* What an enumeration must find: pages merged where va, pa, size and rights go on. */
struct regions {
	uint64_t count, hash;
};

/* All later workloads and lists are small: enough to verify, too small to time. */
void workload_be_small(void);
bool workload_is_small(void);

/* Made when first asked for, then kept. `huge`: its image in huge pages of the host. */
const struct workload *workload_get(enum workload_id id, bool huge);
const char *workload_name(enum workload_id id);
/* Tables of `table_bytes` in all; the last one asked for is kept, here and below. */
const struct workload *workload_sweep(uint64_t table_bytes);
/* So many 4 KiB pages, one after the other, to shuffled frames. */
const struct workload *workload_pages(uint64_t pages);
/* At most so many tables, with one page in each of the last ones. */
const struct workload *workload_tables(uint64_t tables);
const struct list *workload_list(const struct workload *w, enum order order);

bool workload_next(const struct workload *w, struct cursor *cursor, struct leaf *leaf);
void workload_regions(const struct workload *w, struct regions *regions);

/* Adds one region to the sum of an enumeration; the order counts. `key` is region_key(). */
void regions_add(struct regions *regions, uint64_t first, uint64_t last, uint64_t key);

/* pa, rights and size of a page in one word, in which the next page's is 1 << SHIFT(level) more. */
uint64_t region_key(uint64_t pa, unsigned level, unsigned rights);

/* For workload.c: the models. */
void model_w1(struct workload *w);
void model_w2(struct workload *w);
void model_w3(struct workload *w);
void model_w4(struct workload *w);
void model_sweep(struct workload *w, uint64_t table_bytes);
void model_pages(struct workload *w, uint64_t pages);
void model_tables(struct workload *w, uint64_t tables);

#endif
