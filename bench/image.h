/* SPDX-License-Identifier: MIT */
/* A flat image of physical memory, address 0 at its first byte, and tables in shuffled frames. */
#ifndef BENCH_IMAGE_H
#define BENCH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image {
	uint8_t *bytes;
	uint64_t size;
	uint32_t *frame; /* the order in which frames are handed out */
	size_t frames, used;
};

/* A small, fast, reproducible generator (splitmix64). */
struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *rng);
/* A number below `limit`, which is under 2^32. */
uint64_t rng_below(struct rng *rng, uint64_t limit);

/*
 * `frames` frames of 4 KiB, zeroed, in pages of 4 KiB or (`huge`) of 2 MiB as far as the host gives
 * them; shuffled with `seed`, or in order if it is 0. Dies if there is no memory.
 */
void image_open(struct image *image, size_t frames, uint64_t seed, bool huge);
void image_close(struct image *image);

/* The physical address of the next frame. Dies if there is none left. */
uint64_t image_take(struct image *image);

/*
 * Puts a leaf of `level` into the tables under root; makes missing tables of frames of the image,
 * linked by `table_bits`.
 */
void image_map(struct image *image, uint64_t root, uint64_t va, unsigned level, uint64_t entry,
	uint64_t table_bits);

#endif
