/* SPDX-License-Identifier: MIT */
/* Random page tables that are worth walking: plausible paths with a few things wrong. */
#ifndef HARNESS_RANDOM_TABLES_H
#define HARNESS_RANDOM_TABLES_H

#include "random.h"
#include <pagewalk/format.h>

/* An image of physical memory from `base` on. */
struct image {
	uint8_t *bytes;
	uint64_t base, size;
};

/* Stores an entry, little-endian. Outside the image nothing happens. */
void image_store(struct image *image, uint64_t pa, unsigned bytes, uint64_t entry);

/* A random address, most often one that the format takes. */
uint64_t random_va(struct random *random, const struct pw_format *format, bool high);

/*
 * Writes a path for va from root on: tables down to a page at a random level, and every so often a
 * hole, a random word, a flipped bit or a table outside the image.
 */
void random_path(struct random *random, struct image *image, const struct pw_format *format,
	uint64_t root, uint64_t va);

/* A table entry of this level, most often a good one that leads to *next in the image. */
uint64_t random_table_entry(struct random *random, const struct image *image,
	const struct pw_format *format, unsigned level, uint64_t *next);

/* A page's entry, most often a good one. */
uint64_t random_page_entry(struct random *random, const struct pw_format *format, unsigned level);

#endif
